// Launches relu_backward.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { reluBackward as kernel } from './kernels.generated.ts';

/** Records dx = dy where y > 0, else 0, with y = relu(x). */
export function reluBackward(recorder: Recorder, options: { label: string; dy: Tensor; y: Tensor }): Tensor {
  const { label, dy, y } = options;
  const dx = recorder.tensor(label, dy.shape);
  const size = elementCount(dy.shape);
  recorder.dispatch(kernel, {
    label,
    bindings: { dy, y, dx },
    params: { size },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  return dx;
}
