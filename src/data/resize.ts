// Images of another size, as Pillow's `resize(…, BILINEAR)` makes them, which is what torchvision's Resize does to them:
// a triangle as wide as the pixels of the coarser image, in fixed point, across first and then down.

import type { Image } from './image.ts';

/** Bits behind the point of a weight. */
const precision = 22;

/** What one pixel is made of: `weights.length` old ones, from `start`. */
interface Mix {
  readonly start: number;
  readonly weights: Int32Array;
}

/** The image with `height` x `width` pixels; itself when it has them. */
export function resize(image: Image, height: number, width: number): Image {
  if (image.height === height && image.width === width) return image;
  const { pixels } = image;
  const channels = pixels.length / (image.height * image.width);
  const lines = channels * image.height;
  const narrow = mixed(pixels, { count: lines, stride: image.width }, 1, mixes(image.width, width));
  const result = new Uint8Array(channels * height * width);
  const down = mixes(image.height, height);
  for (let channel = 0; channel < channels; channel++) {
    const plane = narrow.subarray(channel * image.height * width, (channel + 1) * image.height * width);
    // Column by column, each a line of its own; the result has them in the same places.
    const columns = mixed(plane, { count: width, stride: 1 }, width, down);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        result[(channel * height + y) * width + x] = columns[x * height + y] as number;
  }
  return { height, width, pixels: result };
}

/** Mixes each of `count` lines that begin `stride` apart and have their pixels `step` apart, [count, mixes.length]. */
function mixed(
  pixels: Uint8Array,
  { count, stride }: { readonly count: number; readonly stride: number },
  step: number,
  mixes: readonly Mix[],
): Uint8Array {
  const result = new Uint8Array(count * mixes.length);
  for (let line = 0, at = 0; line < count; line++)
    for (const { start, weights } of mixes) {
      let sum = 1 << (precision - 1);
      const first = line * stride + start * step;
      for (let i = 0; i < weights.length; i++)
        sum += (pixels[first + i * step] as number) * (weights[i] as number);
      result[at++] = Math.min(255, sum >> precision);
    }
  return result;
}

function mixes(from: number, to: number): Mix[] {
  const scale = from / to;
  const reach = Math.max(1, scale);
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(from, Math.trunc(centre + reach + 0.5));
    const shares = Array.from({ length: end - start }, (_, j) =>
      Math.max(0, 1 - Math.abs((j + start - centre + 0.5) / reach)),
    );
    const total = shares.reduce((sum, share) => sum + share, 0);
    return { start, weights: Int32Array.from(shares, (share) => 0.5 + (share / total) * 2 ** precision) };
  });
}
