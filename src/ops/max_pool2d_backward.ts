// Launches max_pool2d_backward.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { maxPool2dBackward as kernel } from './kernels.generated.ts';
import {
  type Images,
  imageElements,
  imageShape,
  pooled,
  reachParams,
  type Windows,
  windowParams,
} from './windows.ts';

/**
 * Records the gradient by the input of a max pool, 0 where `mask` is ≤ 0. dy and index as maxPool2d's outputs → `images`;
 * mask likewise.
 */
export function maxPool2dBackward(
  recorder: Recorder,
  options: { label: string; dy: Tensor; index: Tensor; images: Images; windows: Windows; mask?: Tensor },
): Tensor {
  const { label, dy, index, images, windows, mask } = options;
  const dx = recorder.tensor(label, imageShape(images));
  const size = imageElements(images);
  const seen = pooled(images);
  const fours = seen.channels % 4 === 0;
  recorder.dispatch(kernel, {
    label,
    bindings: { dy, index, mask: mask ?? recorder.unused(), dx },
    params: { ...windowParams(seen, windows), ...reachParams(windows), size },
    constants: { MASK: mask !== undefined, FOURS: fours },
    workgroups: foldGrid(Math.ceil(size / (fours ? 256 : 64))),
  });
  return dx;
}
