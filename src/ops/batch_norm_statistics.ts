// Launches batch_norm_statistics.wgsl and batch_norm_merge.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { batchNormMerge as merge, batchNormStatistics as statistics } from './kernels.generated.ts';

/** What a batch norm keeps for evaluations, updated in place: mean and variance [channels], and how many batches went in, [1]. */
export interface RunningStatistics {
  readonly mean: Tensor;
  readonly variance: Tensor;
  readonly batches: Tensor;
}

/** Rows that one invocation adds up: few enough to keep many of them busy, and as many as leave few sums to merge. */
export const batchNormChunk = (rows: number): number => Math.max(32, Math.ceil(Math.sqrt(rows) / 2));

/**
 * Records the mean and 1 / √(biased variance + eps) of each column of x [rows, channels], over the rows that hold data: the
 * step's, `sample` of x's each. Both [channels]. Moves the running statistics towards them by `momentum`.
 */
export function batchNormStatistics(
  recorder: Recorder,
  options: {
    label: string;
    x: Tensor;
    sample: number;
    running: RunningStatistics;
    eps: number;
    momentum: number;
    step: Tensor;
  },
): { mean: Tensor; inverse: Tensor } {
  const { label, x, sample, running, eps, momentum, step } = options;
  const [rows, channels] = x.shape as [number, number];
  const chunk = batchNormChunk(rows);
  const chunks = Math.ceil(rows / chunk);
  const partMean = recorder.tensor(`${label}.parts.mean`, [chunks, channels]);
  const partM2 = recorder.tensor(`${label}.parts.m2`, [chunks, channels]);
  const size = chunks * channels;
  recorder.dispatch(statistics, {
    label: `${label}.parts`,
    bindings: { x, mean: partMean, m2: partM2, step },
    params: { channels, chunk, sample, size },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  const mean = recorder.tensor(`${label}.mean`, [channels]);
  const inverse = recorder.tensor(`${label}.inverse`, [channels]);
  recorder.dispatch(merge, {
    label,
    bindings: {
      part_mean: partMean,
      part_m2: partM2,
      mean,
      inverse,
      running_mean: running.mean,
      running_var: running.variance,
      batches: running.batches,
      step,
    },
    params: { channels, chunk, sample, eps, momentum },
    workgroups: [Math.ceil(channels / 16), 1, 1],
  });
  return { mean, inverse };
}
