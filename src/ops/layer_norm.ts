// Launches layer_norm.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { layerNorm as kernel } from './kernels.generated.ts';

/** Factors and terms of the columns, [columns] both. */
export interface Affine {
  readonly weight: Tensor;
  readonly bias: Tensor;
}

/** The statistics of each row, [rows] both. */
export interface RowStatistics {
  readonly mean: Tensor;
  /** 1 / √(variance + eps). */
  readonly inverse: Tensor;
}

/** Records (x - mean) / √(variance + eps) of each row, times weight plus bias [columns] where there is an `affine`. x [rows, columns]. */
export function layerNorm(
  recorder: Recorder,
  options: { label: string; x: Tensor; affine?: Affine | undefined; eps: number },
): RowStatistics & { readonly y: Tensor } {
  const { label, x, affine, eps } = options;
  const [rows, columns] = x.shape as [number, number];
  const y = recorder.tensor(label, [rows, columns]);
  const mean = recorder.tensor(`${label}.mean`, [rows]);
  const inverse = recorder.tensor(`${label}.inverse`, [rows]);
  recorder.dispatch(kernel, {
    label,
    bindings: {
      x,
      weight: affine?.weight ?? recorder.unused(),
      bias: affine?.bias ?? recorder.unused(),
      y,
      mean,
      inverse,
    },
    params: { rows, columns, eps },
    constants: { AFFINE: affine !== undefined },
    workgroups: foldGrid(rows),
  });
  return { y, mean, inverse };
}
