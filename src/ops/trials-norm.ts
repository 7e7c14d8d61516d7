// Trials of the kernels of batch norm: on batches that are not full, far enough from 0 that squares would cancel.

import * as reference from './reference.ts';
import { type Bounded, within } from './reference.ts';
import { nan, nothing, partOf, type Subject, type Trials } from './trial.ts';

const zero: Bounded = { value: 0, bound: 0 };

/** `values`, and then `filler` to make up `count`. */
const filled = (values: readonly Bounded[], count: number, filler: Bounded): Bounded[] => [
  ...values,
  ...Array.from({ length: count - values.length }, () => filler),
];

/** Sizes of [rows, channels], and how many of the rows hold data. */
function sizesOf({ params }: Subject, elements: number) {
  const { channels, sample } = params as { channels: number; sample: number };
  const samples = Math.max(1, Math.round(elements / channels / sample));
  const step = { rows: partOf(samples) };
  const rows = step.rows * sample;
  return { channels, step, rows, data: rows * channels };
}

const statistics = ({ floats }: Subject, channels: number) => {
  const [mean, inverse] = [floats(channels), floats(channels, 0.5, 2)];
  return { mean, inverse, normal: { mean: within(mean, 0), inverse: within(inverse, 0) } };
};

/** Trials of the kernels of batch norm. */
export const normTrials: Trials<
  | 'batch_norm'
  | 'batch_norm_backward'
  | 'batch_norm_backward_sums'
  | 'batch_norm_merge'
  | 'batch_norm_statistics'
> = {
  batch_norm_statistics(subject) {
    const { params, count, floats } = subject;
    const { channels, step, rows, data } = sizesOf(subject, count('x'));
    const x = floats(count('x'), 99, 101);
    const parts = count('mean');
    const { mean, m2 } = reference.batchNormStatistics(
      x.slice(0, data),
      rows,
      channels,
      params.chunk as number,
    );
    const broken = x.with(0, Number.NaN);
    const inputs = { x, mean: nothing(parts), m2: nothing(parts) };
    return [
      { inputs, expected: { mean: filled(mean, parts, nan), m2: filled(m2, parts, nan) }, step },
      {
        inputs: { ...inputs, x: broken },
        expected: { mean: filled(mean, parts, nan).with(0, nan), m2: filled(m2, parts, nan).with(0, nan) },
        step,
      },
    ];
  },

  batch_norm_merge({ params, count, floats }) {
    const { channels, chunk, sample, eps, momentum } = params as Record<string, number> & {
      channels: number;
      chunk: number;
      sample: number;
      eps: number;
      momentum: number;
    };
    const parts = count('part_mean');
    // As many rows as make up all chunks but a part of the last.
    const step = { rows: Math.max(1, Math.floor((chunk * (parts / channels)) / sample)) };
    const rows = step.rows * sample;
    const [means, m2] = [floats(parts, 99, 101), floats(parts, 0, 2 * chunk)];
    const running = { mean: floats(channels), variance: floats(channels, 0.5, 2) };
    const result = reference.batchNormMerge({ mean: within(means, 0), m2: within(m2, 0) }, rows, channels, {
      chunk,
      eps,
      momentum,
      running,
    });
    const inputs = {
      part_mean: means,
      part_m2: m2,
      mean: nothing(channels),
      inverse: nothing(channels),
      running_mean: running.mean,
      running_var: running.variance,
      batches: Float32Array.of(7),
    };
    const batches = [{ value: 8, bound: 0 }];
    const { mean, inverse, runningMean: running_mean, runningVar: running_var } = result;
    return [
      { inputs, expected: { mean, inverse, running_mean, running_var, batches }, step },
      {
        inputs: { ...inputs, part_m2: m2.with(0, Number.POSITIVE_INFINITY) },
        expected: { inverse: inverse.with(0, nan) },
        step,
      },
    ];
  },

  batch_norm(subject) {
    const { params, on, count, floats } = subject;
    const { channels, step, data } = sizesOf(subject, count('x'));
    const x = floats(count('x'));
    const { mean, inverse } = statistics(subject, channels);
    const affine = on('AFFINE') ? { weight: floats(channels), bias: floats(channels) } : undefined;
    const normal = {
      mean: within(mean, 0),
      inverse: on('RUNNING')
        ? reference.batchNormInverse(within(inverse, 0), params.eps as number)
        : within(inverse, 0),
    };
    const y = reference.batchNorm(x.slice(0, data), channels, normal, affine);
    const { weight = nothing(1), bias = nothing(1) } = affine ?? {};
    const inputs = { x, mean, spread: inverse, weight, bias, y: nothing(x.length) };
    const expected = { y: filled(y, x.length, zero) };
    return [
      { inputs, expected, step },
      {
        inputs: { ...inputs, x: x.with(0, Number.NaN) },
        expected: { y: expected.y.with(0, nan) },
        step,
      },
    ];
  },

  batch_norm_backward_sums(subject) {
    const { params, count, floats } = subject;
    const { channels, step, rows } = sizesOf(subject, count('x'));
    const [dy, x] = [floats(count('x')), floats(count('x'))];
    const { mean, inverse, normal } = statistics(subject, channels);
    const parts = count('dy_sum');
    const chunk = params.chunk as number;
    const { dySum, dyxSum } = reference.batchNormBackwardSums(dy, x, rows, channels, chunk, normal);
    return [
      {
        inputs: { dy, x, mean, inverse, dy_sum: nothing(parts), dyx_sum: nothing(parts) },
        expected: { dy_sum: filled(dySum, parts, zero), dyx_sum: filled(dyxSum, parts, zero) },
        step,
      },
    ];
  },

  batch_norm_backward(subject) {
    const { on, count, floats } = subject;
    const { channels, step, data } = sizesOf(subject, count('x'));
    const [dy, x] = [floats(count('x')), floats(count('x'))];
    const { mean, inverse, normal } = statistics(subject, channels);
    const [dySum, dyxSum] = [floats(channels), floats(channels)];
    const weight = on('AFFINE') ? floats(channels) : undefined;
    const dx = reference.batchNormBackward(dy.slice(0, data), x.slice(0, data), channels, {
      ...normal,
      weight,
      dySum: within(dySum, 0),
      dyxSum: within(dyxSum, 0),
    });
    const sums = { dy_sum: dySum, dyx_sum: dyxSum };
    const inputs = { dy, x, mean, inverse, weight: weight ?? nothing(1), ...sums, dx: nothing(x.length) };
    return [{ inputs, expected: { dx: filled(dx, x.length, zero) }, step }];
  },
};
