import { describe, expect, it, test } from 'vitest';
import { compareOptions, optionTexts, sameText } from '../../src/cli/run-options.ts';
import { type sortings, sortRuns } from '../../src/cli/run-summary.ts';
import { runsText, shortNumber } from '../../src/cli/runs-text.ts';
import { listed } from './runs-support.ts';

const runs = [
  listed({ name: '2026-11-23T22-10-05-mlp', accuracies: [0.5, 0.9, 0.875] }),
  listed({
    name: 'sweep/adam',
    status: 'running',
    atWork: true,
    options: { optimizer: 'adam', lr: 0.001 },
    accuracies: [0.75],
    record: { started: '2026-11-24T08:00:00' },
  }),
  listed({ name: 'cold', status: 'running', options: { seed: 1 }, record: { started: undefined } }),
];

describe('the list as text', () => {
  it('tells once what all runs share, and in a table what differs and what came of it', () => {
    expect(runsText(runs)).toBe(`all: 784-32-10, synthetic, batch 64, shuffle

run                      status   optimizer  lr     seed  epochs  steps     accuracy  train loss  test loss  ms/step  started
2026-11-23T22-10-05-mlp  done     sgd        0.1    0        3/3     30  90.00 % (2)      0.1250     0.1563    0.750  2026-11-23 22:10
sweep/adam               running  adam       0.001  0        1/3     10  75.00 % (1)      0.2500     0.3125     2.00  2026-11-24 08:00
cold                     stopped  sgd        0.1    1        0/3      0            –           –          –        –  –
`);
  });

  it('fits a terminal: names are cut in the middle, columns that matter less are left out', () => {
    expect(runsText(runs, 80)).toBe(`all: 784-32-10, synthetic, batch 64, shuffle

run                    status   optimizer  lr     epochs     accuracy  test loss
2026-11-23…-10-05-mlp  done     sgd        0.1       3/3  90.00 % (2)     0.1563
sweep/adam             running  adam       0.001     1/3  75.00 % (1)     0.3125
cold                   stopped  sgd        0.1       0/3            –          –
different too, see --json: seed
`);
    for (const width of [72, 80, 90, 100, 120, 200]) {
      const lines = runsText(runs, width).split('\n');
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(width);
    }
  });

  it('of one run, and of none', () => {
    expect(runsText(runs.slice(0, 1), 80)).toMatch(
      /^with 784-32-10, synthetic, sgd, lr 0.1, batch 64, seed 0, shuffle\n\nrun +status +epochs/,
    );
    expect(runsText([])).toBe('');
  });

  it('does not let names drive the terminal', () => {
    const text = runsText([listed({ name: 'a\u001b[31m\nb\u202ec', record: { model: 'm\u0007' } })]);
    expect(text).toContain('a\ufffd[31m\ufffdb\ufffdc');
    for (const control of ['\u001b', '\u0007', '\u202e']) expect(text).not.toContain(control);
    expect(text.split('\n').length).toBe(5);
  });
});

test('options are told in words; what is off, usual or no matter of learning is not', () => {
  const options = {
    momentum: 0.9,
    clipNorm: 1,
    onNan: 'stop',
    augment: ['flip', 'crop'],
    out: 'x',
    init: null,
  };
  const texts = optionTexts(listed({ name: 'a', options }));
  expect(Object.fromEntries(texts)).toEqual({
    ...{ model: '784-32-10', dataset: 'synthetic', optimizer: 'sgd', lr: '0.1', batch: '64', seed: '0' },
    ...{ shuffle: 'yes', momentum: '0.9', 'clip norm': '1', augment: 'flip,crop' },
  });
  const plain = listed({ name: 'b', options: { onNan: 'ignore', nesterov: true } });
  const { same, different } = compareOptions([listed({ name: 'a', options }), plain]);
  expect(same.map(sameText)).toEqual([
    ...['784-32-10', 'synthetic', 'sgd', 'lr 0.1', 'batch 64', 'seed 0', 'shuffle'],
  ]);
  expect(different.toSorted()).toEqual(['augment', 'clip norm', 'momentum', 'nesterov', 'on nan']);
});

test('runs are sorted by what is asked for, and those without it come last', () => {
  const names = (by: (typeof sortings)[number]) =>
    sortRuns([listed({ name: 'b10', accuracies: [0.6] }), ...runs, listed({ name: 'b9' })], by).map(
      ({ name }) => name,
    );
  const [mlp, adam, cold] = runs.map(({ name }) => name);
  expect(names('date')).toEqual([adam, mlp, 'b9', 'b10', cold]);
  expect(names('accuracy')).toEqual([mlp, adam, 'b10', 'b9', cold]);
  expect(names('loss')).toEqual([mlp, adam, 'b10', 'b9', cold]);
  expect(names('name')).toEqual([mlp, 'b9', 'b10', cold, adam]);
});

test('numbers are short whatever their size', () => {
  expect([0, 0.71364, 1234.5, 1e9, 1e-5, -2e-6, Number.NaN, Infinity, undefined].map(shortNumber)).toEqual([
    '0.0000',
    '0.7136',
    '1234.5000',
    '1.00e+9',
    '1.00e-5',
    '-2.00e-6',
    '–',
    '–',
    '–',
  ]);
});
