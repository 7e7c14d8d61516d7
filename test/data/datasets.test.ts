// The data sets that come with Heddle, and data sets of the caller's arrays.

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { datasets } from '../../src/data/datasets.ts';
import { FASHION_MNIST_CLASSES } from '../../src/data/fashion-mnist.ts';
import { type ArraysOptions, fromArrays, take } from '../../src/data/from-arrays.ts';
import { defaultGenerator } from '../../src/random/generator.ts';

const sha256 = (bytes: Uint8Array | Float32Array) => createHash('sha256').update(bytes).digest('hex');

describe('datasets.fashionMnist', () => {
  it('has 60,000 training images, the first an ankle boot', async () => {
    const train = await datasets.fashionMnist('train');
    expect(train).toMatchObject({
      name: 'fashion-mnist/train',
      length: 60_000,
      inputShape: [1, 28, 28],
      synthetic: false,
    });
    expect(train.inputs.length).toBe(60_000 * 784);
    expect(train.inputs).toBeInstanceOf(Uint8Array);
    expect(train.classes).toBe(FASHION_MNIST_CLASSES);
    expect(train.classes[train.targets[0]!]).toBe('Ankle boot');
    const counts = new Array<number>(10).fill(0);
    for (const target of train.targets) counts[target]!++;
    expect(counts).toEqual(new Array(10).fill(6000));
  });

  it('has 10,000 test images, of which it gives as many as asked for', async () => {
    const test = await datasets.fashionMnist('test');
    expect(test.length).toBe(10_000);
    const some = await datasets.fashionMnist('test', { limit: 100 });
    expect([some.length, some.inputs.length, some.targets.length]).toEqual([100, 78_400, 100]);
    expect(sha256(some.inputs)).toBe(sha256(test.inputs.subarray(0, 78_400)));
  });

  it('refuses what makes no sense', async () => {
    await expect(datasets.fashionMnist('valid' as 'test')).rejects.toThrow(
      /expected the split train or test, got valid/,
    );
    for (const limit of [0, -3, 1.5, Number.NaN]) {
      await expect(datasets.fashionMnist('test', { limit })).rejects.toThrow(
        /limit: expected a positive integer/,
      );
    }
    const nowhere = datasets.fashionMnist('test', { data: '/nonexistent/folder' });
    await expect(nowhere).rejects.toMatchObject({
      code: 'data',
      message: expect.stringContaining('/nonexistent/folder'),
    });
  });
});

describe('datasets.synthetic', () => {
  it('says what it is, and is the same on every machine', async () => {
    const [train, test] = [await datasets.synthetic('train'), await datasets.synthetic('test')];
    expect(train).toMatchObject({
      name: 'synthetic/train',
      length: 6000,
      inputShape: [1, 28, 28],
      synthetic: true,
    });
    expect([test.length, test.synthetic, test.classes.length]).toEqual([1000, true, 10]);
    expect(sha256(train.inputs)).toBe('74ca9ab28bbe3cf81e82daecf7524129415640732a12acbffdaf83259df5487b');
    expect(sha256(test.inputs)).toBe('21970fabfeb5e3f7edcb2faf118821b57af720bbdfb7569937a6aa9fe4203e2b');
    expect(new Set(test.targets)).toEqual(new Set(Array.from({ length: 10 }, (_, i) => i)));
  });

  it('leaves the default generator alone, and a limit gives the first rows', async () => {
    const before = defaultGenerator.state();
    const some = await datasets.synthetic('train', { limit: 50 });
    expect(defaultGenerator.state()).toEqual(before);
    const more = await datasets.synthetic('train', { limit: 80 });
    expect([...some.inputs]).toEqual([...more.inputs.subarray(0, some.inputs.length)]);
    expect((await datasets.synthetic('train', { limit: 50, seed: 1 })).inputs).not.toEqual(some.inputs);
  });

  it('can be told apart: the nearest class mean is right for most test rows', async () => {
    const train = await datasets.synthetic('train', { limit: 2000 });
    const test = await datasets.synthetic('test', { limit: 200 });
    const means = Array.from({ length: 10 }, () => new Float64Array(784));
    const counts = new Float64Array(10);
    for (let row = 0; row < train.length; row++) {
      const mean = means[train.targets[row]!]!;
      counts[train.targets[row]!]!++;
      for (let i = 0; i < 784; i++) mean[i]! += train.inputs[row * 784 + i]!;
    }
    let right = 0;
    for (let row = 0; row < test.length; row++) {
      const distances = means.map((mean, target) =>
        mean.reduce((sum, value, i) => sum + (value / counts[target]! - test.inputs[row * 784 + i]!) ** 2, 0),
      );
      if (distances.indexOf(Math.min(...distances)) === test.targets[row]) right++;
    }
    expect(right / test.length).toBeGreaterThan(0.9);
  });

  it('refuses what makes no sense', async () => {
    await expect(datasets.synthetic('toString' as 'test')).rejects.toThrow(/expected the split/);
    await expect(datasets.synthetic('test', { limit: 0 })).rejects.toThrow(
      /limit: expected a positive integer/,
    );
    await expect(datasets.synthetic('test', { seed: 0.5 })).rejects.toThrow(/seed: expected an integer/);
  });
});

