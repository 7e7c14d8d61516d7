// batch_norm_statistics.wgsl, batch_norm_merge.wgsl, batch_norm.wgsl, batch_norm_backward_sums.wgsl and
// batch_norm_backward.wgsl against float64.

import { expect, it } from 'vitest';
import type { Recorder } from '../../src/gpu/plan.ts';
import type { Tensor } from '../../src/gpu/tensor.ts';
import { batchNorm } from '../../src/ops/batch_norm.ts';
import { batchNormBackward } from '../../src/ops/batch_norm_backward.ts';
import { batchNormBackwardSums } from '../../src/ops/batch_norm_backward_sums.ts';
import { batchNormChunk, batchNormStatistics } from '../../src/ops/batch_norm_statistics.ts';
import * as reference from '../../src/ops/reference.ts';
import { run } from '../../src/ops/run.ts';
import { stepRecord } from '../../src/ops/step.ts';
import { expectWithin } from '../support/compare.ts';
import { awkwardSizes, f32, floats, manyRows } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import { runEach } from '../support/run-each.ts';

const device = useDevice();
const label = 'y';
const [eps, momentum] = [1e-5, 0.3];
const sizes = [...awkwardSizes, manyRows];
const widthsOf = (rows: number) => (rows === manyRows ? [5] : [1, 2, 15, 16, 17, 64, 65]);

/** How many samples of how many rows: some of them may be padding. */
function shapesOf(samples: number) {
  return widthsOf(samples).flatMap((channels, i) => {
    const sample = samples === manyRows ? 1 : 1 + (i % 3);
    return [...new Set([samples, Math.ceil(samples / 2), 1])].map((valid) => ({
      samples,
      channels,
      sample,
      rows: samples * sample,
      valid,
      data: valid * sample,
    }));
  });
}

/** Columns from [-1, 1) to [999, 1001), in turns: squares of the latter cancel. */
const spreadOut = (x: Float32Array, channels: number) => x.map((v, i) => v + ((i % channels) % 2) * 1000);

/** NaNs in rows that hold no data. */
const padded = (x: Float32Array, from: number) => x.fill(Number.NaN, from);

const runningOf = (channels: number) => ({
  runningMean: f32(floats(channels, 1), channels),
  runningVar: f32(floats(channels, 2, 0, 2), channels),
  batches: f32([41], 1),
});

type StatisticsInputs = Readonly<Record<'x' | 'runningMean' | 'runningVar' | 'batches' | 'step', Tensor>>;
const statisticsOf = (r: Recorder, t: StatisticsInputs, sample: number) =>
  batchNormStatistics(r, {
    label,
    x: t.x,
    sample,
    running: { mean: t.runningMean, variance: t.runningVar, batches: t.batches },
    eps,
    momentum,
    step: t.step,
  });

it.each(sizes)(
  'mean, deviation and running statistics of %i samples, some of them padding',
  async (samples) => {
    const shapes = shapesOf(samples);
    const trials = shapes.map(({ rows, channels, data, valid }) => ({
      x: f32(padded(spreadOut(floats(rows * channels, rows), channels), data * channels), rows, channels),
      ...runningOf(channels),
      step: stepRecord({ rows: valid }),
    }));
    const found = await runEach(device(), trials, (r, t, i) => ({
      ...statisticsOf(r, t, shapes[i]?.sample as number),
      runningMean: t.runningMean,
      runningVar: t.runningVar,
      batches: t.batches,
    }));
    shapes.forEach(({ rows, channels, data }, i) => {
      const { x, runningMean, runningVar } = trials[i] as (typeof trials)[0];
      const chunk = batchNormChunk(rows);
      const parts = reference.batchNormStatistics(x.data, data, channels, chunk);
      const running = { mean: runningMean.data, variance: runningVar.data };
      const all = reference.batchNormMerge(parts, data, channels, { chunk, eps, momentum, running });
      const result = found[i] as (typeof found)[0];
      expectWithin('batch_norm_merge mean', result.mean, all.mean);
      expectWithin('batch_norm_merge inverse', result.inverse, all.inverse);
      expectWithin('batch_norm_merge running_mean', result.runningMean, all.runningMean);
      expectWithin('batch_norm_merge running_var', result.runningVar, all.runningVar);
      expect([...result.batches]).toEqual([42]);
    });
  },
);

