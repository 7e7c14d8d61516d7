// Kernels, layers, losses and optimizers that a program brings along: they compute what they say, in both plans, and are
// saved and resumed like Heddle's. src/nn/README.md shows the same in whole programs.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checkModel,
  createTrainer,
  type Device,
  dataLoader,
  fromArrays,
  manualSeed,
  nn,
  openDevice,
  optim,
} from '../../src/index.ts';
import { defineKernel, foldGrid, recordLayout, stepLayout } from '../../src/ops/index.ts';

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

const elements = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

const lines = (body: string) => `
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (i >= params.size) { return; }
  ${body}
}`;

/** Records a kernel of one invocation an element of `like`, and returns what it writes, of that shape. */
function elementwise<B extends string>(
  { recorder }: Pick<nn.ForwardContext, 'recorder'>,
  kernel: ReturnType<typeof defineKernel<B | 'out', 'size'>>,
  label: string,
  bindings: Readonly<Record<B, nn.Value['tensor']>>,
  like: nn.Value['tensor'],
) {
  const out = recorder.tensor(label, like.shape);
  const size = elements(like.shape);
  const workgroups = foldGrid(Math.ceil(size / 64));
  recorder.dispatch(kernel, {
    label,
    bindings: { ...bindings, out } as Record<B | 'out', nn.Value['tensor']>,
    params: { size },
    workgroups,
  });
  return out;
}

// f(x) = x² · s with a scale for all of them: a layer with a parameter, exact enough to be held to float64.
const square = defineKernel({
  name: 'square',
  bindings: { x: 'read', scale: 'read', out: 'read_write' },
  params: { size: 'u32' },
  wgsl: lines('out[i] = scale[0] * x[i] * x[i];'),
});
const squareBackward = defineKernel({
  name: 'square_backward',
  bindings: { x: 'read', dy: 'read', scale: 'read', out: 'read_write' },
  params: { size: 'u32' },
  wgsl: lines('out[i] = 2.0 * scale[0] * x[i] * dy[i];'),
});
const squareScale = defineKernel({
  name: 'square_scale',
  bindings: { x: 'read', dy: 'read', gradient: 'read_write' },
  params: { size: 'u32', accumulate: 'u32' },
  wgsl: `
@compute @workgroup_size(1)
fn main() {
  var sum = 0.0;
  for (var i = 0u; i < params.size; i++) { sum += x[i] * x[i] * dy[i]; }
  if (params.accumulate == 1u) { sum += gradient[0]; }
  gradient[0] = sum;
}`,
});

function squares(start: number): nn.Layer {
  const scale: nn.Parameter = { name: 'scale', shape: [1], data: Float32Array.of(start) };
  return {
    kind: 'squares',
    description: 'Squares()',
    parameters: [scale],
    children: [],
    outputShape: (input) => input,
    forward(context, input, path) {
      const x = nn.asFloat(context, input, path);
      const value = context.value(scale);
      const tensor = elementwise(context, square, `${path}.y`, { x: x.tensor, scale: value }, x.tensor);
      const y = { ...x, tensor, needsGradient: nn.needsGradient(context, x, [scale]), maskable: false };
      return {
        y,
        pullback(dy) {
          const both = { x: x.tensor, dy: dy.tensor };
          if (context.trains(scale))
            context.recorder.dispatch(squareScale, {
              label: `${path}.dscale`,
              bindings: { ...both, gradient: context.gradient(scale) },
              params: { size: elements(x.tensor.shape), accumulate: context.accumulate ? 1 : 0 },
              workgroups: [1, 1, 1],
            });
          if (!x.needsGradient) return undefined;
          const dx = elementwise(context, squareBackward, `${path}.dx`, { ...both, scale: value }, x.tensor);
          return { tensor: dx, masked: false };
        },
      };
    },
  };
}

// Σ (x - target)⁴ over a row.
const fourth = defineKernel({
  name: 'fourth_power',
  bindings: { x: 'read', wanted: 'read', row_loss: 'read_write', dx: 'read_write', step: stepLayout },
  params: { size: 'u32', columns: 'u32' },
  wgsl: lines(`var sum = 0.0;
  for (var j = i * params.columns; j < (i + 1u) * params.columns; j++) {
    let d = select(0.0, x[j] - wanted[j], i < step.rows);
    sum += d * d * d * d;
    dx[j] = 4.0 * d * d * d * step.scale;
  }
  row_loss[i] = sum;`),
});
const fourthPowerLoss: nn.Loss = {
  kind: 'fourth_power',
  targets: 'values',
  scale: ({ targets }) => 1 / targets.length,
  forward({ recorder }, predictions, batch) {
    const [rows = 1, columns = 1] = predictions.tensor.shape;
    const row_loss = batch.rowLosses ?? recorder.tensor('loss.rows', [rows]);
    const dx = recorder.tensor('loss.dx', predictions.tensor.shape);
    recorder.dispatch(fourth, {
      label: 'loss.fourth_power',
      bindings: { x: predictions.tensor, wanted: batch.targets, row_loss, dx, step: batch.step },
      params: { size: rows, columns },
      workgroups: foldGrid(Math.ceil(rows / 64)),
    });
    nn.reduceRows(recorder, row_loss, batch);
    return () => ({ tensor: dx, masked: false });
  },
};

