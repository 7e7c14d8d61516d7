// Launches im2col.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { im2col as kernel } from './kernels.generated.ts';
import { type Images, kernelParams, layoutParams, type Windows, windowParams } from './windows.ts';

/**
 * Records the windows over images as rows of a matrix, zeros outside of the image. x: `images`, f32 or u8 (scaled by
 * 1/255) → [images·windows, channels·kernelHeight·kernelWidth].
 */
export function im2col(
  recorder: Recorder,
  options: { label: string; x: Tensor; images: Images; windows: Windows },
): Tensor {
  const { label, x, images, windows } = options;
  const { kernel: taps, dilation, out } = windows;
  const rows = images.count * out[0] * out[1];
  const columns = recorder.tensor(label, [rows, images.channels * taps[0] * taps[1]]);
  const size = rows * images.channels;
  recorder.dispatch(kernel, {
    label,
    bindings: { x, columns },
    params: {
      ...windowParams(images, windows),
      ...kernelParams(windows),
      ...layoutParams(images),
      dilation_y: dilation[0],
      dilation_x: dilation[1],
      size,
    },
    constants: { X_U8: x.dtype === 'u8' },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  return columns;
}