it('the statistics of equal values are exact, and one row has a variance of 0', async () => {
  for (const [rows, channels] of [
    [1, 3],
    [700, 2],
  ] as const) {
    const value = 1234.567;
    const trial = {
      x: f32(new Float32Array(rows * channels).fill(value), rows, channels),
      ...runningOf(channels),
    };
    const found = await run(device(), { ...trial, step: stepRecord({ rows }) }, (r, t) => ({
      ...statisticsOf(r, t, 1),
      runningVar: t.runningVar,
    }));
    expect([...found.mean]).toEqual(new Array(channels).fill(Math.fround(value)));
    const inverse = reference.batchNormInverse(reference.within(new Array(channels).fill(0), 0), eps);
    expectWithin('batch_norm_merge of equal values', found.inverse, inverse);
    const kept = trial.runningVar.data.map((v) => (1 - Math.fround(momentum)) * v);
    expectWithin(
      'batch_norm_merge running_var of equal values',
      found.runningVar,
      reference.within(kept, 1e-6),
    );
  }
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 3e38])(
  'a %d in a channel makes all of it NaN, and none of the others, unless it is padding',
  async (bad) => {
    const [rows, channels, valid] = [150, 3, 100];
    const trials = Array.from({ length: rows }, (_, at) => ({
      x: f32(floats(rows * channels, at).with(at * channels + 1, bad), rows, channels),
      ...runningOf(channels),
      step: stepRecord({ rows: valid }),
    }));
    const found = await runEach(device(), trials, (r, t) => {
      const { mean, inverse } = statisticsOf(r, t, 1);
      const y = batchNorm(r, {
        label,
        x: t.x,
        sample: 1,
        step: t.step,
        mean,
        spread: { inverse },
        affine: undefined,
      });
      return { inverse, y };
    });
    found.forEach(({ inverse, y }, at) => {
      const broken = at < valid;
      expect(Array.from(inverse, Number.isNaN), `row ${at}`).toEqual([false, broken, false]);
      const nans = Array.from(y, Number.isNaN);
      expect(nans, `row ${at}`).toEqual(
        nans.map((_, i) => broken && i % channels === 1 && i < valid * channels),
      );
    });
  },
);

const affineOf = (channels: number) => ({
  weight: f32(floats(channels, 3), channels),
  bias: f32(floats(channels, 4), channels),
});

it.each(sizes)('shifts and scales %i samples by either statistics, and makes padding 0', async (samples) => {
  const shapes = shapesOf(samples);
  const trials = shapes.map(({ rows, channels, data, valid }) => ({
    x: f32(padded(floats(rows * channels, rows, -3, 3), data * channels), rows, channels),
    mean: f32(floats(channels, 5), channels),
    spread: f32(floats(channels, 6, 0.1, 2), channels),
    ...affineOf(channels),
    step: stepRecord({ rows: valid }),
  }));
  const found = await runEach(device(), trials, (r, t, i) => {
    const of = { label, x: t.x, mean: t.mean, step: t.step, sample: shapes[i]?.sample as number };
    const affine = { weight: t.weight, bias: t.bias };
    const [batch, running] = [{ inverse: t.spread }, { variance: t.spread, eps }];
    return {
      batch: batchNorm(r, { ...of, spread: batch, affine: undefined }),
      batchAffine: batchNorm(r, { ...of, spread: batch, affine }),
      running: batchNorm(r, { ...of, spread: running, affine: undefined }),
      runningAffine: batchNorm(r, { ...of, spread: running, affine }),
    };
  });
  shapes.forEach(({ rows, channels, data }, i) => {
    const { x, mean, spread, weight, bias } = trials[i] as (typeof trials)[0];
    const [batch, running] = [
      reference.within(spread.data, 0),
      reference.batchNormInverse(reference.within(spread.data, 0), eps),
    ];
    const y = (inverse: readonly reference.Bounded[], affine: boolean) => [
      ...reference.batchNorm(
        x.data.slice(0, data * channels),
        channels,
        { mean: reference.within(mean.data, 0), inverse },
        affine ? { weight: weight.data, bias: bias.data } : undefined,
      ),
      ...reference.within(new Float32Array((rows - data) * channels), 0),
    ];
    const result = found[i] as (typeof found)[0];
    expectWithin('batch_norm', result.batch, y(batch, false));
    expectWithin('batch_norm AFFINE', result.batchAffine, y(batch, true));
    expectWithin('batch_norm RUNNING', result.running, y(running, false));
    expectWithin('batch_norm RUNNING AFFINE', result.runningAffine, y(running, true));
  });
});

