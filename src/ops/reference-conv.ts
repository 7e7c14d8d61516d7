// What the kernels of convolutions and pools should compute, in float64 on the host, with a bound for every element.

import type { Bounded } from './reference.ts';
import type { Images, Windows } from './windows.ts';

const u = 2 ** -24;

/** Where an element lies among images, by their own layout. */
function placeIn({ channels, height, width, channelsLast }: Images) {
  return (image: number, channel: number, y: number, x: number) =>
    channelsLast
      ? ((image * height + y) * width + x) * channels + channel
      : ((image * channels + channel) * height + y) * width + x;
}

/** The elements of a window that lie in the image, in row-major order: which of the kernel's, and where in the image. */
function tapsOf(
  { height, width }: Images,
  { kernel, stride, padding, dilation }: Windows,
  oy: number,
  ox: number,
): { ky: number; kx: number; y: number; x: number }[] {
  const taps: { ky: number; kx: number; y: number; x: number }[] = [];
  for (let ky = 0; ky < kernel[0]; ky++) {
    for (let kx = 0; kx < kernel[1]; kx++) {
      const y = oy * stride[0] + ky * dilation[0] - padding[0];
      const x = ox * stride[1] + kx * dilation[1] - padding[1];
      if (y >= 0 && y < height && x >= 0 && x < width) taps.push({ ky, kx, y, x });
    }
  }
  return taps;
}

/** Calls `visit` for every window of every image, in the order of their rows. */
function eachWindow(
  images: Images,
  { out }: Windows,
  visit: (image: number, oy: number, ox: number) => void,
) {
  for (let image = 0; image < images.count; image++) {
    for (let oy = 0; oy < out[0]; oy++) for (let ox = 0; ox < out[1]; ox++) visit(image, oy, ox);
  }
}

/** Columns [windows, (c, ky, kx)] of images: copies, and zeros. */
export function im2col(x: ArrayLike<number>, images: Images, windows: Windows): number[] {
  const { kernel, out } = windows;
  const [area, place] = [kernel[0] * kernel[1], placeIn(images)];
  const rowLength = images.channels * area;
  const columns: number[] = new Array(images.count * out[0] * out[1] * rowLength).fill(0);
  let start = 0;
  eachWindow(images, windows, (image, oy, ox) => {
    const taps = tapsOf(images, windows, oy, ox);
    for (let channel = 0; channel < images.channels; channel++) {
      for (const { ky, kx, y, x: column } of taps) {
        columns[start + channel * area + ky * kernel[1] + kx] = x[place(image, channel, y, column)] as number;
      }
    }
    start += rowLength;
  });
  return columns;
}

/** Sums with a rounding an addition, in any order: 2·u·Σ|terms| each. One term alone is exact. */
function sumsOf(count: number): { add(i: number, term: number): void; bounded(): Bounded[] } {
  const [values, magnitudes, terms] = [
    new Float64Array(count),
    new Float64Array(count),
    new Uint32Array(count),
  ];
  return {
    add(i, term) {
      values[i] = (values[i] as number) + term;
      magnitudes[i] = (magnitudes[i] as number) + Math.abs(term);
      terms[i] = (terms[i] as number) + 1;
    },
    bounded: () =>
      Array.from(values, (value, i) => {
        const additions = Math.max(0, (terms[i] as number) - 1);
        return { value, bound: 2 * additions * u * (magnitudes[i] as number) };
      }),
  };
}

/** The backward of `im2col`: an element's sum over the windows that hold it, 2·u·Σ|d| an addition. */
export function col2im(dcolumns: ArrayLike<number>, images: Images, windows: Windows): Bounded[] {
  const { kernel } = windows;
  const [area, place] = [kernel[0] * kernel[1], placeIn(images)];
  const sums = sumsOf(images.count * images.channels * images.height * images.width);
  let start = 0;
  eachWindow(images, windows, (image, oy, ox) => {
    const taps = tapsOf(images, windows, oy, ox);
    for (let channel = 0; channel < images.channels; channel++) {
      for (const { ky, kx, y, x } of taps) {
        const d = dcolumns[start + channel * area + ky * kernel[1] + kx] as number;
        sums.add(place(image, channel, y, x), d);
      }
    }
    start += images.channels * area;
  });
  return sums.bounded();
}

