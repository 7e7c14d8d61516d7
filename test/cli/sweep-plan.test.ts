// The runs that a plan comes to: their options, names, seeds and shares.

import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commandLine } from '../../src/cli/shell-words.ts';
import { shareOf } from '../../src/cli/sweep.ts';
import { gridOf, parseAxes } from '../../src/cli/sweep-axes.ts';
import { difference, runsOf, type SweepPlan, share, sweepName } from '../../src/cli/sweep-plan.ts';

const plan = (
  grid: readonly string[],
  train: readonly string[] = [],
  seeds: readonly number[] = [0],
): SweepPlan => {
  const axes = parseAxes(grid);
  return {
    train: [...train],
    axes: axes.map(({ name }) => name),
    seeds: [...seeds],
    configurations: gridOf(axes),
  };
};

test('runs are configurations by seeds, each a command line of heddle train', () => {
  const runs = runsOf(plan(['lr=1e-2,0.1', 'batch-size=32'], ['--epochs', '3'], [7, 8]));
  expect(runs).toEqual([
    run(1, 0, '1e-2', 0.01, 7),
    run(2, 0, '1e-2', 0.01, 8),
    run(3, 1, '0.1', 0.1, 7),
    run(4, 1, '0.1', 0.1, 8),
  ]);
  function run(number: number, configuration: number, lr: string, value: number, seed: number) {
    return {
      number,
      name: `00${number}-lr=${lr}-batch-size=32-seed=${seed}`,
      configuration,
      seed,
      args: ['--epochs', '3', '--lr', lr, '--batch-size', '32', '--seed', String(seed)],
      options: { lr: value, batchSize: 32 },
    };
  }
});

test('flags are given or not, and off leaves an option out', () => {
  const runs = runsOf(plan(['shuffle=on,off', 'schedule=off;step:size=3,gamma=0.5']));
  expect(runs.map(({ args }) => args.slice(0, -2).join(' '))).toEqual([
    '--shuffle',
    '--shuffle --schedule step:size=3,gamma=0.5',
    '',
    '--schedule step:size=3,gamma=0.5',
  ]);
  expect(runs.map(({ options }) => options)).toEqual([
    { shuffle: true, schedule: null },
    { shuffle: true, schedule: 'step:size=3,gamma=0.5' },
    { shuffle: null, schedule: null },
    { shuffle: null, schedule: 'step:size=3,gamma=0.5' },
  ]);
  expect(runs.map(({ name }) => name)[1]).toBe('002-shuffle=on-schedule=step_size=3,gamma=0.5');
});

test('a run’s name is a folder, whatever the values', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (text) => {
      fc.pre(!/[,;]|^off$/.test(text));
      const [only] = runsOf({ ...plan(['adapter=x']), configurations: [{ adapter: text }] });
      expect(only?.name).toMatch(/^001-adapter=[\w.,=+-]{1,88}$/);
    }),
  );
});

test.each([
  [['lr=1,2'], ['--lr', '1'], '--lr: found after -- and by --grid, expected one of them'],
  [['lrr=1,2'], [], "--grid: found 'lrr', expected an option of heddle train"],
  [['out=a,b'], [], '--grid: found out, expected --out of heddle sweep'],
  [['seed=1,2'], [], '--grid: found seed, expected --seed and --seeds of heddle sweep'],
  [['lr=1,2'], ['--seed', '0'], '--seed: found after --, expected --seed and --seeds of heddle sweep'],
  [['lr=1,2'], ['--json'], '--json: found after --, expected --json of heddle sweep'],
  [['lr=1,2'], ['--resume=auto'], '--resume: found after --, expected none'],
  [['lr=1,2'], ['--epochs'], 'argument missing'],
  [['lr=1,2'], ['--epoch', '1'], "unknown option '--epoch'"],
  [['lr=1,2'], ['more'], 'too many arguments'],
  [['lr=1,2'], ['--epochs', '0'], "--epochs: found '0', expected a whole number of at least 1"],
  [['lr=1,0'], [], "--lr: found '0', expected"],
  [['nesterov=yes'], [], '--grid: found nesterov=yes, expected nesterov=on,off'],
  [['optimizer=sgd,adam'], ['--momentum', '0.9'], '--momentum: found with the optimizer adam'],
  [['clip-norm=off,1'], ['--clip-value', '1'], '--clip-norm and --clip-value exclude each other'],
])('%j -- %j is refused', (grid, train, message) => {
  expect(() => runsOf(plan(grid, train))).toThrow(message);
});

test('a plan may grow at its end, and nothing else', () => {
  const before = plan(['lr=1,2']);
  expect(difference(before, plan(['lr=1,2']))).toBeUndefined();
  expect(difference(before, plan(['lr=1,2,3']))).toBeUndefined();
  expect(difference(before, plan(['lr=1']))).toBe('other configurations');
  expect(difference(before, plan(['lr=2,1']))).toBe('other configurations');
  expect(difference(before, plan(['hidden=1,2']))).toBe('other axes');
  expect(difference(before, plan(['lr=1,2'], ['--shuffle']))).toBe('other options after --');
  expect(difference(before, plan(['lr=1,2'], [], [0, 1]))).toBe('other seeds');
  expect(sweepName(before)).toBe(sweepName(plan(['lr=1,2'])));
  expect(sweepName(before)).not.toBe(sweepName(plan(['lr=1,2,3'])));
});

test('shares are disjoint and together all', () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), fc.integer({ min: 1, max: 9 }), (runs, of) => {
      const shares = Array.from({ length: of }, (_, index) => share(runs, index, of));
      expect(shares.flat().toSorted()).toEqual(runs.toSorted());
      const sizes = shares.map(({ length }) => length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }),
  );
});

test('the share is told, or found in the environment', () => {
  expect(shareOf({}, {})).toBeUndefined();
  expect(shareOf({ index: 1, of: 2 }, {})).toEqual({ index: 1, of: 2 });
  expect(shareOf({ index: 1, of: 2 }, { SLURM_ARRAY_TASK_ID: '0' })).toEqual({ index: 1, of: 2 });
  expect(shareOf({ index: 'auto', of: 4 }, { SLURM_ARRAY_TASK_ID: '3' })).toEqual({ index: 3, of: 4 });
  expect(shareOf({ index: 'auto', of: 4 }, { JOB_COMPLETION_INDEX: '0' })).toEqual({ index: 0, of: 4 });
  for (const [options, env, message] of [
    [{ index: 2, of: 2 }, {}, 'expected a number from 0 to 1, below --of'],
    [{ index: 'auto', of: 2 }, {}, "found auto with '' in the environment"],
    [{ index: 'auto', of: 2 }, { JOB_COMPLETION_INDEX: 'x' }, "found auto with 'x' in the environment"],
    [{ index: 'auto', of: 2 }, { SLURM_ARRAY_TASK_ID: '2' }, '--index: found 2'],
    [{ index: 0 }, {}, 'found one of them, expected both'],
    [{ of: 2 }, {}, 'found one of them, expected both'],
  ] as const)
    expect(() => shareOf(options, env)).toThrow(message);
});

test('a command line says to a shell what it was made of', () => {
  const words = ['plain', 'a b', "it's", '$HOME', '*', '', 'a;b', '"', '\\', 'é', "'"];
  const line = commandLine(['printf', '%s\\n', ...words]);
  expect(execFileSync('sh', ['-c', line], { encoding: 'utf8' })).toBe(
    words.map((word) => `${word}\n`).join(''),
  );
});
