// Launches unpack_u8.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { unpackU8 as kernel } from './kernels.generated.ts';

/** Records y = x / 255. x: u8 of any shape → f32 of the same shape. */
export function unpackU8(recorder: Recorder, options: { label: string; x: Tensor }): Tensor {
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
