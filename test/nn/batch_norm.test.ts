// Batch norm as a layer: against what PyTorch computed for the same batches (test/fixtures/batch_norm.json, made by
// scripts/torch_fixtures/batch_norm.py), alone and in a trainer; what it keeps, saves and loads; and what it refuses.

import { describe, expect, it } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import type { Tensor } from '../../src/gpu/tensor.ts';
import { createTrainer, dataLoader, fromArrays, manualSeed, nn, optim } from '../../src/index.ts';
import type { ForwardContext, Layer, Parameter } from '../../src/nn/index.ts';
import { reshape } from '../../src/nn/layer.ts';
import { namedBuffers, namedParameters } from '../../src/nn/parameters.ts';
import { batchNormChunk } from '../../src/ops/batch_norm_statistics.ts';
import * as reference from '../../src/ops/reference.ts';
import { type HostTensor, run } from '../../src/ops/run.ts';
import { stepRecord } from '../../src/ops/step.ts';
import fixtures from '../fixtures/batch_norm.json' with { type: 'json' };
import { expectWithin } from '../support/compare.ts';
import { f32, floats, integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();

/** What lies behind a batch that does not fill its tensors. */
const padding = 77;

interface Options {
  readonly training?: boolean;
  readonly accumulate?: boolean;
  readonly frozen?: readonly string[];
  readonly needsGradient?: boolean;
  readonly maskable?: boolean;
  /** Rows of the tensors, of which `rows` hold data. */
  readonly capacity: number;
  readonly rows: number;
  readonly channelsLast: boolean;
}

/** Runs the layer on one batch with its arrays as given; what it makes, in memory's order, and its arrays afterwards. */
async function runNorm(
  on: Device,
  layer: Layer,
  arrays: Readonly<Record<string, Float32Array>>,
  batch: { x: HostTensor; dy: HostTensor },
  options: Options,
) {
  const {
    training = true,
    accumulate = false,
    frozen = [],
    needsGradient = true,
    maskable = false,
  } = options;
  const all = [...layer.parameters, ...(layer.buffers ?? [])];
  const given = all.map(({ name, shape }): [string, HostTensor] => [
    name,
    { data: arrays[name] as Float32Array, shape },
  ]);
  const gradients = layer.parameters.map(({ name, shape }): [string, HostTensor] => [
    `d${name}`,
    { data: new Float32Array(shape[0] as number).fill(10), shape },
  ]);
  const inputs: Record<string, HostTensor> = {
    ...batch,
    ...Object.fromEntries([...given, ...gradients]),
    step: stepRecord({ rows: options.rows }),
  };
  let facts: { masked?: boolean; channelsLast?: boolean; needed?: boolean } = {};
  const found: Record<string, Float32Array | Uint32Array> = await run(
    on,
    inputs,
    (recorder, t: Readonly<Record<string, Tensor>>) => {
      const context: ForwardContext = {
        recorder,
        fused: true,
        accumulate,
        training,
        step: t.step as Tensor,
        trains: ({ name }: Parameter) => !frozen.includes(name),
        randomStream: () => ({ seed: 0, stream: 0 }),
        value: ({ name }) => t[name] as Tensor,
        gradient: ({ name }) => t[`d${name}`] as Tensor,
      };
      const value = { tensor: t.x as Tensor, needsGradient, maskable, channelsLast: options.channelsLast };
      const { y, pullback } = layer.forward(context, value, 'layer');
      const dx = pullback({ tensor: reshape(t.dy as Tensor, y.tensor.shape), masked: false });
      facts = { channelsLast: y.channelsLast, needed: y.needsGradient };
      if (dx !== undefined) facts = { ...facts, masked: dx.masked };
      const { x: _x, dy: _dy, step: _step, ...kept } = t;
      const made: Record<string, Tensor> = { ...kept, y: y.tensor };
      return dx === undefined ? made : { ...made, dx: dx.tensor };
    },
  );
  return { found: found as Record<string, Float32Array>, facts };
}

type Case = (typeof fixtures.cases)[0];
const optionsOf = (one: Case) => one.options as { eps?: number; momentum?: number; affine?: boolean };
const layerOf = (one: Case) => {
  const [features = 1, ...size] = one.shape;
  return size.length === 0
    ? nn.batchNorm1d(features, optionsOf(one))
    : nn.batchNorm2d(features, optionsOf(one));
};

/** A case's rows in memory, with padding behind them, and back in PyTorch's order. */
function layout({ shape }: Case, capacity: number) {
  const [features = 1, ...size] = shape;
  const pixels = size.reduce((a, b) => a * b, 1);
  const padded = (values: readonly number[]) => [
    ...values,
    ...new Array<number>(capacity * features * pixels - values.length).fill(padding),
  ];
  return {
    features,
    pixels,
    channelsFirst: (values: readonly number[]) => f32(padded(values), capacity, ...shape),
    channelsLast: (values: readonly number[]) =>
      f32(reference.transpose(padded(values), features, pixels), capacity, ...size, features),
    toFirst: (values: ArrayLike<number>) => reference.transpose(values, pixels, features),
    /** Values in PyTorch's order as rows of channels. */
    rows: (values: readonly number[]) => reference.transpose(values.map(Math.fround), features, pixels),
  };
}

/** PyTorch's values with the bounds of the host's, which must be the same but for the ten digits that are kept. */
function bounded(values: readonly number[], host: readonly reference.Bounded[]): reference.Bounded[] {
  expect(host.length).toBe(values.length);
  return values.map((value, i) => {
    const { value: own, bound } = host[i] as reference.Bounded;
    // Options and inputs are float32's on the GPU, float64's in PyTorch.
    expect(Math.abs(own - value)).toBeLessThanOrEqual(1e-7 * Math.max(1, Math.abs(value)));
    return { value: own, bound };
  });
}

describe.each([false, true])('channels last: %s', (last) => {
  it.each(fixtures.cases as Case[])(
    'is PyTorch’s over three batches and an evaluation: $shape $options',
    async (one) => {
      const layer = layerOf(one);
      const { eps = 1e-5, momentum = 0.1, affine = true } = optionsOf(one);
      const capacity = Math.max(...one.batches.map(({ rows }) => rows));
      const { features, pixels, rows: toRows, toFirst, ...lay } = layout(one, capacity);
      const isLast = last && one.shape.length === 3;
      const input = isLast ? lay.channelsLast : lay.channelsFirst;
      // An output of images lies channels-last, and so does the gradient by it.
      const output = one.shape.length === 3 ? lay.channelsLast : lay.channelsFirst;
      const initial = [...layer.parameters, ...(layer.buffers ?? [])].map(({ name, data }) => [name, data]);
      let arrays: Record<string, Float32Array> = Object.fromEntries(initial);
      if (affine)
        arrays = { ...arrays, weight: Float32Array.from(one.weight), bias: Float32Array.from(one.bias) };
      const affineOf = affine
        ? { weight: arrays.weight as Float32Array, bias: arrays.bias as Float32Array }
        : undefined;
      const inOrder = (rows: readonly reference.Bounded[]) => {
        const order = reference.transpose(
          rows.map((_, i) => i),
          pixels,
          features,
        );
        return order.map((i) => rows[i] as reference.Bounded);
      };
      let runningMean: readonly reference.Bounded[] = reference.within(
        arrays.running_mean as Float32Array,
        0,
      );
      let runningVar: readonly reference.Bounded[] = reference.within(arrays.running_var as Float32Array, 0);
      const valuesOf = (all: readonly reference.Bounded[]) => all.map(({ value }) => value);
      const boundsLeft = (before: readonly reference.Bounded[], after: readonly reference.Bounded[]) =>
        after.map(({ value, bound }, j) => ({ value, bound: bound + (before[j]?.bound ?? 0) }));
      for (const batch of one.batches) {
        const { found, facts } = await runNorm(
          device(),
          layer,
          arrays,
          { x: input(batch.x), dy: output(batch.dy) },
          {
            capacity,
            rows: batch.rows,
            channelsLast: isLast,
          },
        );
        expect(facts).toEqual({ channelsLast: one.shape.length === 3, needed: true, masked: false });
        const [count, size] = [batch.rows * pixels, batch.x.length];
        const [x, dy] = [toRows(batch.x), toRows(batch.dy)];
        const chunk = batchNormChunk(capacity * pixels);
        const parts = reference.batchNormStatistics(x, count, features, chunk);
        const running = { mean: valuesOf(runningMean), variance: valuesOf(runningVar) };
        const normal = reference.batchNormMerge(parts, count, features, { chunk, eps, momentum, running });
        const y = inOrder(reference.batchNorm(x, features, normal, affineOf));
        const sums = reference.batchNormBackwardSums(dy, x, count, features, count, normal);
        const dx = reference.batchNormBackward(dy, x, features, {
          ...normal,
          weight: affineOf?.weight,
          ...sums,
        });
        const made = (values: Float32Array, isRows: boolean) => (isRows ? toFirst(values) : [...values]);
        const foundY = made(found.y as Float32Array, one.shape.length === 3);
        const foundDx = made(found.dx as Float32Array, isLast);
        expectWithin('batchNorm y', foundY.slice(0, size), bounded(batch.y, y));
        expectWithin('batchNorm dx', foundDx.slice(0, size), bounded(batch.dx, inOrder(dx)));
        for (const rest of [foundY.slice(size), foundDx.slice(size)])
          expect(rest.every((v) => v === 0)).toBe(true);
        if (affine) {
          expectWithin('batchNorm dWeight', found.dweight ?? [], bounded(batch.dWeight, sums.dyxSum));
          expectWithin('batchNorm dBias', found.dbias ?? [], bounded(batch.dBias, sums.dySum));
        }
        runningMean = boundsLeft(runningMean, normal.runningMean);
        runningVar = boundsLeft(runningVar, normal.runningVar);
        arrays = Object.fromEntries(Object.keys(arrays).map((name) => [name, found[name] as Float32Array]));
      }
      expectWithin(
        'batchNorm running_mean',
        arrays.running_mean ?? [],
        bounded(one.runningMean, runningMean),
      );
      expectWithin('batchNorm running_var', arrays.running_var ?? [], bounded(one.runningVar, runningVar));
      expect([...(arrays.num_batches_tracked ?? [])]).toEqual([3]);

      const { x, dy, rows } = one.batches.at(-1) as (typeof one.batches)[0];
      const { found, facts } = await runNorm(
        device(),
        layer,
        arrays,
        { x: input(x), dy: output(dy) },
        {
          capacity,
          rows,
          channelsLast: isLast,
          training: false,
        },
      );
      expect(facts).toEqual({ channelsLast: one.shape.length === 3, needed: false });
      for (const name of Object.keys(arrays))
        expect([...(found[name] ?? [])]).toEqual([...(arrays[name] ?? [])]);
      const normal = { mean: runningMean, inverse: reference.batchNormInverse(runningVar, eps) };
      const y = inOrder(reference.batchNorm(toRows(x), features, normal, affineOf));
      const foundY =
        one.shape.length === 3 ? toFirst(found.y as Float32Array) : [...(found.y as Float32Array)];
      expectWithin('batchNorm evaluated', foundY.slice(0, x.length), bounded(one.evaluated, y));
    },
  );
});

describe('gradients', () => {
  const rows = 40;
  const layer = nn.batchNorm1d(3);
  const arrays = Object.fromEntries(
    [...layer.parameters, ...(layer.buffers ?? [])].map(({ name, data }) => [name, data]),
  );
  const batch = { x: f32(floats(rows * 3, 1), rows, 3), dy: f32(floats(rows * 3, 2), rows, 3) };
  const of = (options: Partial<Options>) =>
    runNorm(device(), layer, arrays, batch, { capacity: rows, rows, channelsLast: false, ...options });

  it('are added to what is there when asked, and dx stays the same', async () => {
    const [once, added] = [await of({}), await of({ accumulate: true })];
    expect(added.found.dx).toEqual(once.found.dx);
    for (const name of ['dweight', 'dbias']) {
      const sum = reference.within(once.found[name] ?? [], 0).map((one) => reference.plus(one, 10));
      expectWithin('batchNorm accumulate', added.found[name] ?? [], sum);
    }
  });

  it('are those of the parameters that are trained', async () => {
    const once = await of({});
    for (const frozen of [['weight'], ['bias'], ['weight', 'bias']]) {
      const { found } = await of({ frozen });
      expect(found.dx).toEqual(once.found.dx);
      for (const name of ['weight', 'bias'])
        expect([...(found[`d${name}`] ?? [])]).toEqual(
          frozen.includes(name) ? [10, 10, 10] : [...(once.found[`d${name}`] ?? [])],
        );
    }
  });

  it('are those of the input only where it needs one', async () => {
    const [once, leaf] = [await of({}), await of({ needsGradient: false })];
    expect(leaf.found.dx).toBeUndefined();
    expect(leaf.found.dweight).toEqual(once.found.dweight);
    expect(leaf.facts.needed).toBe(true);
    const none = await of({ needsGradient: false, frozen: ['weight', 'bias'] });
    expect(none.facts.needed).toBe(false);
    expect([...(none.found.dweight ?? [])]).toEqual([10, 10, 10]);
  });

  it('are not masked by a ReLU before it', async () => {
    const { facts } = await of({ maskable: true });
    expect(facts.masked).toBe(false);
  });
});

describe('in a trainer', () => {
  const [rows, classes] = [20, 3];
  const data = fromArrays({
    name: 'mine',
    inputs: floats(rows * 32, 1),
    inputShape: [2, 4, 4],
    targets: [...integers(rows, 2, classes)],
    classes: ['a', 'b', 'c'],
  });
  const make = (plain = false) => {
    manualSeed(1);
    const model = nn.sequential(
      nn.conv2d(2, 4, 3, { padding: 1, bias: false }),
      nn.batchNorm2d(4),
      nn.relu(),
      nn.maxPool2d(2),
      nn.flatten(),
      nn.linear(16, 6),
      nn.batchNorm1d(6),
      nn.relu(),
      nn.linear(6, classes),
    );
    const options = {
      model,
      loss: nn.crossEntropyLoss(),
      optimizer: optim.sgd({ lr: 0.2 }),
      batchSize: 8,
      plain,
    };
    return createTrainer(device(), options);
  };

  it('learns, fused and plain alike; buffers are saved, loaded and used by evaluations', async () => {
    const loader = dataLoader(data, { batchSize: 8 });
    const trainers = [await make(), await make(true)];
    try {
      const before = await trainers[0]?.evaluate(loader);
      const states: Map<string, Float32Array>[] = [];
      for (const trainer of trainers) {
        for await (const _event of trainer.fit(loader, { epochs: 12 }));
        states.push(await trainer.state());
      }
      const [fused, plain] = states as [Map<string, Float32Array>, Map<string, Float32Array>];
      expect([...(fused.get('1.num_batches_tracked') ?? [])]).toEqual([36]); // three batches an epoch
      expect([...(fused.get('6.num_batches_tracked') ?? [])]).toEqual([36]);
      for (const [key, values] of fused)
        values.forEach((v, i) => {
          expect(Math.abs(v - (plain.get(key)?.[i] ?? Number.NaN)), key).toBeLessThan(0.01);
        });
      const [trained] = trainers as [(typeof trainers)[0]];
      const after = await trained.evaluate(loader);
      expect(after.loss).toBeLessThan(before?.loss ?? 0);
      expect(await trained.state()).toEqual(fused); // an evaluation moves nothing

      const other = await make();
      trainers.push(other);
      expect((await other.evaluate(loader)).loss).not.toBe(after.loss);
      await other.load(await trained.save());
      expect(await other.state()).toEqual(fused);
      expect((await other.evaluate(loader)).loss).toBe(after.loss);
    } finally {
      for (const trainer of trainers) trainer.destroy();
    }
  });

  it('a NaN among the inputs is a NaN of the loss', async () => {
    const trainer = await make();
    try {
      const broken = fromArrays({
        name: 'broken',
        inputs: floats(8 * 32, 1).with(100, Number.NaN),
        inputShape: [2, 4, 4],
        targets: [...integers(8, 2, classes)],
        classes: ['a', 'b', 'c'],
      });
      const train = async () => {
        for await (const _event of trainer.fit(dataLoader(broken, { batchSize: 8 }), { epochs: 1 }));
      };
      await expect(train()).rejects.toThrow(/not finite|NaN|diverged/);
    } finally {
      trainer.destroy();
    }
  });
});

it('has PyTorch’s names, shapes, initial values and no random draws', () => {
  manualSeed(3);
  const expected = nn.linear(2, 2).parameters[0]?.data;
  manualSeed(3);
  const layer = nn.batchNorm2d(3);
  expect(nn.linear(2, 2).parameters[0]?.data).toEqual(expected);
  const named = [...namedParameters(layer), ...namedBuffers(layer)];
  expect(named.map(([name, { shape }]) => [name, shape])).toEqual(fixtures.state);
  expect(named.map(([, { data }]) => [...data])).toEqual([[1, 1, 1], [0, 0, 0], [0, 0, 0], [1, 1, 1], [0]]);
  expect(namedParameters(nn.batchNorm1d(3, { affine: false }))).toEqual([]);
  expect(layer.description).toBe('BatchNorm2d(3, eps=0.00001, momentum=0.1, affine=True)');
});

it('refuses what does not fit', () => {
  expect(() => nn.batchNorm1d(0)).toThrow(/^nn.batchNorm1d: features: found 0, expected a positive integer/);
  expect(() => nn.batchNorm2d(3, { eps: -1 })).toThrow(/^nn.batchNorm2d: eps: found -1, expected a finite/);
  expect(() => nn.batchNorm2d(3, { eps: Number.NaN })).toThrow(/eps: found NaN/);
  for (const momentum of [-0.1, 1.1, Number.NaN])
    expect(() => nn.batchNorm1d(3, { momentum })).toThrow(/^nn.batchNorm1d: momentum: found .*from 0 to 1/);
  expect(() => nn.batchNorm1d(3).outputShape([4])).toThrow(/rows are \[4\], expected \[3\]. Did a layer/);
  expect(() => nn.batchNorm1d(3).outputShape([3, 4, 4])).toThrow(/Images take nn.batchNorm2d/);
  expect(() => nn.batchNorm2d(3).outputShape([2, 4, 4])).toThrow(/expected \[3, height, width\]/);
  expect(nn.batchNorm1d(3).outputShape([3])).toEqual([3]);
  expect(nn.batchNorm2d(3).outputShape([3, 4, 5])).toEqual([3, 4, 5]);
});
