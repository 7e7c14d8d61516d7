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

/** Colours of a set of numbers: how each one looks. `none` is what zero looks like. */
export interface Scale {
  readonly none: Rgb;
  /** Of the number whose colour is full. */
  readonly most: number;
}

/** The number that 99 in 100 do not exceed in size: the colours' end. */
export function mostOf(values: ArrayLike<number>): number {
  const sizes = Float64Array.from(values, Math.abs)
    .filter((size) => Number.isFinite(size))
    .sort();
  return sizes[Math.floor(0.99 * (sizes.length - 1))] || 1;
}

function put(data: Uint8ClampedArray, at: number, value: number, { none, most }: Scale): void {
  const share = Math.min(1, Math.abs(value) / most);
  const full = value < 0 ? below : above;
  for (let i = 0; i < 3; i++) {
    const from = none[i] as number;
    data[4 * at + i] = from + share * ((full[i] as number) - from);
  }
  data[4 * at + 3] = 255;
}

/** Columns that make about `ratio` times as wide as high of so many images. */
export const columnsFor = (count: number, ratio: number, most: number) =>
  Math.max(1, Math.min(most, count, Math.ceil(Math.sqrt(count * ratio))));

/** Images side by side with a pixel between them, transparent; below zero blue, above it orange. */
export function tilesPicture(tiles: Tiles, count: number, columns: number, none: Rgb): Picture {
  const { height, width, values } = tiles;
  const shown = values.subarray(0, count * height * width);
  const scale = { none, most: mostOf(shown) };
  // Single numbers lie side by side without a gap.
  const gap = height * width === 1 ? 0 : 1;
  const rows = Math.ceil(count / columns);
  const wide = columns * (width + gap) - gap;
  const high = rows * (height + gap) - gap;
  const data = new Uint8ClampedArray(4 * wide * high);
  for (let tile = 0; tile < count; tile++) {
    const left = (tile % columns) * (width + gap);
    const top = Math.floor(tile / columns) * (height + gap);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        put(data, (top + y) * wide + left + x, shown[(tile * height + y) * width + x] as number, scale);
  }
  return { width: wide, height: high, data };
}