// value -= lr · m with m = decay · m + gradient.
interface HeavyGroup extends optim.ParameterGroup {
  decay: number;
}
const heavyLayout = recordLayout({ lr: 'f32', decay: 'f32' });
const heavyKernel = defineKernel({
  name: 'heavy',
  bindings: { gradient: 'read', value: 'read_write', m: 'read_write', hyper: heavyLayout },
  params: { size: 'u32' },
  wgsl: lines('m[i] = hyper.decay * m[i] + gradient[i]; value[i] -= hyper.lr * m[i];'),
});
const heavy = (options: optim.GroupedOptions<HeavyGroup> = {}) =>
  optim.optimizerOf<HeavyGroup, 'lr' | 'decay'>({
    kind: 'heavy',
    groups: optim.groupsOf<HeavyGroup>('heavy', { lr: 0.05, decay: 0.5 }, options, (what, { lr }) =>
      optim.checkHyper(`${what}: lr`, lr),
    ),
    state: { m: 0 },
    layout: heavyLayout,
    hyper: { lr: ({ lr }) => lr, decay: ({ decay }) => decay },
    record(recorder, { label, gradient, value, state, hyper }) {
      const size = elements(value.shape);
      recorder.dispatch(heavyKernel, {
        label,
        bindings: { gradient, value, m: state.m as typeof value, hyper },
        params: { size },
        workgroups: foldGrid(Math.ceil(size / 64)),
      });
    },
  });

const rows = 7; // of batches of four: the last one is short
const inputs = Float32Array.from({ length: 3 * rows }, (_, i) => Math.sin(i + 1));
const targets = Float32Array.from({ length: 2 * rows }, (_, i) => Math.cos(2 * i));
const data = fromArrays({ inputs, inputShape: [3], targets, targetShape: [2] });
const loader = dataLoader(data, { batchSize: 4 });

function modelOf() {
  manualSeed(3);
  return nn.sequential(nn.linear(3, 5), nn.relu(), nn.linear(5, 4), squares(0.75), nn.linear(4, 2));
}
const trainerOf = (plain: boolean, optimizer: optim.Optimizer = heavy()) =>
  createTrainer(device, { model: modelOf(), loss: fourthPowerLoss, optimizer, batchSize: 4, plain });

/** The network's loss in float64 for some rows. */
function lossOf(weights: ReadonlyMap<string, ArrayLike<number>>, from: number, count: number): number {
  const linear = (x: readonly number[], key: string) => {
    const [w, b] = [weights.get(`${key}.weight`), weights.get(`${key}.bias`)] as ArrayLike<number>[];
    return Array.from(b as ArrayLike<number>, (bias, o) =>
      x.reduce((sum, value, i) => sum + value * ((w as ArrayLike<number>)[o * x.length + i] as number), bias),
    );
  };
  const scale = weights.get('3.scale')?.[0] as number;
  let sum = 0;
  for (let row = from; row < from + count; row++) {
    const x = Array.from(inputs.subarray(3 * row, 3 * row + 3));
    const hidden = linear(
      linear(x, '0').map((v) => Math.max(v, 0)),
      '2',
    ).map((v) => scale * v * v);
    for (const [j, v] of linear(hidden, '4').entries()) sum += (v - (targets[2 * row + j] as number)) ** 4;
  }
  return sum / (2 * count);
}

/** Central differences of the loss of some rows by every parameter. */
function gradientsOf(weights: ReadonlyMap<string, Float32Array>, from: number, count: number) {
  const h = 1e-5;
  const all = new Map([...weights].map(([key, values]) => [key, Float64Array.from(values)]));
  return new Map(
    [...all].map(([key, values]) => [
      key,
      values.map((value, i) => {
        const at = (v: number) => {
          values[i] = v;
          const loss = lossOf(all, from, count);
          values[i] = value;
          return loss;
        };
        return (at(value + h) - at(value - h)) / (2 * h);
      }),
    ]),
  );
}

/**
 * A path of this network multiplies at most 12 numbers, each the sum of at most 6, so that a result is off by at most
 * some 12 · 6 roundings of float32, relative to sums of magnitudes that stay below 16 here. Central differences add 1e-9.
 */
const bound = 12 * 6 * 2 ** -24 * 16 + 1e-9;

function expectClose(found: ArrayLike<number>, expected: ArrayLike<number>, what: string, within: number) {
  expect(found.length, what).toBe(expected.length);
  for (let i = 0; i < found.length; i++)
    expect(Math.abs((found[i] as number) - (expected[i] as number)), `${what}[${i}]`).toBeLessThan(within);
}

