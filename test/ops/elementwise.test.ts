// bias_add.wgsl, relu.wgsl, relu_backward.wgsl, unpack_u8.wgsl and sgd.wgsl against float64.

import { expect, it } from 'vitest';
import { biasAdd } from '../../src/ops/bias_add.ts';
import { relu } from '../../src/ops/relu.ts';
import { reluBackward } from '../../src/ops/relu_backward.ts';
import { run } from '../../src/ops/run.ts';
import { sgd } from '../../src/ops/sgd.ts';
import { stepRecord } from '../../src/ops/step.ts';
import { unpackU8 } from '../../src/ops/unpack_u8.ts';
import { expectWithin, u, within } from '../support/compare.ts';
import { awkwardSizes, f32, floats, integers, triples, u8 } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();
const label = 'y';
const sizes = [...awkwardSizes, 65_537];
/** Needs more workgroups than fit one dimension of a grid. */
const folded = 64 * 65_535 + 1;

it('bias_add adds the bias to every row', async () => {
  const shapes = [
    ...triples(awkwardSizes, 3).map(([rows, columns]) => [rows, columns] as const),
    [65_537, 3] as const,
  ];
  for (const [rows, columns] of shapes) {
    const x = floats(rows * columns, rows);
    const bias = floats(columns, columns);
    const { y } = await run(device(), { x: f32(x, rows, columns), bias: f32(bias, columns) }, (r, t) => ({
      y: biasAdd(r, { label, ...t }),
    }));
    const exact = [...x].map((v, i) => v + (bias[i % columns] as number));
    expectWithin(
      'bias_add',
      y,
      exact.map((value) => ({ value, bound: u * Math.abs(value) })),
    );
  }
});

it('relu is exact, gives 0 at ±0 and keeps a NaN', async () => {
  for (const size of sizes) {
    const x = floats(size, size);
    x.set([Number.NaN, -0, 0, 1e-38, -1e-38, Number.POSITIVE_INFINITY].slice(0, size));
    const { y } = await run(device(), { x: f32(x, size) }, (r, t) => ({ y: relu(r, { label, ...t }) }));
    expect(y[0]).toBeNaN();
    // WGSL lets subnormal numbers be flushed to 0.
    const exact = [...x.slice(1)].map((v) => ({
      value: Math.max(0, v),
      bound: Math.abs(v) < 2 ** -126 ? 2 ** -126 : 0,
    }));
    expectWithin('relu', y.slice(1), exact);
  }
});

it('relu_backward is exact, and 0 where the output is 0', async () => {
  for (const size of sizes) {
    const dy = floats(size, size);
    const y = floats(size, size + 1).map((v, i) => (i % 3 === 0 ? 0 : Math.max(0, v)));
    const { dx } = await run(device(), { dy: f32(dy, size), y: f32(y, size) }, (r, t) => ({
      dx: reluBackward(r, { label, ...t }),
    }));
    expectWithin(
      'relu_backward',
      dx,
      within(
        [...dy].map((v, i) => ((y[i] as number) > 0 ? v : 0)),
        0,
      ),
    );
  }
});

it('unpack_u8 gives every byte divided by 255', async () => {
  for (const size of [256, ...awkwardSizes, 65_537]) {
    const x = size === 256 ? Uint32Array.from({ length: 256 }, (_, i) => i) : integers(size, size, 256);
    const { y } = await run(device(), { x: u8(x, size) }, (r, t) => ({ y: unpackU8(r, { label, ...t }) }));
    // WGSL asks for a correctly rounded quotient; allow a reciprocal multiplication, two roundings.
    expectWithin(
      'unpack_u8',
      y,
      [...x].map((v) => ({ value: v / 255, bound: 3 * u * (v / 255) })),
    );
  }
});

it('sgd moves every value against its gradient', async () => {
  const lr = 0.125;
  for (const size of sizes) {
    const value = floats(size, size);
    const gradient = floats(size, size + 1);
    gradient.set([0, 1e-20, 1e10].slice(0, size));
    const inputs = { value: f32(value, size), gradient: f32(gradient, size), step: stepRecord({ lr }) };
    const { after } = await run(device(), inputs, (r, t) => {
      sgd(r, { label, ...t });
      return { after: t.value };
    });
    // The product with a power of two is exact; the difference is rounded once.
    const exact = [...value].map((v, i) => v - lr * (gradient[i] as number));
    expectWithin(
      'sgd',
      after,
      exact.map((v) => ({ value: v, bound: u * Math.abs(v) + 1e-38 })),
    );
  }
});

it('folds grids that are too long for one dimension', async () => {
  const x = floats(folded, 1);
  const bias = floats(1, 2);
  const inputs = {
    x: f32(x, folded, 1),
    bias: f32(bias, 1),
    step: stepRecord({ lr: 0.5 }),
    value: f32(x, folded),
  };
  const found = await run(device(), inputs, (r, t) => {
    sgd(r, { label, value: t.value, gradient: t.x, step: t.step });
    const y = relu(r, { label, x: t.x });
    return {
      y,
      dx: reluBackward(r, { label, dy: t.x, y }),
      sum: biasAdd(r, { label, x: t.x, bias: t.bias }),
      value: t.value,
    };
  });
  const wrong = { y: 0, dx: 0, sum: 0, value: 0 };
  for (let i = 0; i < folded; i++) {
    const v = x[i] as number;
    const rectified = v > 0 ? v : 0;
    if (found.y[i] !== rectified) wrong.y++;
    if (found.dx[i] !== rectified) wrong.dx++;
    if (found.sum[i] !== Math.fround(v + (bias[0] as number))) wrong.sum++;
    if (found.value[i] !== v / 2) wrong.value++;
  }
  expect(wrong).toEqual({ y: 0, dx: 0, sum: 0, value: 0 });
});
