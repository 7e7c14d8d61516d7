// Launches bias_add.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { biasAdd as kernel } from './kernels.generated.ts';

/** Records y = x + bias, broadcast over rows. x [rows, columns], bias [columns] → [rows, columns]. */
export function biasAdd(recorder: Recorder, options: { label: string; x: Tensor; bias: Tensor }): Tensor {
  const { label, x, bias } = options;
  const y = recorder.tensor(label, x.shape);
  const size = elementCount(x.shape);
  recorder.dispatch(kernel, {
    label,
    bindings: { x, bias, y },
    params: { columns: elementCount(bias.shape), size },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  return y;
}
