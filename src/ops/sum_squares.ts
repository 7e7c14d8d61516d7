// Launches sum_squares.wgsl.

import type { Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { sumSquares as kernel } from './kernels.generated.ts';

/** Most workgroups that share the sum, and so most partial sums. */
const mostParts = 256;

/** Records partial sums of squares, for `clipGradientNorm` to add up: bits of f32s, u32 [parts, 2]. */
export function sumSquares(recorder: Recorder, { label, x }: { label: string; x: Tensor }): Tensor {
  const size = elementCount(x.shape);
  const parts = Math.min(mostParts, Math.ceil(size / 256)); // 64 invocations, four elements each
  const partial = recorder.tensor(label, [parts, 2], 'u32');
  recorder.dispatch(kernel, { label, bindings: { x, partial }, params: { size }, workgroups: [parts, 1, 1] });
  return partial;
}
