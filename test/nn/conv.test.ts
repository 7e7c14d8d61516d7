// Convolutions, pools and residual connections as layers: against what PyTorch computed for the same inputs
// (test/fixtures/conv.json, made by scripts/torch_fixtures/conv.py), fused and plain; what they refuse; and ten steps of a
// small LeNet.

import { describe, expect, it } from 'vitest';
import { createTrainer, dataLoader, fromArrays, manualSeed, nn, optim } from '../../src/index.ts';
import type { Layer, Size } from '../../src/nn/index.ts';
import * as reference from '../../src/ops/reference.ts';
import fixtures from '../fixtures/conv.json' with { type: 'json' };
import { expectWithin } from '../support/compare.ts';
import { hostForward } from '../support/conv-network.ts';
import { f32, u8 } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import { type LayerRun, runLayer } from '../support/layer-context.ts';

const device = useDevice();
const { u } = reference;
const plans = [
  { name: 'plain', fused: false },
  { name: 'fused', fused: true },
];
/** JSON's arrays are of any length. */
const sizeOf = (size: unknown) => size as Size;
type Shape = [number, number, number, number];

/** Images in PyTorch's order as they lie channels-last, and the other way round. */
const channelsLast = (values: readonly number[], [, c, h, w]: Shape) => reference.transpose(values, c, h * w);
const channelsFirst = (values: ArrayLike<number>, [, c, h, w]: Shape) =>
  reference.transpose(values, h * w, c);

/** The output of a layer in PyTorch's order. */
const inOrder = ({ y, channelsLast: last }: LayerRun, shape: Shape) =>
  last ? channelsFirst(y, shape) : [...y];

/** PyTorch's values with the bounds of the host's, which must be the same but for the ten digits that are kept. */
function bounded(values: readonly number[], host: readonly reference.Bounded[]): reference.Bounded[] {
  expect(host.length).toBe(values.length);
  return values.map((value, i) => {
    const { value: own, bound } = host[i] as reference.Bounded;
    expect(Math.abs(own - value)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(value)));
    return { value, bound };
  });
}

describe.each(plans)('$name', ({ name, fused }) => {
  it.each(fixtures.conv)('conv2d is PyTorch’s: $shape, kernel $kernel, stride $stride', async (conv) => {
    const { relu, bias, weight } = conv;
    const [shape, out] = [conv.shape as Shape, conv.out as Shape];
    const options = {
      stride: sizeOf(conv.stride),
      padding: conv.padding === 'same' ? ('same' as const) : sizeOf(conv.padding),
      dilation: sizeOf(conv.dilation),
      bias: bias !== null,
    } as nn.Conv2dOptions; // the fixtures hold no `same` with another stride
    const drawn = nn.conv2d(shape[1], out[1], sizeOf(conv.kernel), options);
    for (const parameter of drawn.parameters)
      parameter.data.set(parameter.name === 'weight' ? weight : (bias ?? []));
    const rectified = relu && fused ? (drawn.fuse?.(nn.relu()) as Layer) : drawn;
    const spec = { conv: [shape[1], out[1], sizeOf(conv.kernel), options] } as const;
    const parameters = Object.fromEntries(
      drawn.parameters.map((parameter) => [parameter.name, parameter.data]),
    );
    const host = hostForward(
      { spec, parameters, inner: [] },
      conv.x.map((v) => (conv.u8 ? v / 255 : Math.fround(v))),
      shape,
      // The plain plan rectifies with a layer of its own.
      conv.dy.map((v, i) => (relu && (conv.y[i] as number) <= 0 ? 0 : Math.fround(v))),
    );
    const y = relu ? host.y.map(reference.relu) : host.y;

    const dy = relu && !fused ? conv.dy.map((v, i) => ((conv.y[i] as number) > 0 ? v : 0)) : conv.dy;
    for (const last of [false, true]) {
      if (last && conv.u8) continue; // bytes come from the loader, in PyTorch's order
      const pixels = last ? channelsLast(conv.x, shape) : conv.x;
      const lying: number[] = last ? [shape[0], shape[2], shape[3], shape[1]] : shape;
      const found = await runLayer(device(), rectified, {
        x: conv.u8 ? u8(pixels, ...lying) : f32(pixels, ...lying),
        channelsLast: last,
        dy: f32(channelsLast(dy, out), conv.dy.length),
        fused,
      });
      expect(found.channelsLast).toBe(true);
      expect(found.shape).toEqual([out[0], out[2], out[3], out[1]]);
      const made = inOrder(found, out);
      const rectify = relu && !fused ? made.map((v) => Math.max(0, v)) : made;
      expectWithin(`conv2d ${name}`, rectify, bounded(conv.y, y));
      if (conv.u8) expect(found.dx).toBeUndefined();
      else {
        const dx = last ? channelsFirst(found.dx ?? [], shape) : (found.dx ?? []);
        expectWithin(`conv2d ${name} dx`, dx, bounded(conv.dx, host.dx));
      }
      const { weight: dWeight, bias: dBias } = found.gradients;
      expectWithin(
        `conv2d ${name} dWeight`,
        dWeight ?? [],
        bounded(conv.dWeight, host.gradients.get('weight') ?? []),
      );
      if (conv.dBias === null) expect(dBias).toBeUndefined();
      else
        expectWithin(
          `conv2d ${name} dBias`,
          dBias ?? [],
          bounded(conv.dBias, host.gradients.get('bias') ?? []),
        );
    }
  });

  it.each(fixtures.pools)('pools are PyTorch’s: $shape, kernel $kernel, stride $stride', async (pool) => {
    const shape = pool.shape as Shape;
    const options = { stride: sizeOf(pool.stride), padding: sizeOf(pool.padding) };
    const kernel = sizeOf(pool.kernel);
    for (const [layer, y, dx] of [
      [nn.maxPool2d(kernel, options), pool.max, pool.maxDx],
      [nn.avgPool2d(kernel, options), pool.avg, pool.avgDx],
    ] as const) {
      const [channels, height, width] = layer.outputShape(shape.slice(1)) as [number, number, number];
      const out: Shape = [shape[0], channels, height, width];
      for (const last of [false, true]) {
        const lay = (values: readonly number[], of: Shape) => (last ? channelsLast(values, of) : values);
        const lying: number[] = last ? [shape[0], shape[2], shape[3], shape[1]] : shape;
        const found = await runLayer(device(), layer, {
          x: f32(lay(pool.x, shape), ...lying),
          channelsLast: last,
          dy: f32(lay(pool.dy, out), pool.dy.length),
          fused,
        });
        // A sum of at most nine numbers below 1, and a quotient.
        const near = (values: readonly number[]) => values.map((value) => ({ value, bound: 9 * 9 * 2 * u }));
        expectWithin(`${layer.kind} ${name}`, inOrder(found, out), near(y));
        const gradient = last ? channelsFirst(found.dx ?? [], shape) : (found.dx ?? []);
        expectWithin(`${layer.kind} ${name} dx`, gradient, near(dx));
      }
    }
  });
});

