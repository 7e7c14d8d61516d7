// Launches relu.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { relu as kernel } from './kernels.generated.ts';

/** Records y = relu(x), elementwise; NaN stays NaN. */
export function relu(recorder: Recorder, options: { label: string; x: Tensor }): Tensor {
  const { label, x } = options;
  const y = recorder.tensor(label, x.shape);
  const size = elementCount(x.shape);
  recorder.dispatch(kernel, {
    label,
    bindings: { x, y },
    params: { size },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  return y;
}
