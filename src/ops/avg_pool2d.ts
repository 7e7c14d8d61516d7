// Launches avg_pool2d.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { avgPool2d as kernel } from './kernels.generated.ts';
import {
  type Images,
  imageElements,
  imageShape,
  kernelParams,
  pooled,
  type Windows,
  windowParams,
} from './windows.ts';

/** Records the mean of each window, padding counted as zeros. x: `images`; y is laid out likewise. No dilation. */
export function avgPool2d(
  recorder: Recorder,
  options: { label: string; x: Tensor; images: Images; windows: Windows },
): Tensor {
  const { label, x, images, windows } = options;
  const [height, width] = windows.out;
  const made: Images = { ...images, height, width };
  const y = recorder.tensor(label, imageShape(made));
  const size = imageElements(made);
  recorder.dispatch(kernel, {
    label,
    bindings: { x, y },
    params: { ...windowParams(pooled(images), windows), ...kernelParams(windows), size },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  return y;
}
