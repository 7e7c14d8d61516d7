// sum_squares.wgsl and clip_gradient.wgsl against float64.

import { expect, it } from 'vitest';
import type { Recorder } from '../../src/gpu/plan.ts';
import { clipGradientNorm, clipGradientValue } from '../../src/ops/clip_gradient.ts';
import * as reference from '../../src/ops/reference.ts';
import { run } from '../../src/ops/run.ts';
import { sumSquares } from '../../src/ops/sum_squares.ts';
import { expectWithin } from '../support/compare.ts';
import { awkwardSizes, f32, floats } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import { runEach } from '../support/run-each.ts';

const device = useDevice();
const label = 'clip';
/** Any number of elements in the last four, and of four elements in a workgroup; more than 256 workgroups take at once. */
const sizes = [4, 5, 6, ...awkwardSizes, 1023, 1025, 256 * 256 + 3, 256 * 600 + 1];
const partsOf = (size: number) => Math.min(256, Math.ceil(size / 256));

/** Bits of f32s as numbers. */
const floatsOf = (bits: ArrayLike<number>) => new Float32Array(Uint32Array.from(bits).buffer);

/** With gradients below and above the size from which they are summed apart. */
function gradients(size: number, huge: boolean): Float32Array {
  const x = floats(size, size);
  if (!huge) return x;
  return x.map((v, i) => (i % 3 === 0 ? v * 2 ** 31 : i % 3 === 1 ? v * 2 ** 40 : v));
}

