// Launches avg_pool2d_backward.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { avgPool2dBackward as kernel } from './kernels.generated.ts';
import {
  type Images,
  imageElements,
  imageShape,
  kernelParams,
  pooled,
  reachParams,
  type Windows,
  windowParams,
} from './windows.ts';

/** Records the gradient by the input of an average pool, 0 where `mask` is ≤ 0. dy as avgPool2d's output → `images`; mask likewise. */
export function avgPool2dBackward(
  recorder: Recorder,
  options: { label: string; dy: Tensor; images: Images; windows: Windows; mask?: Tensor },
): Tensor {
  const { label, dy, images, windows, mask } = options;
  const dx = recorder.tensor(label, imageShape(images));
  const size = imageElements(images);
  recorder.dispatch(kernel, {
    label,
    bindings: { dy, mask: mask ?? recorder.unused(), dx },
    params: {
      ...windowParams(pooled(images), windows),
      ...kernelParams(windows),
      ...reachParams(windows),
      size,
    },
    constants: { MASK: mask !== undefined },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  return dx;
}
