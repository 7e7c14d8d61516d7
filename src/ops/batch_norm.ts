// Launches batch_norm.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { batchNorm as kernel } from './kernels.generated.ts';

/** Rows of a column that one invocation makes, forward and back. */
export const batchNormRows = 16;

/** What shifts and scales the columns of [rows, channels]: all [channels]. */
export interface BatchNormColumns {
  readonly mean: Tensor;
  /** 1 / √(variance + eps), or a variance and the eps that is to be added to it. */
  readonly spread: { readonly inverse: Tensor } | { readonly variance: Tensor; readonly eps: number };
  readonly affine: { readonly weight: Tensor; readonly bias: Tensor } | undefined;
}

/**
 * Records (x - mean) / √(variance + eps) · weight + bias, and 0 in rows that hold no data: past the step's, `sample` of x's
 * each. x [rows, channels] → likewise.
 */
export function batchNorm(
  recorder: Recorder,
  options: BatchNormColumns & { label: string; x: Tensor; sample: number; step: Tensor },
): Tensor {
  const { label, x, sample, step, mean, spread, affine } = options;
  const [rows, channels] = x.shape as [number, number];
  const y = recorder.tensor(label, x.shape);
  const size = Math.ceil(rows / batchNormRows) * channels;
  const running = 'variance' in spread;
  recorder.dispatch(kernel, {
    label,
    bindings: {
      x,
      mean,
      spread: running ? spread.variance : spread.inverse,
      weight: affine?.weight ?? recorder.unused(),
      bias: affine?.bias ?? recorder.unused(),
      y,
      step,
    },
    params: { rows, channels, chunk: batchNormRows, sample, size, eps: running ? spread.eps : 0 },
    constants: { RUNNING: running, AFFINE: affine !== undefined },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  return y;
}
