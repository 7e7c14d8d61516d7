// Normalisation as PyTorch computes it (test/fixtures/data.json), and augmentation that follows from seed, epoch and row.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../src/data/dataset.ts';
import { fromArrays } from '../../src/data/from-arrays.ts';
import { dataLoader, type LoaderOptions } from '../../src/data/loader.ts';
import type { RowValues, Transform } from '../../src/data/transform.ts';
import { transforms } from '../../src/data/transforms.ts';
import { defaultGenerator, manualSeed } from '../../src/random/generator.ts';

interface Normalised {
  bytes: { mean: number; std: number; values: number[] }[];
  floats: number[];
}
const { normalised }: { normalised: Normalised } = JSON.parse(
  readFileSync(new URL('../fixtures/data.json', import.meta.url), 'utf8'),
);

const { normalize, randomCrop, randomErasing, randomHorizontalFlip, randomVerticalFlip } = transforms;

/** What a transform makes of one row of its own kind. */
function once(transform: Transform, values: RowValues, shape: readonly number[], seed = 0): number[] {
  const dataset = fromArrays({ inputs: values, inputShape: shape, targets: [0] });
  const loader = dataLoader(dataset, { batchSize: 1, transforms: [transform], seed });
  return [...[...loader.epoch(0)][0]!.inputs];
}

/** Row i consists of pixels i + 1, [1, 3, 4] each. */
function images(length: number) {
  const inputs = Uint8Array.from({ length: 12 * length }, (_, i) => 1 + Math.floor(i / 12));
  return fromArrays({ inputs, inputShape: [1, 3, 4], targets: Array.from({ length }, (_, i) => i % 3) });
}

describe('normalize', () => {
  it.each(normalised.bytes)('of bytes is ToTensor and Normalize, mean $mean, std $std', (row) => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    expect(once(normalize([row.mean], [row.std]), bytes, [1, 16, 16])).toEqual(row.values.map(Math.fround));
  });

  it('of floats takes each channel by its own mean and std', () => {
    const floats = Float32Array.of(0.25, -1.5, 3, 1e-3, 2, -0.75);
    const expected = normalised.floats.map(Math.fround);
    expect(once(normalize([0.2, -0.3], [0.7, 1.3]), floats, [2, 1, 3])).toEqual(expected);
    // Columns of a table are channels of one value.
    expect(once(normalize([0.5, 1], [2, 4]), Float32Array.of(1, 3), [2])).toEqual([0.25, 0.5]);
  });

  it('makes a loader’s rows floats', () => {
    const loader = dataLoader(images(3), { batchSize: 2, transforms: [normalize([0.5], [0.5])] });
    expect(loader.kind).toEqual({ shape: [1, 3, 4], dtype: 'f32' });
    for (const { inputs } of loader.epoch(0)) expect(inputs).toBeInstanceOf(Float32Array);
    expect(dataLoader(images(3), { batchSize: 2 }).kind).toEqual({ shape: [1, 3, 4], dtype: 'u8' });
  });

  it.each<[number[], number[], RegExp]>([
    [[0.5], [0], /^transforms\.normalize: std \[0\]: expected numbers above 0/],
    [[0.5], [1e-60], /expected numbers above 0 that float32 can hold/],
    [[0.5, 0.5], [1], /2 means, 1 stds: expected as many/],
    [[Number.NaN], [1], /mean NaN: expected a list of finite numbers/],
    [[], [], /expected a list of finite numbers/],
  ])('refuses mean %j, std %j', (mean, std, message) => {
    expect(() => normalize(mean, std)).toThrow(message);
  });

  it('refuses other numbers of channels', () => {
    const refused = () => once(normalize([0.5, 0.5], [1, 1]), new Uint8Array(12), [3, 2, 2]);
    expect(refused).toThrow(
      /2 means: expected one for all, or one for each of the 3 channels of rows of \[3, 2, 2\]/,
    );
  });
});

describe('flips', () => {
  const image = Uint8Array.from({ length: 12 }, (_, i) => i); // [2, 2, 3]
  it('mirror every channel', () => {
    expect(once(randomHorizontalFlip({ p: 1 }), image, [2, 2, 3])).toEqual([
      2, 1, 0, 5, 4, 3, 8, 7, 6, 11, 10, 9,
    ]);
    expect(once(randomVerticalFlip({ p: 1 }), image, [2, 2, 3])).toEqual([
      3, 4, 5, 0, 1, 2, 9, 10, 11, 6, 7, 8,
    ]);
    for (const flip of [randomHorizontalFlip({ p: 0 }), randomVerticalFlip({ p: 0 })])
      expect(once(flip, image, [2, 2, 3])).toEqual([...image]);
  });

  it('happen about half of the time, to bytes and floats alike', () => {
    const inputs = Float32Array.from({ length: 2000 }, (_, i) => i % 2);
    const dataset = fromArrays({ inputs, inputShape: [1, 1, 2], targets: new Uint8Array(1000) });
    const loader = dataLoader(dataset, { batchSize: 1000, transforms: [randomHorizontalFlip()], seed: 1 });
    const flipped = [...[...loader.epoch(0)][0]!.inputs].filter((x, i) => i % 2 === 0 && x === 1).length;
    expect(Math.abs(flipped - 500)).toBeLessThan(60); // nearly four standard deviations
  });
});

