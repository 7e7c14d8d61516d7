// Launches layer_norm_backward.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { layerNormBackward as kernel } from './kernels.generated.ts';
import type { RowStatistics } from './layer_norm.ts';

/**
 * Records the gradient by a layer norm's input, and with `weightTerms` what the columns of sum up to the gradient by its
 * weight: dy · x̂. x, dy [rows, columns]; weight [columns], or left out.
 */
export function layerNormBackward(
  recorder: Recorder,
  options: {
    label: string;
    x: Tensor;
    dy: Tensor;
    statistics: RowStatistics;
    weight?: Tensor | undefined;
    weightTerms?: boolean;
  },
): { readonly dx: Tensor; readonly terms: Tensor | undefined } {
  const { label, x, dy, statistics, weight, weightTerms = false } = options;
  const [rows, columns] = x.shape as [number, number];
  const dx = recorder.tensor(label, [rows, columns]);
  const terms = weightTerms ? recorder.tensor(`${label}.terms`, [rows, columns]) : undefined;
  recorder.dispatch(kernel, {
    label,
    bindings: {
      x,
      dy,
      mean: statistics.mean,
      inverse: statistics.inverse,
      weight: weight ?? recorder.unused(),
      dx,
      terms: terms ?? recorder.unused(),
    },
    params: { rows, columns },
    constants: { AFFINE: weight !== undefined, TERMS: weightTerms },
    workgroups: foldGrid(rows),
  });
  return { dx, terms };
}
