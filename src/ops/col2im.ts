// Launches col2im.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { col2im as kernel } from './kernels.generated.ts';
import {
  type Images,
  imageElements,
  imageShape,
  kernelParams,
  layoutParams,
  reachParams,
  type Windows,
  windowParams,
} from './windows.ts';

/**
 * Records the backward of im2col: each element's sum over the windows that hold it, 0 where `mask` is ≤ 0.
 * dcolumns [images·windows, channels·kernelHeight·kernelWidth] → `images`, laid out as they say; mask likewise.
 */
export function col2im(
  recorder: Recorder,
  options: { label: string; dcolumns: Tensor; images: Images; windows: Windows; mask?: Tensor },
): Tensor {
  const { label, dcolumns, images, windows, mask } = options;
  const { dilation } = windows;
  const dx = recorder.tensor(label, imageShape(images));
  const size = imageElements(images);
  recorder.dispatch(kernel, {
    label,
    bindings: { dcolumns, mask: mask ?? recorder.unused(), dx },
    params: {
      ...windowParams(images, windows),
      ...kernelParams(windows),
      ...reachParams(windows),
      ...layoutParams(images),
      dilation_y: dilation[0],
      dilation_x: dilation[1],
      size,
    },
    constants: { MASK: mask !== undefined, DILATED: dilation[0] > 1 || dilation[1] > 1 },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  return dx;
}