describe('randomCrop', () => {
  it('takes every part of the padded image, each about as often', () => {
    const image = Uint8Array.from({ length: 18 }, (_, i) => 1 + i); // [2, 3, 3]
    const parts = new Map<string, number>();
    // All 3 x 3 parts of the image with one pixel of 99 around it, by hand.
    const padded = (channel: number, y: number, x: number) =>
      y < 1 || y > 3 || x < 1 || x > 3 ? 99 : 9 * channel + 3 * (y - 1) + x;
    for (let top = 0; top < 3; top++)
      for (let left = 0; left < 3; left++) {
        const part = Array.from({ length: 18 }, (_, i) =>
          padded(Math.floor(i / 9), top + (Math.floor(i / 3) % 3), left + (i % 3)),
        );
        parts.set(String(part), 0);
      }
    for (let seed = 0; seed < 900; seed++) {
      const part = String(once(randomCrop(3, { padding: 1, fill: 99 }), image, [2, 3, 3], seed));
      expect(parts.has(part)).toBe(true);
      parts.set(part, parts.get(part)! + 1);
    }
    for (const times of parts.values()) expect(Math.abs(times - 100)).toBeLessThan(40);
  });

  it('changes the shape of rows, and pads each direction on its own', () => {
    const loader = dataLoader(images(3), {
      batchSize: 3,
      transforms: [randomCrop([1, 6], { padding: [1, 0] })],
    });
    expect(loader.kind).toEqual({ shape: [1, 1, 6], dtype: 'u8' });
    expect([...[...loader.epoch(0)][0]!.inputs]).toEqual([
      ...[0, 1, 1, 1, 1, 0],
      ...[0, 2, 2, 2, 2, 0],
      ...[0, 3, 3, 3, 3, 0],
    ]);
    // More padding than image: parts without a pixel of it are possible, and right.
    for (let seed = 0; seed < 50; seed++) {
      const part = once(randomCrop(2, { padding: 5 }), Uint8Array.of(7), [1, 1, 1], seed);
      expect([0, 7]).toContain(part.reduce((a, b) => a + b));
    }
  });

  it.each<[() => unknown, RegExp]>([
    [
      () => once(randomCrop(5, { padding: [1, 0] }), new Uint8Array(12), [1, 3, 4]),
      /^transforms\.randomCrop: 5 x 5 of rows of \[1, 3, 4\], which are 3 x 6 with their padding: expected a part/,
    ],
    [() => randomCrop(0), /size 0: expected whole numbers of at least 1/],
    [() => randomCrop([3, 1.5]), /size \[3, 1\.5\]/],
    [() => randomCrop(3, { padding: -1 }), /padding -1: expected whole numbers of at least 0/],
    [() => randomCrop(3, { fill: Number.NaN }), /fill NaN/],
    [() => once(randomCrop(1, { fill: 0.5 }), new Uint8Array(1), [1, 1, 1]), /fill 0\.5 for rows of bytes/],
    [
      () => once(randomCrop(1), new Uint8Array(4), [4]),
      /rows of \[4\]: expected images, \[channels, height, width\]/,
    ],
    [() => randomHorizontalFlip({ p: 1.5 }), /p 1\.5: expected a probability of 0 to 1/],
    [() => randomVerticalFlip({ p: Number.NaN }), /p NaN/],
    [
      () => randomErasing({ scale: [0.5, 0.1] }),
      /scale \[0\.5, 0\.1\]: expected two numbers above 0 and at most 1/,
    ],
    [
      () => randomErasing({ ratio: [0, 1] }),
      /ratio \[0, 1\]: expected two numbers above 0, the smaller first/,
    ],
  ])('and the others refuse what makes no sense: %s', (wrong, message) => {
    expect(wrong).toThrow(message);
    expect(wrong).toThrow(expect.objectContaining({ code: 'usage' }));
  });
});

