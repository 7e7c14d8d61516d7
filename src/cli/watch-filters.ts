// The first layer's weights out of a checkpoint, as the page's images. A pure function on bytes.

import { decodeWeights } from '../io/checkpoint.ts';
import type { Tiles } from '../recipes/protocol.ts';

const most = 64;

/** Rows of a linear layer as images of the input's size, kernels of a convolution as they are; undefined where they are no images. */
export function filtersIn(checkpoint: Uint8Array, [, h = 0, w = 0]: readonly number[]): Tiles | undefined {
  const first = [...decodeWeights(checkpoint)].find(([, { shape }]) => shape.length > 1);
  if (first === undefined) return undefined;
  const [label, { shape, data }] = first;
  const [rows = 0, channels = 0, ...kernel] = shape;
  const [height = h, width = w] = kernel;
  const whole = kernel.length === 2 ? rows * channels : rows;
  if (whole * height * width !== data.length) return undefined; // a pixel's colours lie apart
  const count = Math.min(whole, most);
  return { label, count, height, width, values: Float32Array.from(data.subarray(0, count * height * width)) };
}
