// Parts of data sets. Random splits are compared with real PyTorch's (test/fixtures/data.json, scripts/torch_fixtures/data.py).

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { classWeights } from '../../src/data/class-weights.ts';
import type { ClassDataset, Dataset } from '../../src/data/dataset.ts';
import { fromArrays } from '../../src/data/from-arrays.ts';
import { dataLoader } from '../../src/data/loader.ts';
import { randomSplit, subset } from '../../src/data/split.ts';
import { createGenerator, defaultGenerator, manualSeed } from '../../src/random/generator.ts';
import { linearInit } from '../../src/random/init.ts';

interface Split {
  n: number;
  lengths: number[];
  seed: number;
  ownGenerator: number | null;
  parts: number[][];
  next31: number;
}
interface Script {
  seed: number;
  n: number;
  epochs: number[][][];
  validation: number[][];
}
const { splits, splitThenShuffle }: { splits: Split[]; splitThenShuffle: Script } = JSON.parse(
  readFileSync(new URL('../fixtures/data.json', import.meta.url), 'utf8'),
);

/** Row i has the inputs [i, 2i] and the target i mod 5. */
function numbered(length: number) {
  const inputs = Uint8Array.from({ length: 2 * length }, (_, i) => (i >> 1) * (1 + (i % 2)));
  return fromArrays({ inputs, targets: Array.from({ length }, (_, i) => i % 5), inputShape: [2] });
}
const rowsOf = ({ inputs }: Pick<Dataset, 'inputs'>) => [...inputs].filter((_, i) => i % 2 === 0);

