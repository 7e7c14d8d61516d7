// Batches and their order; orders are compared with real PyTorch's (test/fixtures/order.json, scripts/torch-fixtures.py).

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../src/data/dataset.ts';
import { fromArrays } from '../../src/data/from-arrays.ts';
import { dataLoader, type LoaderOptions } from '../../src/data/loader.ts';
import { createGenerator, defaultGenerator, manualSeed } from '../../src/random/generator.ts';
import { linearInit } from '../../src/random/init.ts';

interface Case {
  seed: number;
  n: number;
  batchSize: number;
  dropLast: boolean;
  ownGenerator: number | null;
  epochs: number[][][];
  nextDefault: string;
  nextOwn: string | null;
}
interface Orders {
  loaders: {
    cases: Case[];
    tutorial: {
      seed: number;
      n: number;
      testN: number;
      batchSize: number;
      epochs: { first: number[]; int32: string }[];
    };
  };
}

const { loaders }: Orders = JSON.parse(
  readFileSync(new URL('../fixtures/order.json', import.meta.url), 'utf8'),
);

/** Row i has the inputs [i, 2i] and the target i mod 5. */
function numbered(length: number) {
  const inputs = Float32Array.from({ length: 2 * length }, (_, i) => (i >> 1) * (1 + (i % 2)));
  return fromArrays({ inputs, targets: Array.from({ length }, (_, i) => i % 5), inputShape: [2] });
}
const rowsOf = ({ inputs }: Batch) => [...inputs].filter((_, i) => i % 2 === 0);
const MASK63 = 2n ** 63n - 1n;

describe('dataLoader in file order', () => {
  it('gives views, and a last batch of what is left', () => {
    const dataset = numbered(10);
    const loader = dataLoader(dataset, { batchSize: 4 });
    expect(loader).toMatchObject({ batchSize: 4, batches: 3, rows: 10, shuffle: false, dropLast: false });
    const batches = [...loader.epoch(0)];
    expect(batches.map((batch) => [batch.index, batch.rows])).toEqual([
      [0, 4],
      [1, 4],
      [2, 2],
    ]);
    expect(batches.map(rowsOf)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    for (const batch of batches) {
      expect(batch.inputs.buffer).toBe(dataset.inputs.buffer);
      expect(batch.targets.buffer).toBe(dataset.targets.buffer);
    }
    expect([...batches[2]!.targets]).toEqual([3, 4]);
  });

  it.each([
    [60000, 64, 938, 32],
    [10000, 64, 157, 16],
    [128, 64, 2, 64],
    [3, 64, 1, 3],
  ])('%i rows by %i are %i batches, the last of %i rows', (length, batchSize, batches, last) => {
    const loader = dataLoader(numbered(length), { batchSize });
    const sizes = Array.from(loader.epoch(0), ({ rows }) => rows);
    expect(loader.batches).toBe(batches);
    expect(sizes).toHaveLength(batches);
    expect(sizes.at(-1)).toBe(last);
    expect(sizes.slice(0, -1).every((rows) => rows === batchSize)).toBe(true);
  });

  it('leaves out a partial batch when asked to', () => {
    const loader = dataLoader(numbered(10), { batchSize: 4, dropLast: true });
    expect([loader.batches, loader.rows]).toEqual([2, 8]);
    expect(Array.from(loader.epoch(0), rowsOf)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
    ]);
  });
});

