// Values that are images: their shape, whichever way they lie in memory, and the windows that layers move over them.

import { HeddleError } from '../errors.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { transpose } from '../ops/transpose.ts';
import { type Images, imageShape, type Pair, type Windows } from '../ops/windows.ts';
import { type ForwardContext, reshape, type Value } from './layer.ts';

/** One number for both, or [height, width]. */
export type Size = number | Pair;

/** A size given by the user, as a pair. Throws a HeddleError `usage` for what is no integer of at least `least`. */
export function pairOf(what: string, size: Size, least: number): Pair {
  const pair = typeof size === 'number' ? ([size, size] as const) : size;
  if (pair.length !== 2 || !pair.every((n) => Number.isInteger(n) && n >= least)) {
    throw new HeddleError(
      'usage',
      `${what}: found ${JSON.stringify(size)}, expected an integer of at least ${least}, or two of them, [height, width]`,
    );
  }
  return pair;
}

/** The shape of a value of images, and how it lies. */
export function imagesOf({ tensor, channelsLast }: Value): Images {
  const [count, a, b, c] = tensor.shape as [number, number, number, number];
  const [channels, height, width] = channelsLast ? [c, a, b] : [a, b, c];
  return { count, channels, height, width, channelsLast };
}

/** Checks that rows are images; returns their shape. Throws a HeddleError `shape`. */
export function checkImages(
  what: string,
  input: readonly number[],
  channels?: number,
): Omit<Images, 'count'> {
  const [found, height, width] = input;
  const fits = input.length === 3 && (channels === undefined || found === channels);
  if (!fits || found === undefined || height === undefined || width === undefined) {
    const hint =
      input.length === 3
        ? 'Did a layer get the wrong inChannels?'
        : 'Images have three sizes; is there an nn.flatten() too early?';
    throw new HeddleError(
      'shape',
      `${what}: rows are [${input.join(', ')}], expected [${channels ?? 'channels'}, height, width]. ${hint}`,
    );
  }
  return { channels: found, height, width, channelsLast: false };
}

/** How windows are asked for. */
export interface WindowSizes {
  readonly kernel: Pair;
  readonly stride: Pair;
  /** `same`: as many zeros as keep the size, one more below and to the right where they do not divide evenly. */
  readonly padding: Pair | 'same';
  readonly dilation: Pair;
}

/** The windows over images of a size. Throws a HeddleError `shape` when there is none. */
export function windowsOver(
  what: string,
  { height, width }: Pick<Images, 'height' | 'width'>,
  { kernel, stride, padding, dilation }: WindowSizes,
): Windows {
  const along = (axis: 0 | 1, size: number): readonly [before: number, windows: number] => {
    const extent = dilation[axis] * (kernel[axis] - 1);
    if (padding === 'same') return [Math.floor(extent / 2), size];
    return [padding[axis], Math.floor((size + 2 * padding[axis] - extent - 1) / stride[axis]) + 1];
  };
  const [[top, rows], [left, columns]] = [along(0, height), along(1, width)];
  if (rows < 1 || columns < 1) {
    throw new HeddleError(
      'shape',
      `${what}: a kernel of [${kernel.join(', ')}] does not fit images of [${height}, ${width}]. Use a smaller kernel, or padding`,
    );
  }
  return { kernel, stride, padding: [top, left], dilation, out: [rows, columns] };
}

/** Images laid out the other way. Records nothing where that makes no difference in memory. */
export function relaid(context: ForwardContext, label: string, tensor: Tensor, images: Images): Tensor {
  const { count, channels, height, width, channelsLast } = images;
  const shape = imageShape({ ...images, channelsLast: !channelsLast });
  const pixels = height * width;
  if (channels === 1 || pixels === 1) return reshape(tensor, shape);
  const matrices = channelsLast ? [count, pixels, channels] : [count, channels, pixels];
  return reshape(transpose(context.recorder, { label, x: reshape(tensor, matrices) }), shape);
}