describe('randomErasing', () => {
  it('blots one rectangle out of every channel, of a size within its range', () => {
    const [side, ones] = [20, new Float32Array(800).fill(1)];
    let erased = 0;
    for (let seed = 0; seed < 60; seed++) {
      const result = once(randomErasing({ p: 1, value: -1 }), ones, [2, side, side], seed);
      const [first, second] = [result.slice(0, 400), result.slice(400)];
      expect(second).toEqual(first);
      const gone = first.flatMap((x, i) => (x === -1 ? [[Math.floor(i / side), i % side] as const] : []));
      if (gone.length === 0) continue;
      erased++;
      const extent = (of: readonly number[]) => 1 + Math.max(...of) - Math.min(...of);
      const [tall, wide] = [extent(gone.map(([y]) => y)), extent(gone.map(([, x]) => x))];
      expect(tall * wide).toBe(gone.length);
      // Half a pixel of rounding on each side.
      expect((tall + 0.5) * (wide + 0.5)).toBeGreaterThanOrEqual(0.02 * 400);
      expect((tall - 0.5) * (wide - 0.5)).toBeLessThanOrEqual(0.33 * 400);
    }
    expect(erased).toBeGreaterThan(55);
    expect(once(randomErasing({ p: 0 }), ones, [2, side, side])).toEqual([...ones]);
  });
});

describe('a loader with transforms', () => {
  const augment = [randomCrop([3, 4], { padding: 2 }), randomHorizontalFlip(), randomErasing()];
  /** Each row's pixels by its number, whatever the order. */
  const byRow = (batches: Iterable<Batch>, size = 12) => {
    const rows = new Map<number, string>();
    for (const { inputs, rows: count } of batches)
      for (let i = 0; i < count; i++) {
        const pixels = inputs.subarray(i * size, (i + 1) * size);
        rows.set(Math.max(...pixels), String(pixels));
      }
    return rows;
  };
  const loaderOf = (options: Partial<LoaderOptions> = {}) =>
    dataLoader(images(60), { batchSize: 8, transforms: augment, seed: 5, ...options });

  it('does the same to a row in the same epoch, whatever was iterated before, in whatever order', () => {
    manualSeed(1);
    const [ordered, shuffled] = [loaderOf(), loaderOf({ shuffle: true, batchSize: 7 })];
    const second = byRow(ordered.epoch(1));
    expect(byRow(shuffled.epoch(1))).toEqual(second);
    expect(byRow(shuffled.epoch(0))).toEqual(byRow(ordered.epoch(0)));
    expect(byRow(ordered.epoch(1))).toEqual(second);
    expect(byRow(ordered.epoch(0))).not.toEqual(second);
    expect(byRow(loaderOf({ seed: 6 }).epoch(1))).not.toEqual(second);
  });

  it('keeps targets with their rows, and leaves the data set and other loaders alone', () => {
    const dataset = images(10);
    const before = [...dataset.inputs];
    const loader = dataLoader(dataset, { batchSize: 4, shuffle: true, transforms: [randomHorizontalFlip()] });
    for (const { inputs, targets, rows } of loader.epoch(0))
      for (let i = 0; i < rows; i++) expect(targets[i]).toBe((inputs[12 * i]! - 1) % 3);
    expect([...dataset.inputs]).toEqual(before);
    const plain = dataLoader(dataset, { batchSize: 4 });
    expect([...plain.epoch(0)].flatMap(({ inputs }) => [...inputs])).toEqual(before);
  });

  it('draws nothing from PyTorch’s generators, so that the order of rows stays', () => {
    const orders = [[], augment].map((some) => {
      manualSeed(3);
      const loader = loaderOf({ shuffle: true, transforms: some, seed: undefined });
      const targets = [...loader.epoch(0)].flatMap((batch) => [...batch.targets]);
      return [targets, defaultGenerator.random32()];
    });
    expect(orders[1]).toEqual(orders[0]);
  });

  it('takes the default generator’s seed unless it is given one', () => {
    manualSeed(9);
    const unsaid = byRow(loaderOf({ seed: undefined }).epoch(2));
    expect(unsaid).toEqual(byRow(loaderOf({ seed: 9 }).epoch(2)));
  });

  it('takes transforms of the caller’s own', () => {
    const invert: Transform = {
      name: 'invert',
      bind: (rows) => ({ rows, apply: (from, to) => to.set(from.map((x) => 255 - x)) }),
    };
    expect(once(invert, Uint8Array.of(0, 1, 255), [3])).toEqual([255, 254, 0]);
  });

  it.each([-1, 0.5, 2 ** 32, Number.NaN])('refuses seed %s', (seed) => {
    expect(() => loaderOf({ seed })).toThrow(/^seed: expected a whole number below 2\^32, got/);
  });
});