describe.each([false, true])('a model of one’s own parts, plain: %s', (plain) => {
  it('has the loss and the gradients that float64 has, summed over batches', async () => {
    const trainer = await trainerOf(plain);
    const weights = await trainer.parameters();
    const expected = [gradientsOf(weights, 0, 4), gradientsOf(weights, 4, 3)];
    trainer.zeroGrad();
    let from = 0;
    for (const batch of loader.epoch(0)) {
      trainer.backward(batch);
      expectClose([await trainer.loss()], [lossOf(weights, from, batch.rows)], `loss at ${from}`, bound);
      from += batch.rows;
    }
    const found = await trainer.gradients();
    expect([...found.keys()]).toEqual([...weights.keys()]);
    for (const [key, gradient] of found) {
      const sums = gradient.map((_, i) =>
        expected.reduce((sum, one) => sum + ((one.get(key) as Float64Array)[i] as number), 0),
      );
      expectClose(gradient, sums, key, 2 * bound);
    }
    trainer.destroy();
  });

  it('takes the steps of its optimizer, group by group', async () => {
    const optimizer = heavy({ groups: [{ parameters: /scale$/, lr: 0.01, decay: 0.9 }] });
    const trainer = await trainerOf(plain, optimizer);
    const value = new Map([...(await trainer.parameters())].map(([key, v]) => [key, Float64Array.from(v)]));
    const kept = new Map([...value].map(([key, v]) => [key, new Float64Array(v.length)]));
    for (let step = 0; step < 5; step++) {
      trainer.zeroGrad();
      for (const batch of loader.epoch(step)) trainer.backward(batch);
      const gradients = await trainer.gradients();
      trainer.optimizerStep();
      const found = await trainer.parameters();
      const state = await trainer.optimizerState();
      for (const [key, gradient] of gradients) {
        const [lr, decay] = key === '3.scale' ? [0.01, 0.9] : [0.05, 0.5];
        const [v, m] = [value.get(key), kept.get(key)] as Float64Array[];
        gradient.forEach((g, i) => {
          if (v === undefined || m === undefined) throw new Error(key);
          m[i] = decay * (m[i] as number) + g;
          v[i] = (v[i] as number) - lr * (m[i] as number);
        });
        // Some six roundings a step, of numbers that stay below 16, over five steps.
        expectClose(found.get(key) as Float32Array, v as Float64Array, key, 5 * 6 * 2 ** -24 * 16);
        expectClose(
          state.get(`${key}.m`) as Float32Array,
          m as Float64Array,
          `${key}.m`,
          5 * 6 * 2 ** -24 * 16,
        );
      }
    }
    trainer.destroy();
  });

  it('learns, and goes on from a checkpoint to the same bytes', async () => {
    const losses: number[] = [];
    const train = async (trainer: Awaited<ReturnType<typeof trainerOf>>, epochs: number) => {
      for await (const event of trainer.fit(loader, { epochs }))
        if (event.type === 'epoch') losses.push(event.train.loss);
    };
    const whole = await trainerOf(plain, heavy({ lr: 0.01 }));
    await train(whole, 4);
    expect(losses[3] as number).toBeLessThan(losses[0] as number);
    const first = await trainerOf(plain, heavy({ lr: 0.01 }));
    await train(first, 2);
    const second = await trainerOf(plain, heavy({ lr: 0.01 }));
    await second.restore(await first.checkpoint());
    await train(second, 2);
    expect(await second.save()).toEqual(await whole.save());
    for (const trainer of [whole, first, second]) trainer.destroy();
  });
});

it('gives the rows’ losses', async () => {
  const trainer = await trainerOf(false);
  const weights = await trainer.parameters();
  const found = await trainer.losses(loader);
  // A row's sum, of which `lossOf` gives the mean over two columns.
  const expected = Array.from({ length: rows }, (_, row) => 2 * lossOf(weights, row, 1));
  expectClose(found, expected, 'losses', 2 * bound);
  trainer.destroy();
});

it('is said to be unchecked where kernels are held to their references', async () => {
  const input = { shape: [3], dtype: 'f32', targetShape: [2] } as const;
  const options = { model: modelOf(), loss: fourthPowerLoss, optimizer: heavy(), batchSize: 4, input };
  const kernels = new Set<string>();
  for await (const event of checkModel(device, options)) {
    if (event.type === 'check') kernels.add(event.kernel);
    else {
      expect([...event.unchecked].sort()).toEqual([
        'fourth_power',
        'heavy',
        'square',
        'square_backward',
        'square_scale',
      ]);
      expect(event.wrong).toEqual([]);
      expect(event.right.length).toBeGreaterThan(0);
    }
  }
  expect(kernels.size).toBeGreaterThan(0);
  expect(kernels.has('square')).toBe(false);
});
