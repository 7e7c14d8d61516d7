// Pixels in and out of canvases: pictures that people draw or drop, as the model wants them; weights and activations as
// colours. Pure functions on arrays.

import { grey } from '../data/image.ts';
import { resize } from '../data/resize.ts';
import type { Tiles } from '../recipes/protocol.ts';

/** Pixels a side of what the model takes. */
export const side = 28;

/** A picture's colours, as a canvas gives them. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** [height, width, 4]: red, green, blue, opacity. */
  readonly data: Uint8ClampedArray;
}

/**
 * A picture of any size as u8 [28, 28], light on dark, as the data sets have it: grey, turned over when its border is
 * light, with dark to make it square, scaled. What is transparent counts as white.
 */
export function modelPixels({ width, height, data }: Picture): Uint8Array {
  const greys = Uint8Array.from({ length: width * height }, (_, i) => {
    const opacity = (data[4 * i + 3] as number) / 255;
    const over = (at: number) => Math.round((data[4 * i + at] as number) * opacity + 255 * (1 - opacity));
    return grey(over(0), over(1), over(2));
  });
  const border: number[] = [];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      if (y === 0 || x === 0 || y === height - 1 || x === width - 1)
        border.push(greys[y * width + x] as number);
  const light = border.reduce((sum, value) => sum + value, 0) > 127.5 * border.length;
  const size = Math.max(width, height);
  const square = new Uint8Array(size * size);
  const [left, top] = [(size - width) >> 1, (size - height) >> 1];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const value = greys[y * width + x] as number;
      square[(top + y) * size + left + x] = light ? 255 - value : value;
    }
  return resize({ width: size, height: size, pixels: square }, side, side).pixels;
}

/** What a canvas shows of u8 greys. */
export function greyPicture(pixels: ArrayLike<number>, width: number, height: number): Picture {
  const data = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < width * height; i++) {
    data.fill(pixels[i] ?? 0, 4 * i, 4 * i + 3);
    data[4 * i + 3] = 255;
  }
  return { width, height, data };
}

type Rgb = readonly [number, number, number];
const below: Rgb = [0, 114, 178];
const above: Rgb = [213, 94, 0];

/** The number that about 99 in 100 do not exceed in size: the colours' end. Of many, a few thousand are looked at. */
export function mostOf(values: ArrayLike<number>): number {
  const stride = Math.max(1, Math.floor(values.length / 4096));
  const count = Math.ceil(values.length / stride);
  const sizes = Float64Array.from({ length: count }, (_, i) => Math.abs(values[i * stride] as number))
    .filter((size) => Number.isFinite(size))
    .sort();
  return sizes[Math.floor(0.99 * (sizes.length - 1))] || 1;
}

/** Shades on either side of `none`, which is what zero looks like. */
const shades = 127;

/** Colours as [2 · shades + 1, 3]: from the least number's to the greatest's. */
function ramp(none: Rgb): Uint8ClampedArray {
  return Uint8ClampedArray.from({ length: 3 * (2 * shades + 1) }, (_, at) => {
    const shade = Math.floor(at / 3) - shades;
    const from = none[at % 3] as number;
    const full = (shade < 0 ? below : above)[at % 3] as number;
    return from + (Math.abs(shade) / shades) * (full - from);
  });
}

/** Columns that make about `ratio` times as wide as high of so many images. */
export const columnsFor = (count: number, ratio: number, most: number) =>
  Math.max(1, Math.min(most, count, Math.ceil(Math.sqrt(count * ratio))));

/** Images side by side with a pixel between them, transparent; below zero blue, above it orange. */
export function tilesPicture(tiles: Tiles, count: number, columns: number, none: Rgb): Picture {
  const { height, width, values } = tiles;
  const shown = values.subarray(0, count * height * width);
  const most = mostOf(shown);
  const colours = ramp(none);
  // Single numbers lie side by side without a gap.
  const gap = height * width === 1 ? 0 : 1;
  const rows = Math.ceil(count / columns);
  const wide = columns * (width + gap) - gap;
  const high = rows * (height + gap) - gap;
  const data = new Uint8ClampedArray(4 * wide * high);
  for (let tile = 0; tile < count; tile++) {
    const left = (tile % columns) * (width + gap);
    const top = Math.floor(tile / columns) * (height + gap);
    for (let y = 0; y < height; y++) {
      let from = (tile * height + y) * width;
      let to = 4 * ((top + y) * wide + left);
      for (let x = 0; x < width; x++, from++, to += 4) {
        const share = (shown[from] as number) / most;
        const shade = shades + Math.round(shades * Math.max(-1, Math.min(1, share || 0)));
        data[to] = colours[3 * shade] as number;
        data[to + 1] = colours[3 * shade + 1] as number;
        data[to + 2] = colours[3 * shade + 2] as number;
        data[to + 3] = 255;
      }
    }
  }
  return { width: wide, height: high, data };
}
