// What an axis of a sweep means, what is refused, and what is drawn from it.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { drawFrom, gridOf, parseAxes, parseAxis } from '../../src/cli/sweep-axes.ts';
import { decimal } from '../../src/cli/values.ts';

const between = { log: false, whole: false };
test.each([
  ['lr=1e-3,1e-2', ['1e-3', '1e-2']],
  ['lr=1', ['1']],
  ['hidden=128;512,512', ['128', '512,512']],
  ['hidden=512,512;', ['512,512']],
  ['schedule=off;step:size=3,gamma=0.1', ['off', 'step:size=3,gamma=0.1']],
  ['dataset=../a,../b', ['../a', '../b']],
  ['batch-size=16,32', ['16', '32']],
  ['momentum=0..0.95', { ...between, from: 0, to: 0.95 }],
  ['lr=log:1e-4..1E-1', { from: 1e-4, to: 0.1, log: true, whole: false }],
  ['hidden=int:64..512', { from: 64, to: 512, log: false, whole: true }],
  ['hidden=log:int:8..1024', { from: 8, to: 1024, log: true, whole: true }],
  ['lr=.5..2.', { ...between, from: 0.5, to: 2 }],
])('%s', (text, values) => {
  expect(parseAxis(text)).toEqual({ name: text.split('=')[0], values });
});

test.each([
  ['lr', 'NAME=VALUES'],
  ['lr=', 'NAME=VALUES'],
  ['=1', 'NAME=VALUES'],
  ['--lr=1', 'NAME=VALUES'],
  ['lr=1,,2', 'no empty value'],
  ['hidden=1;;2', 'no empty value'],
  ['lr=1,2,1', "'1' only once"],
  ['lr=2..1', 'a range from a lower to a higher number'],
  ['lr=1..1', 'a range from a lower to a higher number'],
  ['lr=1..1e999', 'a range from a lower to a higher number'],
  ['lr=log:0..1', 'a logarithmic range from above 0'],
  ['hidden=int:1.5..3', 'whole numbers at both ends of int:'],
])('%s is refused', (text, expected) => {
  expect(() => parseAxis(text)).toThrow(
    expect.objectContaining({
      code: 'usage',
      message: expect.stringContaining(`found '${text}', expected ${expected}`),
    }),
  );
});

test('an axis has one value of each of its names', () => {
  expect(() => parseAxes(['lr=1', 'lr=2'])).toThrow('--grid: found lr twice');
});

describe('the grid', () => {
  test('has every combination, the last axis fastest', () => {
    expect(gridOf(parseAxes(['lr=1,2', 'hidden=3;4,5', 'nesterov=on']))).toEqual([
      { lr: '1', hidden: '3', nesterov: 'on' },
      { lr: '1', hidden: '4,5', nesterov: 'on' },
      { lr: '2', hidden: '3', nesterov: 'on' },
      { lr: '2', hidden: '4,5', nesterov: 'on' },
    ]);
    expect(gridOf([])).toEqual([{}]);
  });

  test('takes no ranges, and not any number of values', () => {
    expect(() => gridOf(parseAxes(['lr=1..2']))).toThrow('ranges are drawn from with --random N');
    const many = ['a', 'b', 'c'].map(
      (name) => `${name}=${Array.from({ length: 30 }, (_, i) => i).join(',')}`,
    );
    expect(() => gridOf(parseAxes(many))).toThrow('more than 10000 configurations');
  });
});

describe('drawing', () => {
  test('finds what the same seed found before', () => {
    // The generator is PyTorch's, so these stay as they are.
    const axes = parseAxes(['lr=log:1e-4..1e-1', 'hidden=int:64..512', 'momentum=0..0.95', 'model=mlp,cnn']);
    expect(drawFrom(axes, 2, 0)).toMatchInlineSnapshot(`
      [
        {
          "hidden": "330",
          "lr": "0.00443",
          "model": "cnn",
          "momentum": "0.6794",
        },
        {
          "hidden": "449",
          "lr": "0.006431",
          "model": "cnn",
          "momentum": "0.5176",
        },
      ]
    `);
    expect(drawFrom(axes, 2, 1)).not.toEqual(drawFrom(axes, 2, 0));
  });

  test('begins alike whatever the count, and repeats nothing', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.nat(), (count, seed) => {
        const axes = parseAxes(['a=1,2,3', 'b=1,2', 'c=x,y']);
        const drawn = drawFrom(axes, count, seed);
        expect(new Set(drawn.map((one) => JSON.stringify(one))).size).toBe(count);
        expect(drawFrom(axes, 12, seed).slice(0, count)).toEqual(drawn);
      }),
    );
    expect(() => drawFrom(parseAxes(['a=1,2,3', 'b=1,2']), 7, 0)).toThrow('found 7, expected at most 6');
    const narrow = parseAxes(['a=1..1.002']);
    expect(() => drawFrom(narrow, 4, 0)).toThrow('found 4, expected at most 3'); // 1, 1.001, 1.002
  });

  test('stays within a range, in numbers that options take', () => {
    const end = fc.double({ min: 1e-12, max: 1e12, noNaN: true });
    fc.assert(
      fc.property(end, end, fc.boolean(), fc.nat(), (a, b, log, seed) => {
        fc.pre(a !== b);
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        for (const { x = '' } of drawFrom(
          [{ name: 'x', values: { from, to, log, whole: false } }],
          1,
          seed,
        )) {
          expect(x).toMatch(decimal);
          expect(Number(x)).toBeGreaterThanOrEqual(from);
          expect(Number(x)).toBeLessThanOrEqual(to);
        }
      }),
    );
  });

  test.each(['int:1..6', 'log:int:1..6'])('%s: each whole number, both ends too', (values) => {
    const drawn = drawFrom(parseAxes([`x=${values}`]), 6, 3).map(({ x }) => x);
    expect(drawn.toSorted()).toEqual(['1', '2', '3', '4', '5', '6']);
  });
});
