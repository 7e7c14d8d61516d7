// Launches batch_norm_backward_sums.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { batchNormChunk } from './batch_norm_statistics.ts';
import { batchNormBackwardSums as kernel } from './kernels.generated.ts';

/**
 * Records Σ dy and Σ dy·x̂ of each column, with x̂ = (x - mean)·inverse, over chunks of the rows that hold data: the step's,
 * `sample` of x's each. dy and x [rows, channels], mean and inverse [channels] → both [chunks, channels], for `columnSum`.
 */
export function batchNormBackwardSums(
  recorder: Recorder,
  options: {
    label: string;
    dy: Tensor;
    x: Tensor;
    sample: number;
    mean: Tensor;
    inverse: Tensor;
    step: Tensor;
  },
): { dySum: Tensor; dyxSum: Tensor } {
  const { label, dy, x, sample, mean, inverse, step } = options;
  const [rows, channels] = x.shape as [number, number];
  const chunk = batchNormChunk(rows);
  const chunks = Math.ceil(rows / chunk);
  const dySum = recorder.tensor(`${label}.dy`, [chunks, channels]);
  const dyxSum = recorder.tensor(`${label}.dyx`, [chunks, channels]);
  const size = chunks * channels;
  recorder.dispatch(kernel, {
    label,
    bindings: { dy, x, mean, inverse, dy_sum: dySum, dyx_sum: dyxSum, step },
    params: { channels, chunk, sample, size },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  return { dySum, dyxSum };
}