it('sum_squares adds up squares, the large ones apart', async () => {
  const trials = sizes.flatMap((size) =>
    [false, true].map((huge) => ({ x: f32(gradients(size, huge), size) })),
  );
  trials.push(
    { x: f32([2 ** 32, 2 ** 32 - 256, -(2 ** 32), -(2 ** 32) + 256, 0], 5) },
    { x: f32([3e38, -3e38, 1e-30], 3) },
  );
  const found = await runEach(device(), trials, (r, { x }) => ({ partial: sumSquares(r, { label, x }) }));
  trials.forEach(({ x }, i) => {
    const sums = floatsOf(found[i]?.partial ?? []);
    expectWithin('sum_squares', sums, reference.sumSquares(x.data, partsOf(x.data.length)));
  });
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  'sum_squares finds a %d wherever it is, and clip_gradient then leaves all as it is',
  async (bad) => {
    const size = 3 * 256 + 66;
    const places = [0, 1, 2, 3, 4, 63, 64, 255, 256, 511, 512, 767, 768, size - 2, size - 1];
    const trials = places.map((at) => ({ gradient: f32(floats(size, 1).with(at, bad), size) }));
    const found = await runEach(device(), trials, (r, { gradient }) => {
      const partial = sumSquares(r, { label, x: gradient });
      clipGradientNorm(r, { label, gradient, limit: 0.1 });
      return { partial, gradient };
    });
    found.forEach(({ partial, gradient }, i) => {
      const broken = floatsOf(partial).map((v, at) => (at % 2 === 1 && !Number.isFinite(v) ? 1 : 0));
      const whose = Math.floor((places[i] as number) / 256);
      expect([...broken]).toEqual([0, 1, 2, 3].flatMap((part) => [0, part === whose ? 1 : 0]));
      const bitsOf = (data: ArrayBufferView) => new Uint8Array(data.buffer as ArrayBuffer);
      expect(bitsOf(gradient)).toEqual(bitsOf((trials[i] as (typeof trials)[number]).gradient.data));
    });
  },
);

it.each([
  { limit: 0.5, huge: false },
  { limit: 1e4, huge: false },
  { limit: 0, huge: false },
  { limit: 0.5, huge: true },
  { limit: 3e38, huge: true },
])('clip_gradient brings the norm to $limit, large gradients $huge', async ({ limit, huge }) => {
  const trials = sizes.map((size) => ({ gradient: f32(gradients(size, huge), size) }));
  const found = await runEach(device(), trials, (r, { gradient }) => {
    const partial = sumSquares(r, { label, x: gradient });
    clipGradientNorm(r, { label, gradient, limit });
    return { partial, gradient };
  });
  trials.forEach(({ gradient }, i) => {
    const partial = floatsOf(found[i]?.partial ?? []);
    const expected = reference.clipGradientNorm(gradient.data, partial, limit);
    expectWithin('clip_gradient', found[i]?.gradient ?? [], expected);
    const squares = Array.from(found[i]?.gradient ?? [], (v) => v ** 2);
    expect(Math.sqrt(squares.reduce((sum, v) => sum + v, 0))).toBeLessThanOrEqual(limit * (1 + 1e-5));
  });
});

it('clip_gradient adds 1e-6 to the norm, as PyTorch does', async () => {
  const { gradient } = await run(device(), { gradient: f32([3e-9, 4e-9], 2) }, (r, { gradient }) => {
    clipGradientNorm(r, { label, gradient, limit: 1e-9 });
    return { gradient };
  });
  // The norm is next to nothing: what rounds is the quotient (5 u) and products (2 u each).
  const factor = 1e-9 / (5e-9 + 1e-6);
  expectWithin(
    'clip_gradient',
    gradient,
    [3e-9, 4e-9].map((v) => ({ value: factor * v, bound: 10 * reference.u * factor * v })),
  );
});

it('clip_gradient clips gradients that are all huge, or all but one', async () => {
  const all = [
    [1e20, -1e20, 1e20],
    [1e37, 1e37, -1e37],
    [1e20, 1, 0],
  ].map((values) => ({ gradient: f32(values, values.length) }));
  const found = await runEach(device(), all, (r, { gradient }) => {
    clipGradientNorm(r, { label, gradient, limit: 2 });
    return { gradient };
  });
  all.forEach(({ gradient }, i) => {
    const norm = Math.hypot(...gradient.data);
    const expected = Array.from(gradient.data, (v) => ({
      value: (2 * v) / norm,
      bound: 40 * reference.u * Math.abs((2 * v) / norm),
    }));
    expectWithin('clip_gradient', found[i]?.gradient ?? [], expected);
  });
});

it('clip_gradient sees what is not finite in any of many parts', async () => {
  const parts = 200;
  const size = 256 * parts;
  const trials = [0, 3, 63, 64, 70, parts - 1].map((part) => ({
    gradient: f32(floats(size, part).with(256 * part + 5, Number.NaN), size),
  }));
  const found = await runEach(device(), trials, (r, { gradient }) => {
    clipGradientNorm(r, { label, gradient, limit: 0.1 });
    return { gradient };
  });
  trials.forEach(({ gradient }, i) => {
    const same = Array.from(gradient.data, (value) => ({ value, bound: 0 }));
    expectWithin('clip_gradient broken', found[i]?.gradient ?? [], same);
  });
});

it('clip_gradient keeps every value within the limit, and what is not finite as it is', async () => {
  const { NaN: nan, POSITIVE_INFINITY: infinity } = Number;
  const trials = sizes.map((size) => {
    const x = floats(size, size);
    if (size > 8) x.set([nan, infinity, -infinity, 3e38, -3e38, 0.25, -0.25, 0]);
    return { gradient: f32(x, size) };
  });
  const found = await runEach(device(), trials, (r, { gradient }) => {
    clipGradientValue(r, { label, gradient, limit: 0.25 });
    return { gradient };
  });
  trials.forEach(({ gradient }, i) => {
    expectWithin(
      'clip_gradient value',
      found[i]?.gradient ?? [],
      reference.clipGradientValue(gradient.data, 0.25),
    );
  });
});

it('clip_gradient finds its elements in a grid of any shape', async () => {
  const size = 3001;
  const x = floats(size, 1);
  for (const height of [1, 2, 7]) {
    const inputs = { norm: f32(x, size), value: f32(x, size) };
    const found = await run(device(), inputs, (recorder, t) => {
      const folded: Recorder = {
        ...recorder,
        dispatch(kernel, request) {
          const [groups] = request.workgroups;
          const workgroups = [Math.ceil(groups / height) + 1, height, 1] as const;
          recorder.dispatch(kernel, kernel.name === 'clip_gradient' ? { ...request, workgroups } : request);
        },
      };
      clipGradientNorm(folded, { label, gradient: t.norm, limit: 0.5 });
      clipGradientValue(folded, { label, gradient: t.value, limit: 0.5 });
      return { norm: t.norm, value: t.value };
    });
    const partial = reference.sumSquares(x, partsOf(size)).map(({ value }) => value);
    expectWithin('clip_gradient', found.norm, reference.clipGradientNorm(x, partial, 0.5));
    expectWithin('clip_gradient value', found.value, reference.clipGradientValue(x, 0.5));
  }
});
