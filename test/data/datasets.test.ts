// The data sets that come with Heddle, and data sets of the caller's arrays.

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { datasets } from '../../src/data/datasets.ts';
import { FASHION_MNIST_CLASSES } from '../../src/data/fashion-mnist.ts';
import { type ClassArraysOptions, fromArrays, take } from '../../src/data/from-arrays.ts';
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
  const good: ClassArraysOptions = { inputs: new Float32Array(6), targets: [0, 2, 1], inputShape: [2] };

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
    ['float targets without a shape', { targets: new Float32Array(3) }, /real values and need a targetShape/],
    ['targets of another kind', { targets: new Float64Array(3) }, /expected targets as/],
    ['class indices with a shape', { targetShape: [1] }, /expected targets as Float32Array/],
    ['a shape of no size', { targets: new Float32Array(3), targetShape: [] }, /expected targetShape/],
    [
      'target values that are no rows',
      { targets: new Float32Array(3), targetShape: [2] },
      /3 target values are no whole number of rows of \[2\]/,
    ],
    [
      'as many targets as inputs',
      { targets: new Float32Array(6), targetShape: [1] },
      /expected 6 targets x \[2\] = 12 input values, got 6/,
    ],
    [
      'a target that is not finite',
      { targets: Float32Array.of(1, 2, 3, 4, Number.NaN, 6), targetShape: [2] },
      /row 2 has target NaN, expected a finite number/,
    ],
    ['an ignored target that was not named', { targets: [0, -100, 1] }, /row 1 has target -100/],
    ['plain inputs', { inputs: [1, 2, 3, 4, 5, 6] }, /expected inputs as/],
    ['an empty shape', { inputShape: [] }, /expected inputShape/],
    ['a zero in the shape', { inputShape: [2, 0] }, /positive integers.*got \[2, 0\]/],
    ['no shape', { inputShape: undefined }, /expected inputShape/],
  ])('refuses %s', (_, change, message) => {
    const options = { ...good, ...change } as ClassArraysOptions;
    expect(() => fromArrays(options)).toThrow(message);
    expect(() => fromArrays(options)).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it('takes real-valued targets of any shape', () => {
    const targets = Float32Array.from({ length: 12 }, (_, i) => i / 4);
    const dataset = fromArrays({
      inputs: new Float32Array(6),
      inputShape: [2],
      targets,
      targetShape: [2, 2],
    });
    expect(dataset).toMatchObject({ length: 3, targetShape: [2, 2], classes: [] });
    expect(dataset.targets).toBe(targets);
    const two = take(dataset, 2);
    expect([two.length, ...two.targets]).toEqual([2, ...targets.subarray(0, 8)]);
    expect(two.targetShape).toEqual([2, 2]);
    const named = {
      inputs: new Uint8Array(3),
      inputShape: [1],
      targets,
      targetShape: [4],
      classes: [...'abcd'],
    };
    expect(fromArrays(named).classes).toEqual([...'abcd']);
  });

  it('takes a target that tells the loss to leave a row out', () => {
    for (const targets of [[0, -100, 2], Int32Array.of(0, -100, 2)]) {
      const dataset = fromArrays({ ...good, targets, ignoreIndex: -100 });
      expect([...dataset.targets, dataset.classes.length]).toEqual([0, -100, 2, 3]);
    }
  });

  it('does not compile with targets of one kind and the shape of the other', () => {
    const wrong = () => [
      // @ts-expect-error real values need a targetShape
      fromArrays({ inputs: new Float32Array(6), inputShape: [2], targets: new Float32Array(3) }),
      // @ts-expect-error class indices have no targetShape
      fromArrays({ inputs: new Float32Array(6), inputShape: [2], targets: [0, 1, 2], targetShape: [1] }),
    ];
    expect(wrong).toThrow(/need a targetShape/);
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