/** Calls `visit` for every window of every channel, with its place in the output. */
function eachPooled(
  images: Images,
  windows: Windows,
  visit: (to: number, taps: { y: number; x: number; from: number }[]) => void,
): void {
  const [height, width] = windows.out;
  const [from, to] = [placeIn(images), placeIn({ ...images, height, width })];
  eachWindow(images, windows, (image, oy, ox) => {
    const taps = tapsOf(images, windows, oy, ox);
    for (let channel = 0; channel < images.channels; channel++) {
      const own = taps.map(({ y, x }) => ({ y, x, from: from(image, channel, y, x) }));
      visit(to(image, channel, oy, ox), own);
    }
  });
}

const outputCount = ({ count, channels }: Images, { out }: Windows) => count * channels * out[0] * out[1];

/** The first largest of each window, exactly, and y·width + x of it; the last NaN where there is one. */
export function maxPool2d(
  x: ArrayLike<number>,
  images: Images,
  windows: Windows,
): { y: number[]; index: number[] } {
  const count = outputCount(images, windows);
  const [values, index]: number[][] = [new Array(count), new Array(count)];
  eachPooled(images, windows, (to, taps) => {
    let largest = Number.NEGATIVE_INFINITY;
    let at = taps[0] as (typeof taps)[0];
    for (const tap of taps) {
      const value = x[tap.from] as number;
      if (value > largest || Number.isNaN(value)) [largest, at] = [value, tap];
    }
    (values as number[])[to] = largest;
    (index as number[])[to] = at.y * images.width + at.x;
  });
  return { y: values as number[], index: index as number[] };
}

/** Its backward: each dy goes to the element that was the largest; 2·u·Σ|dy| an addition. */
export function maxPool2dBackward(
  dy: ArrayLike<number>,
  index: ArrayLike<number>,
  images: Images,
  windows: Windows,
): Bounded[] {
  const sums = sumsOf(images.count * images.channels * images.height * images.width);
  eachPooled(images, windows, (to, taps) => {
    const winner = taps.find(({ y, x }) => y * images.width + x === index[to]);
    if (winner !== undefined) sums.add(winner.from, dy[to] as number);
  });
  return sums.bounded();
}

/** A quotient is within 2.5 ULP. */
const divided = ({ value, bound }: Bounded, by: number): Bounded => ({
  value: value / by,
  bound: ((1 + 5 * u) * bound + 5 * u * Math.abs(value)) / by,
});

/** Means of windows, padding counted as zeros; 2·u·Σ|x| an addition and a quotient's 2.5 ULP. */
export function avgPool2d(x: ArrayLike<number>, images: Images, windows: Windows): Bounded[] {
  const sums = sumsOf(outputCount(images, windows));
  eachPooled(images, windows, (to, taps) => {
    for (const { from } of taps) sums.add(to, x[from] as number);
  });
  return sums.bounded().map((sum) => divided(sum, windows.kernel[0] * windows.kernel[1]));
}

/** Its backward, likewise. */
export function avgPool2dBackward(dy: ArrayLike<number>, images: Images, windows: Windows): Bounded[] {
  const sums = sumsOf(images.count * images.channels * images.height * images.width);
  eachPooled(images, windows, (to, taps) => {
    for (const { from } of taps) sums.add(from, dy[to] as number);
  });
  return sums.bounded().map((sum) => divided(sum, windows.kernel[0] * windows.kernel[1]));
}

/** Transposes of `batch` matrices [rows, columns]. */
export const transpose = (x: ArrayLike<number>, rows: number, columns: number): number[] =>
  Array.from(x, (_, i) => {
    const [row, column] = [i % rows, Math.floor(i / rows) % columns];
    const first = i - (i % (rows * columns));
    return x[first + row * columns + column] as number;
  });

/** a + b, rounded once. */
export const add = (a: ArrayLike<number>, b: ArrayLike<number>): Bounded[] =>
  Array.from(a, (v, i) => {
    const value = v + (b[i] as number);
    return { value, bound: 2 * u * Math.abs(value) };
  });
