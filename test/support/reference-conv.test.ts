// The float64 references of convolutions and pools, held to central differences: each pullback, and whole networks.

import { describe, expect, it } from 'vitest';
import { manualSeed } from '../../src/index.ts';
import * as reference from '../../src/ops/reference.ts';
import { type Images, imageElements, type Windows } from '../../src/ops/windows.ts';
import { type HostLayer, hostGradients, makeNetwork, type Spec } from './conv-network.ts';
import { floats, integers } from './data.ts';

const values = (bounded: readonly reference.Bounded[]) => bounded.map(({ value }) => value);
const dot = (g: ArrayLike<number>, y: readonly number[]) =>
  y.reduce((sum, v, i) => sum + (g[i] as number) * v, 0);

/** Expects `gradient` to be what central differences of `f` at `x` give, within their own error: h²·f‴/6 and roundoff/h. */
function expectGradient(f: (x: number[]) => number, x: ArrayLike<number>, gradient: readonly number[]): void {
  const h = 1e-5;
  expect(gradient).toHaveLength(x.length);
  gradient.forEach((value, i) => {
    const moved = (by: number) => f(Array.from(x, (v, c) => (c === i ? v + by : v)));
    expect(Math.abs((moved(h) - moved(-h)) / (2 * h) - value), `element ${i}`).toBeLessThan(1e-8);
  });
}

const shape = { count: 2, channels: 2, height: 5, width: 6 };
const cases: { images: Images; windows: Windows }[] = [true, false].flatMap((channelsLast) => [
  {
    images: { ...shape, channelsLast },
    windows: { kernel: [3, 2], stride: [2, 1], padding: [1, 1], dilation: [1, 1], out: [3, 7] },
  },
  {
    images: { ...shape, channelsLast },
    windows: { kernel: [2, 2], stride: [2, 3], padding: [0, 0], dilation: [1, 1], out: [2, 2] },
  },
]);

describe.each(cases)('the pullback, channels last: $images.channelsLast, of', ({ images, windows }) => {
  const x = [...floats(imageElements(images), 1)];
  const outputs = images.count * images.channels * windows.out[0] * windows.out[1];
  const g = [...floats(outputs, 2)];

  it('windows, dilated too', () => {
    for (const dilation of [windows.dilation, [1, 2]] as const) {
      const dilated = { ...windows, dilation };
      const dcolumns = [...floats(reference.im2col(x, images, dilated).length, 3)];
      const dx = values(reference.col2im(dcolumns, images, dilated));
      expectGradient((moved) => dot(dcolumns, reference.im2col(moved, images, dilated)), x, dx);
    }
  });

  it('a max pool', () => {
    const { index } = reference.maxPool2d(x, images, windows);
    const dx = values(reference.maxPool2dBackward(g, index, images, windows));
    expectGradient((moved) => dot(g, reference.maxPool2d(moved, images, windows).y), x, dx);
  });

  it('an average pool', () => {
    const dx = values(reference.avgPool2dBackward(g, images, windows));
    expectGradient((moved) => dot(g, values(reference.avgPool2d(moved, images, windows))), x, dx);
  });
});

it('gives the gradients that central differences of a network’s loss give', () => {
  const specs: Spec[] = [
    { conv: [2, 3, [3, 2], { padding: 1, stride: [1, 2], dilation: [1, 2] }] },
    'relu',
    { residual: [{ conv: [3, 3, 3, { padding: 'same', bias: false }] }] },
    { maxPool: [2] },
    { avgPool: [[1, 2], { stride: 1 }] },
    'flatten',
    { linear: [9, 4] },
  ];
  manualSeed(2);
  const { host } = makeNetwork(specs);
  const [rows, inputShape] = [3, [2, 6, 8]];
  const x = [...floats(rows * 96, 1)];
  const targets = [...integers(rows, 2, 4)];
  const { gradients, kinkDistance } = hostGradients(host, x, inputShape, targets);
  const h = 1e-6;
  expect(kinkDistance).toBeGreaterThan(100 * h);
  expect([...gradients.keys()]).toEqual(['0.weight', '0.bias', '2.0.weight', '6.weight', '6.bias']);

  const change = (
    layers: readonly HostLayer[],
    key: readonly string[],
    at: number,
    by: number,
  ): HostLayer[] =>
    layers.map((layer, i) => {
      const [first, ...rest] = key as [string, ...string[]];
      if (i !== Number(first)) return layer;
      const [name] = rest as [string];
      if (rest.length > 1) return { ...layer, inner: change(layer.inner, rest, at, by) };
      const moved = Array.from(layer.parameters[name] ?? [], (v, c) => (c === at ? v + by : v));
      return { ...layer, parameters: { ...layer.parameters, [name]: moved } };
    });
  for (const [key, gradient] of gradients) {
    gradient.forEach(({ value }, i) => {
      const moved = (by: number) =>
        hostGradients(change(host, key.split('.'), i, by), x, inputShape, targets).loss;
      expect(Math.abs((moved(h) - moved(-h)) / (2 * h) - value), `${key} ${i}`).toBeLessThan(1e-8);
    });
  }
});