describe('dataLoader, shuffled', () => {
  it.each(loaders.cases)(
    'orders $n rows as PyTorch does: batches of $batchSize, dropLast $dropLast, own generator $ownGenerator',
    (row) => {
      const own = row.ownGenerator === null ? undefined : createGenerator(row.ownGenerator);
      linearInit(manualSeed(row.seed), 5, 4);
      const { batchSize, dropLast } = row;
      const train = dataLoader(numbered(row.n), { batchSize, dropLast, shuffle: true, generator: own });
      const test = dataLoader(numbered(7), { batchSize: 3 });
      for (const [n, expected] of row.epochs.entries()) {
        expect(Array.from(train.epoch(n), rowsOf)).toEqual(expected);
        for (const _ of test.epoch(n));
      }
      expect(String(defaultGenerator.random64() & MASK63)).toBe(row.nextDefault);
      if (own) expect(String(own.random64() & MASK63)).toBe(row.nextOwn);
    },
  );

  it('follows PyTorch through two epochs of the tutorial’s set-up', () => {
    const { seed, n, testN, batchSize, epochs } = loaders.tutorial;
    const generator = manualSeed(seed);
    linearInit(generator, 784, 512);
    linearInit(generator, 512, 512);
    linearInit(generator, 512, 10);
    const train = dataLoader(numbered(n), { batchSize, shuffle: true });
    const test = dataLoader(numbered(testN), { batchSize });
    for (const [epoch, expected] of epochs.entries()) {
      const order = Int32Array.from(Array.from(train.epoch(epoch), rowsOf).flat());
      expect([...order.subarray(0, 5)]).toEqual(expected.first);
      expect(createHash('sha256').update(order).digest('hex')).toBe(expected.int32);
      for (const _ of test.epoch(epoch));
    }
  });

  it('replays an epoch without drawing again, in whatever order epochs are asked for', () => {
    for (const generator of [undefined, createGenerator(8)]) {
      manualSeed(4);
      const loader = dataLoader(numbered(50), { batchSize: 8, shuffle: true, generator });
      const second = Array.from(loader.epoch(1), rowsOf);
      const first = loader.epoch(0);
      const order = Array.from(first, rowsOf);
      const before = [defaultGenerator.state(), generator?.state()];
      expect(Array.from(first, rowsOf)).toEqual(order);
      expect(Array.from(loader.epoch(0), rowsOf)).toEqual(order);
      expect(Array.from(loader.epoch(1), rowsOf)).toEqual(second);
      expect(order).not.toEqual(second);
      expect([defaultGenerator.state(), generator?.state()]).toEqual(before);
    }
  });

  it('keeps rows whole, once each, whatever the sizes and array kinds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 1, max: 40 }), (length, batchSize) => {
        const targets = Uint8Array.from({ length }, (_, i) => i % 7);
        const inputs = Uint8Array.from({ length: 3 * length }, (_, i) => Math.floor(i / 3));
        const dataset = fromArrays({ inputs, targets, inputShape: [3, 1], classes: [...'abcdefg'] });
        const seen = new Set<number>();
        for (const batch of dataLoader(dataset, { batchSize, shuffle: true }).epoch(0)) {
          expect(batch.inputs).toBeInstanceOf(Uint8Array);
          expect(batch.inputs.length).toBe(3 * batch.rows);
          for (let i = 0; i < batch.rows; i++) {
            const row = batch.inputs[3 * i]!;
            expect([batch.inputs[3 * i + 1], batch.inputs[3 * i + 2], batch.targets[i]]).toEqual([
              row,
              row,
              row % 7,
            ]);
            seen.add(row);
          }
        }
        expect(seen.size).toBe(length);
      }),
      { numRuns: 40, seed: 1 },
    );
  });
});

describe('dataLoader with real-valued targets', () => {
  /** Row i has the input [i] and the targets [[i], [-i]]. */
  const valued = (length: number) =>
    fromArrays({
      inputs: Float32Array.from({ length }, (_, i) => i),
      inputShape: [1],
      targets: Float32Array.from({ length: 2 * length }, (_, i) => (i >> 1) * (i % 2 ? -1 : 1)),
      targetShape: [2, 1],
    });

  it.each([false, true])('keeps them with their rows, shuffle %s', (shuffle) => {
    const dataset = valued(11);
    const seen: number[] = [];
    for (const batch of dataLoader(dataset, { batchSize: 4, shuffle }).epoch(0)) {
      if (batch.targetShape === undefined) throw new Error('expected real values');
      expect(batch.targetShape).toEqual([2, 1]);
      expect(batch.targets).toBeInstanceOf(Float32Array);
      expect([...batch.targets]).toEqual([...batch.inputs].flatMap((x) => [x, -x]));
      expect(batch.targets.buffer === dataset.targets.buffer).toBe(!shuffle);
      seen.push(...batch.inputs);
    }
    expect(seen.sort((a, b) => a - b)).toEqual([...dataset.inputs]);
  });
});

describe('dataLoader refuses', () => {
  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '64', undefined])(
    'batchSize %s',
    (batchSize) => {
      expect(() => dataLoader(numbered(10), { batchSize } as LoaderOptions)).toThrow(
        /batchSize: expected a positive integer/,
      );
    },
  );

  it('a set of which dropLast leaves nothing', () => {
    expect(() => dataLoader(numbered(10), { batchSize: 11, dropLast: true })).toThrow(
      /dropLast leaves nothing of arrays: 10 rows/,
    );
  });

  it.each([-1, 0.5, Number.NaN])('epoch %s, before drawing', (n) => {
    const loader = dataLoader(numbered(10), { batchSize: 4, shuffle: true });
    const before = defaultGenerator.state();
    expect(() => loader.epoch(n)).toThrow(/epoch: expected an integer from 0/);
    expect(defaultGenerator.state()).toEqual(before);
  });
});
