// Launches max_pool2d.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { maxPool2d as kernel } from './kernels.generated.ts';
import {
  type Images,
  imageElements,
  imageShape,
  kernelParams,
  pooled,
  type Windows,
  windowParams,
} from './windows.ts';

/**
 * Records the largest element of each window, and which it is: y·width + x within its image and channel, as PyTorch's
 * `return_indices`. x: `images`; y and index are laid out likewise. No window may be all padding, or dilated.
 */
export function maxPool2d(
  recorder: Recorder,
  options: { label: string; x: Tensor; images: Images; windows: Windows },
): { y: Tensor; index: Tensor } {
  const { label, x, images, windows } = options;
  const [height, width] = windows.out;
  const made: Images = { ...images, height, width };
  const y = recorder.tensor(label, imageShape(made));
  const index = recorder.tensor(`${label}.index`, imageShape(made), 'u32');
  const size = imageElements(made);
  const seen = pooled(images);
  const fours = seen.channels % 4 === 0;
  recorder.dispatch(kernel, {
    label,
    bindings: { x, y, index },
    params: { ...windowParams(seen, windows), ...kernelParams(windows), size },
    constants: { FOURS: fours },
    workgroups: foldGrid(Math.ceil(size / (fours ? 256 : 64))),
  });
  return { y, index };
}