describe('subset', () => {
  it('has the chosen rows, in that order, with their targets', () => {
    const part = subset(numbered(10), [7, 2, 2, 9]);
    expect(part).toMatchObject({ name: 'arrays (4 of 10 rows)', length: 4, inputShape: [2] });
    expect([...part.inputs]).toEqual([7, 14, 2, 4, 2, 4, 9, 18]);
    expect([...part.targets]).toEqual([2, 2, 2, 4]);
    expect(part.classes).toEqual(['0', '1', '2', '3', '4']);
    expect(rowsOf(subset(part, [3, 0]))).toEqual([9, 7]);
  });

  it('is a view of rows that lie side by side, else a copy', () => {
    const dataset = numbered(10);
    const beside = subset(dataset, Int32Array.of(3, 4, 5));
    expect(rowsOf(beside)).toEqual([3, 4, 5]);
    expect([...beside.targets]).toEqual([3, 4, 0]);
    expect(beside.inputs.buffer).toBe(dataset.inputs.buffer);
    expect(beside.targets.buffer).toBe(dataset.targets.buffer);
    expect(subset(dataset, [3, 5, 4]).inputs.buffer).not.toBe(dataset.inputs.buffer);
  });

  it('keeps real-valued targets whole', () => {
    const inputs = Float32Array.of(0, 1, 2);
    const targets = Float32Array.of(0, 0, 1, -1, 2, -2);
    const part = subset(fromArrays({ inputs, inputShape: [1], targets, targetShape: [2] }), [2, 0]);
    expect([...part.targets]).toEqual([2, -2, 0, 0]);
    expect(part.targetShape).toEqual([2]);
  });

  it.each<[number[], RegExp]>([
    [[], /^subset of arrays: no rows were chosen\.$/],
    [[0, 10], /^subset of arrays: index 1 is 10, expected a row of 0 to 9\.$/],
    [[-1], /index 0 is -1/],
    [[0, 0.5], /index 1 is 0.5/],
    [[Number.NaN], /index 0 is NaN/],
  ])('refuses %j', (indices, message) => {
    expect(() => subset(numbered(10), indices)).toThrow(message);
    expect(() => subset(numbered(10), indices)).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});

describe('randomSplit', () => {
  it.each(splits)('of $n rows into $lengths is PyTorch’s, own generator $ownGenerator', (row) => {
    manualSeed(row.seed);
    const own = row.ownGenerator === null ? undefined : createGenerator(row.ownGenerator);
    const parts = randomSplit(numbered(row.n), row.lengths, { generator: own });
    expect(parts.map(rowsOf)).toEqual(row.parts);
    expect((own ?? defaultGenerator).random32() & 0x7fffffff).toBe(row.next31);
    if (row.ownGenerator !== null) {
      const seeded = randomSplit(numbered(row.n), row.lengths, { seed: row.ownGenerator });
      expect(seeded.map(rowsOf)).toEqual(row.parts);
    }
  });

  it('and a shuffled loader over a part follow PyTorch through a whole script', () => {
    const { seed, n, epochs, validation: expected } = splitThenShuffle;
    const generator = manualSeed(seed);
    const [train, validation] = randomSplit(numbered(n), [0.8, 0.2]);
    linearInit(generator, 5, 4);
    const loader = dataLoader(train, { batchSize: 7, shuffle: true, dropLast: true });
    for (const [epoch, order] of epochs.entries()) {
      expect(Array.from(loader.epoch(epoch), rowsOf)).toEqual(order);
      for (const _ of dataLoader(validation, { batchSize: 4 }).epoch(0));
    }
    expect(Array.from(dataLoader(validation, { batchSize: 4 }).epoch(0), rowsOf)).toEqual(expected);
  });

  it('gives as many parts as were asked for, also to the compiler', () => {
    const [train, validation] = randomSplit(numbered(10), [0.75, 0.25], { seed: 1 });
    const both: readonly ClassDataset[] = [train, validation];
    expect(both.map(({ length }) => length)).toEqual([8, 2]);
  });

  it.each<[readonly number[], RegExp]>([
    [
      [6, 5],
      /^randomSplit of arrays into \[6, 5\]: they add up to 11, expected numbers of rows that add up to 10/,
    ],
    [[0.5, 0.4], /they add up to 0\.9/],
    [[7, 4, -1], /a part is no number from 0/],
    [[2.5, 7.5], /a number of rows is not whole/],
    [[Number.NaN, 1], /a part is no number from 0/],
    [[10, 0], /part 1 has no rows/],
    [[0.99, 0.01, 0], /part 1 has no rows/],
    [[], /no parts/],
  ])('refuses %j and draws nothing', (parts, message) => {
    const before = defaultGenerator.state();
    expect(() => randomSplit(numbered(10), parts)).toThrow(message);
    expect(() => randomSplit(numbered(10), parts)).toThrow(expect.objectContaining({ code: 'usage' }));
    expect(defaultGenerator.state()).toEqual(before);
  });

  it('refuses a generator and a seed at once', () => {
    const both = { seed: 1, generator: createGenerator(1) };
    // @ts-expect-error one of them
    expect(() => randomSplit(numbered(10), [5, 5], both)).toThrow(/generator and seed exclude each other/);
  });
});

describe('classWeights', () => {
  const dataset = (targets: number[], classes = ['a', 'b', 'c']) =>
    fromArrays({
      inputs: new Uint8Array(targets.length),
      inputShape: [1],
      targets,
      classes,
      ignoreIndex: -100,
    });

  it('balances: rows / (classes · rows of the class)', () => {
    expect([...classWeights(dataset([0, 0, 0, 1, 2, 2, 0, 0]))]).toEqual(
      [8 / 15, 8 / 3, 8 / 6].map(Math.fround),
    );
    expect([...classWeights(numbered(20))]).toEqual([1, 1, 1, 1, 1]);
    expect([...classWeights(dataset([0, 1, -100, 2, -100]))]).toEqual([1, 1, 1]);
  });

  it('refuses a class without rows, and targets that are no classes', () => {
    expect(() => classWeights(dataset([0, 2]))).toThrow(/^classWeights of arrays: class 1 \(b\) has no rows/);
    const values = fromArrays({
      inputs: new Uint8Array(2),
      inputShape: [1],
      targets: new Float32Array(2),
      targetShape: [1],
    });
    // @ts-expect-error real values have no classes
    expect(() => classWeights(values)).toThrow(/its targets are real values/);
  });
});
