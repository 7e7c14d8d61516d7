// What pools have in common: their options, their windows and their shapes.

import { HeddleError } from '../errors.ts';
import { checkImages, pairOf, type Size, type WindowSizes, windowsOver } from './images.ts';
import type { Layer } from './layer.ts';

/** Options of pools, as PyTorch's. */
export interface PoolOptions {
  /** Default: the kernel's size. */
  readonly stride?: Size;
  /** On every side; at most half of the kernel. Default 0. */
  readonly padding?: Size;
}

/** A pool by its windows. */
export function poolLayer(
  what: string,
  kind: 'max_pool2d' | 'avg_pool2d',
  kernelSize: Size,
  { stride = kernelSize, padding = 0 }: PoolOptions,
  of: (sizes: WindowSizes) => Pick<Layer, 'description' | 'forward'>,
): Layer<never, never> {
  const kernel = pairOf(`${what}: kernelSize`, kernelSize, 1);
  const around = pairOf(`${what}: padding`, padding, 0);
  if (around.some((n, axis) => 2 * n > (kernel[axis] as number))) {
    throw new HeddleError(
      'usage',
      `${what}: padding of [${around.join(', ')}], expected at most half of the kernel's [${kernel.join(', ')}]`,
    );
  }
  const sizes: WindowSizes = {
    kernel,
    stride: pairOf(`${what}: stride`, stride, 1),
    padding: around,
    dilation: [1, 1],
  };
  const { description, forward } = of(sizes);
  const text = (size: Size) => (typeof size === 'number' ? `${size}` : `(${size.join(', ')})`);
  return {
    kind,
    description: `${description}(kernel_size=${text(kernelSize)}, stride=${text(stride)}, padding=${text(padding)})`,
    spec: { kind, ...sizes },
    parameters: [],
    children: [],
    outputShape(input) {
      const images = checkImages(what, input);
      return [images.channels, ...windowsOver(what, images, sizes).out];
    },
    forward,
  };
}