describe('fromArrays', () => {
  const good: ArraysOptions = { inputs: new Float32Array(6), targets: [0, 2, 1], inputShape: [2] };

  it('takes the caller’s arrays without copying them', () => {
    const targets = Int32Array.of(0, 2, 1);
    const dataset = fromArrays({ ...good, targets });
    expect(dataset).toMatchObject({
      name: 'arrays',
      length: 3,
      inputShape: [2],
      classes: ['0', '1', '2'],
      synthetic: false,
    });
    expect(dataset.inputs).toBe(good.inputs);
    expect(dataset.targets).toBe(targets);
    expect(fromArrays({ ...good, classes: ['a', 'b', 'c', 'd'] }).classes).toHaveLength(4);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    ['too few inputs', { inputs: new Float32Array(5) }, /expected 3 targets x \[2\] = 6 input values, got 5/],
    ['too many targets', { targets: [0, 1, 2, 0] }, /expected 4 targets x \[2\] = 8/],
    ['no rows', { inputs: new Uint8Array(), targets: [] }, /it has no rows/],
    [
      'a target beyond the classes',
      { classes: ['a', 'b'] },
      /row 1 has target 2, expected a class index of 0 to 1/,
    ],
    ['a negative target', { targets: Int32Array.of(0, -1, 1) }, /row 1 has target -1/],
    ['a fractional target', { targets: [0, 1.5, 1] }, /row 1 has target 1.5/],
    ['float targets', { targets: new Float32Array(3) }, /expected targets as/],
    ['plain inputs', { inputs: [1, 2, 3, 4, 5, 6] }, /expected inputs as/],
    ['an empty shape', { inputShape: [] }, /expected inputShape/],
    ['a zero in the shape', { inputShape: [2, 0] }, /positive integers.*got \[2, 0\]/],
    ['no shape', { inputShape: undefined }, /expected inputShape/],
  ])('refuses %s', (_, change, message) => {
    const options = { ...good, ...change } as ArraysOptions;
    expect(() => fromArrays(options)).toThrow(message);
    expect(() => fromArrays(options)).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it('take gives the first rows as views', () => {
    const dataset = fromArrays(good);
    const two = take(dataset, 2);
    expect([two.length, two.inputs.length, two.targets.length]).toEqual([2, 4, 2]);
    expect(two.inputs.buffer).toBe(dataset.inputs.buffer);
    expect(take(dataset, 3)).toBe(dataset);
    expect(take(dataset, 99)).toBe(dataset);
    expect(() => take(dataset, 0)).toThrow(/limit: expected a positive integer of rows, got 0/);
  });
});
