// Launches transpose.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { transpose as kernel } from './kernels.generated.ts';

/** Records the transposes of matrices. x [batch, rows, columns] → [batch, columns, rows], into `y` where that is given. */
export function transpose(
  recorder: Recorder,
  options: { readonly label: string; readonly x: Tensor; readonly y?: Tensor },
): Tensor {
  const { label, x } = options;
  const [batch, rows, columns] = x.shape as [number, number, number];
  const { y = recorder.tensor(label, [batch, columns, rows]) } = options;
  const size = elementCount(x.shape);
  recorder.dispatch(kernel, {
    label,
    bindings: { x, y },
    params: { rows, columns, size },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  return y;
}