it('takes NaN and infinities in a max pool as PyTorch does', () => {
  const images = { count: 1, channels: 1, height: 2, width: 3, channelsLast: true };
  const windows = { kernel: [2, 3], stride: [1, 1], padding: [0, 0], dilation: [1, 1], out: [1, 1] } as const;
  const number = (word: string) => Number(word.replace('inf', 'Infinity'));
  for (const special of fixtures.specialPools) {
    // The kernel is held to this reference in test/ops/conv.test.ts, by the same kinds of windows.
    const found = reference.maxPool2d(special.x.split(' ').map(number), images, windows);
    expect(found, special.x).toEqual({ y: [number(special.y)], index: [special.index] });
  }
});

describe('shapes', () => {
  it('are PyTorch’s', () => {
    const conv = nn.conv2d(3, 8, [3, 5], { stride: [2, 1], padding: [1, 0], dilation: [1, 2] });
    expect(conv.outputShape([3, 11, 20])).toEqual([8, 6, 12]);
    expect(nn.conv2d(1, 2, 4, { padding: 'same' }).outputShape([1, 5, 6])).toEqual([2, 5, 6]);
    expect(nn.maxPool2d(3, { stride: 2, padding: 1 }).outputShape([4, 28, 27])).toEqual([4, 14, 14]);
    expect(nn.avgPool2d(2).outputShape([4, 5, 6])).toEqual([4, 2, 3]);
    expect(nn.residual(nn.conv2d(2, 2, 3, { padding: 1 })).outputShape([2, 4, 5])).toEqual([2, 4, 5]);
  });

  it.each([
    [
      () => nn.conv2d(3, 8, 3).outputShape([784]),
      'nn.conv2d: rows are [784], expected [3, height, width]. Images',
    ],
    [
      () => nn.conv2d(3, 8, 3).outputShape([1, 28, 28]),
      'nn.conv2d: rows are [1, 28, 28], expected [3, height, width]. Did a layer get the wrong inChannels?',
    ],
    [
      () => nn.conv2d(1, 8, 5).outputShape([1, 4, 28]),
      'nn.conv2d: a kernel of [5, 5] does not fit images of [4, 28]. Use a smaller kernel, or padding',
    ],
    [
      () => nn.maxPool2d(2).outputShape([10]),
      'nn.maxPool2d: rows are [10], expected [channels, height, width]',
    ],
    [
      () => nn.residual(nn.conv2d(2, 3, 3)).outputShape([2, 8, 8]),
      'nn.residual: its layers make [3, 6, 6] of [2, 8, 8]; expected the same shape, to add both',
    ],
    [() => nn.conv2d(1, 0, 3), 'nn.conv2d: outChannels: found 0, expected a positive integer'],
    [
      () => nn.conv2d(1, 1, [3, 0]),
      'nn.conv2d: kernelSize: found [3,0], expected an integer of at least 1, or two',
    ],
    [
      () => nn.conv2d(1, 1, 3, { padding: -1 }),
      'nn.conv2d: padding: found -1, expected an integer of at least 0',
    ],
    [() => nn.conv2d(1, 1, 3, { stride: 1.5 }), 'nn.conv2d: stride: found 1.5'],
    [
      // @ts-expect-error such strides change the size
      () => nn.conv2d(1, 1, 3, { padding: 'same', stride: 2 }),
      "padding 'same' with a stride of [2, 2], expected a stride of 1",
    ],
    [
      () => nn.maxPool2d(2, { padding: 2 }),
      "nn.maxPool2d: padding of [2, 2], expected at most half of the kernel's [2, 2]",
    ],
  ])('that do not fit are refused: %#', (work, message) => {
    expect(work).toThrow(message);
  });

  it('are told in PyTorch’s words', () => {
    const layers = [
      nn.conv2d(1, 6, 5, { padding: 2 }),
      nn.conv2d(3, 4, [1, 2], { padding: 'same', dilation: 2, bias: false }),
      nn.maxPool2d(2),
      nn.avgPool2d([2, 3], { stride: 1, padding: 1 }),
      nn.residual(nn.relu(), nn.relu()),
    ];
    expect(layers.map(({ description }) => description)).toEqual([
      'Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1), padding=(2, 2))',
      'Conv2d(3, 4, kernel_size=(1, 2), stride=(1, 1), padding=same, dilation=(2, 2), bias=False)',
      'MaxPool2d(kernel_size=2, stride=2, padding=0)',
      'AvgPool2d(kernel_size=(2, 3), stride=1, padding=1)',
      'Residual(ReLU(), ReLU())',
    ]);
  });
});

