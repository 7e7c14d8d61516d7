// Launches batch_norm_backward.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { batchNormRows } from './batch_norm.ts';
import { batchNormBackward as kernel } from './kernels.generated.ts';

/**
 * Records the gradient by the input of a batch norm by the batch's own statistics; 0 in rows that hold no data: past the
 * step's, `sample` of x's each. dy and x [rows, channels]; mean, inverse, weight (where there is one), dySum = Σ dy and
 * dyxSum = Σ dy·x̂ [channels] → [rows, channels].
 */
export function batchNormBackward(
  recorder: Recorder,
  options: {
    label: string;
    dy: Tensor;
    x: Tensor;
    sample: number;
    mean: Tensor;
    inverse: Tensor;
    weight: Tensor | undefined;
    dySum: Tensor;
    dyxSum: Tensor;
    step: Tensor;
  },
): Tensor {
  const { label, dy, x, sample, mean, inverse, weight, dySum, dyxSum, step } = options;
  const [rows, channels] = x.shape as [number, number];
  const dx = recorder.tensor(label, x.shape);
  const size = Math.ceil(rows / batchNormRows) * channels;
  recorder.dispatch(kernel, {
    label,
    bindings: {
      dy,
      x,
      mean,
      inverse,
      weight: weight ?? recorder.unused(),
      dy_sum: dySum,
      dyx_sum: dyxSum,
      dx,
      step,
    },
    params: { rows, channels, chunk: batchNormRows, sample, size },
    constants: { AFFINE: weight !== undefined },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  return dx;
}