it('a running variance that is not finite shows', async () => {
  const bad = [Number.NaN, Number.POSITIVE_INFINITY, 1];
  const inputs = {
    x: f32([1, 2, 3], 1, 3),
    mean: f32([0, 0, 0], 3),
    variance: f32(bad, 3),
    step: stepRecord({ rows: 1 }),
  };
  const { y } = await run(device(), inputs, (r, { variance, ...t }) => ({
    y: batchNorm(r, { label, ...t, sample: 1, spread: { variance, eps }, affine: undefined }),
  }));
  expect(Array.from(y, Number.isNaN)).toEqual([true, true, false]);
});

it.each(sizes)('the gradient of %i samples, and the sums that it needs', async (samples) => {
  const shapes = shapesOf(samples);
  const trials = shapes.map(({ rows, channels, data, valid }) => ({
    dy: f32(padded(floats(rows * channels, rows + 1), data * channels), rows, channels),
    x: f32(padded(floats(rows * channels, rows, -3, 3), data * channels), rows, channels),
    mean: f32(floats(channels, 5), channels),
    inverse: f32(floats(channels, 6, 0.1, 2), channels),
    weight: f32(floats(channels, 7), channels),
    dySum: f32(floats(channels, 8, -4, 4), channels),
    dyxSum: f32(floats(channels, 9, -4, 4), channels),
    step: stepRecord({ rows: valid }),
  }));
  const found = await runEach(device(), trials, (r, { weight, dySum, dyxSum, ...t }, i) => {
    const of = { label, ...t, sample: shapes[i]?.sample as number };
    const sums = batchNormBackwardSums(r, of);
    return {
      partDySum: sums.dySum,
      partDyxSum: sums.dyxSum,
      dx: batchNormBackward(r, { ...of, weight: undefined, dySum, dyxSum }),
      dxAffine: batchNormBackward(r, { ...of, weight, dySum, dyxSum }),
    };
  });
  shapes.forEach(({ rows, channels, data }, i) => {
    const { dy, x, mean, inverse, weight, dySum, dyxSum } = trials[i] as (typeof trials)[0];
    const normal = { mean: reference.within(mean.data, 0), inverse: reference.within(inverse.data, 0) };
    const chunk = batchNormChunk(rows);
    const sums = reference.batchNormBackwardSums(dy.data, x.data, data, channels, chunk, normal);
    const result = found[i] as (typeof found)[0];
    const zeros = (count: number) => reference.within(new Float32Array(count), 0);
    const all = (parts: readonly reference.Bounded[]) => [
      ...parts,
      ...zeros(result.partDySum.length - parts.length),
    ];
    expectWithin('batch_norm_backward_sums dy', result.partDySum, all(sums.dySum));
    expectWithin('batch_norm_backward_sums dyx', result.partDyxSum, all(sums.dyxSum));
    const dx = (w: ArrayLike<number> | undefined) => [
      ...reference.batchNormBackward(
        dy.data.slice(0, data * channels),
        x.data.slice(0, data * channels),
        channels,
        {
          ...normal,
          weight: w,
          dySum: reference.within(dySum.data, 0),
          dyxSum: reference.within(dyxSum.data, 0),
        },
      ),
      ...zeros((rows - data) * channels),
    ];
    expectWithin('batch_norm_backward', result.dx, dx(undefined));
    expectWithin('batch_norm_backward AFFINE', result.dxAffine, dx(weight.data));
  });
});

it.each([Number.NaN, Number.POSITIVE_INFINITY])(
  'a %d among dy reaches both sums of its chunk',
  async (bad) => {
    const [rows, channels] = [70, 3];
    const inputs = {
      dy: f32(floats(rows * channels, 3).with(4, bad), rows, channels),
      x: f32(floats(rows * channels, 4), rows, channels),
      mean: f32(floats(channels, 1), channels),
      inverse: f32(floats(channels, 2, 0.5, 2), channels),
      step: stepRecord({ rows }),
    };
    const found = await run(device(), inputs, (r, t) => batchNormBackwardSums(r, { label, ...t, sample: 1 }));
    for (const sums of [found.dySum, found.dyxSum])
      expect(Array.from(sums, Number.isFinite)).toEqual(Array.from(sums, (_, i) => i !== 1));
  },
);