describe.each(plans)('$name', ({ name, fused }) => {
  it('a LeNet follows PyTorch for ten steps', async () => {
    const { seed, shape, batchSize, lr, inputs, targets, losses: expected, parameters } = fixtures.lenet;
    manualSeed(seed);
    const model = nn.sequential(
      nn.conv2d(1, 3, 3, { padding: 1 }),
      nn.relu(),
      nn.maxPool2d(2),
      nn.conv2d(3, 4, 2),
      nn.relu(),
      nn.maxPool2d(2),
      nn.flatten(),
      nn.linear(4, 8),
      nn.relu(),
      nn.linear(8, 3),
    );
    const trainer = await createTrainer(device(), {
      model,
      loss: nn.crossEntropyLoss(),
      optimizer: optim.sgd({ lr }),
      batchSize,
      plain: !fused,
    });
    const classes = ['0', '1', '2'];
    const dataset = fromArrays({ inputs: Uint8Array.from(inputs), targets, inputShape: shape, classes });
    const losses: number[] = [];
    for await (const event of trainer.fit(dataLoader(dataset, { batchSize }), { epochs: 5, logEvery: 1 })) {
      if (event.type === 'step') losses.push(event.loss);
    }
    /** Within the bound of the float64 run; from the float32 run, which rounds too, at most twice as far. */
    const expectNear = (what: string, found: readonly number[], run: typeof expected) => {
      const around = (values: readonly number[], runs: number) =>
        values.map((value, i) => ({ value, bound: runs * (run.bound[i] as number) }));
      expectWithin(`LeNet ${name} ${what}, float64`, found, around(run.float64, 1));
      expectWithin(`LeNet ${name} ${what}, float32`, found, around(run.float32, 2));
    };
    expectNear('losses', losses, expected);
    const found = await trainer.parameters();
    expect([...found.keys()]).toEqual(parameters.map((parameter) => parameter.name));
    for (const parameter of parameters) {
      const values = found.get(parameter.name) ?? new Float32Array();
      const total = (of: (v: number) => number) => values.reduce((sum, v) => sum + of(v), 0);
      const kept = [...values.slice(0, 3), ...values.slice(-3), total((v) => v), total(Math.abs)];
      expectNear('weights', kept, parameter);
    }
    trainer.destroy();
  });
});

it('a convolution takes initial values by name, drawn after its own', () => {
  const { zeros, constant } = nn.init;
  const { parameters } = nn.conv2d(2, 3, 3, { init: { weight: constant(0.5), bias: zeros() } });
  expect(parameters.map(({ name, data }) => [name, new Set(data)])).toEqual([
    ['weight', new Set([0.5])],
    ['bias', new Set([0])],
  ]);
  // @ts-expect-error no bias
  expect(() => nn.conv2d(2, 3, 3, { bias: false, init: { bias: zeros() } })).toThrow(
    'nn.conv2d: init.bias is given for a layer with bias: false; leave one out',
  );
});
