// Launches add.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { add as kernel } from './kernels.generated.ts';

/** Records y = a + b, elementwise. a and b of one shape → the same. */
export function add(recorder: Recorder, options: { label: string; a: Tensor; b: Tensor }): Tensor {
  const { label, a, b } = options;
  const y = recorder.tensor(label, a.shape);
  const size = elementCount(a.shape);
  recorder.dispatch(kernel, {
    label,
    bindings: { a, b, y },
    params: { size },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  return y;
}
