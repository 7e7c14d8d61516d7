// The transforms that come with Heddle: torchvision's, as far as their arithmetic goes. What they draw is ours: torchvision
// takes its random numbers from PyTorch's default generator, sample by sample.

import { HeddleError } from '../errors.ts';
import type { RowKind, Transform } from './transform.ts';

function normalize(mean: readonly number[], std: readonly number[]): Transform {
  const name = 'normalize';
  const [means, stds] = [floats(name, 'mean', mean), floats(name, 'std', std)];
  if (means.length !== stds.length) {
    throw refusal(name, `${means.length} means, ${stds.length} stds: expected as many`);
  }
  if (!stds.every((value) => value > 0)) {
    throw refusal(name, `std [${std.join(', ')}]: expected numbers above 0 that float32 can hold`);
  }
  return {
    name,
    bind(rows) {
      const channels = rows.shape[0] ?? 1;
      if (means.length !== 1 && means.length !== channels) {
        const expected = `one for all, or one for each of the ${channels} channels of rows of ${show(rows.shape)}`;
        throw refusal(name, `${means.length} means: expected ${expected}`);
      }
      const normalized = (x: number, channel: number) => {
        const i = means.length === 1 ? 0 : channel;
        return Math.fround(Math.fround(x - (means[i] as number)) / (stds[i] as number));
      };
      // Of bytes there are only 256.
      const bytes = Array.from({ length: rows.dtype === 'u8' ? channels : 0 }, (_, channel) =>
        Float32Array.from({ length: 256 }, (_, byte) => normalized(Math.fround(byte / 255), channel)),
      );
      return {
        rows: { shape: rows.shape, dtype: 'f32' },
        apply(from, to) {
          const plane = from.length / channels;
          for (let channel = 0, i = 0; channel < channels; channel++) {
            const table = bytes[channel];
            const end = i + plane;
            if (table === undefined) for (; i < end; i++) to[i] = normalized(from[i] as number, channel);
            else for (; i < end; i++) to[i] = table[from[i] as number] as number;
          }
        },
      };
    },
  };
}

/** How likely a transform happens. */
interface Chance {
  /** Probability, 0 … 1. Default 0.5. */
  readonly p?: number | undefined;
}

function randomHorizontalFlip({ p = 0.5 }: Chance = {}): Transform {
  const name = 'randomHorizontalFlip';
  checkChance(name, p);
  return {
    name,
    bind(rows) {
      const { width } = imageOf(name, rows);
      return {
        rows,
        apply(from, to, random) {
          if (random.uniform() >= p) return to.set(from);
          for (let start = 0; start < to.length; start += width)
            for (let x = 0; x < width; x++) to[start + x] = from[start + width - 1 - x] as number;
        },
      };
    },
  };
}

function randomVerticalFlip({ p = 0.5 }: Chance = {}): Transform {
  const name = 'randomVerticalFlip';
  checkChance(name, p);
  return {
    name,
    bind(rows) {
      const { channels, height, width } = imageOf(name, rows);
      return {
        rows,
        apply(from, to, random) {
          if (random.uniform() >= p) return to.set(from);
          for (let line = 0; line < channels * height; line++) {
            const mirrored = line - (line % height) + height - 1 - (line % height);
            to.set(from.subarray(mirrored * width, (mirrored + 1) * width), line * width);
          }
        },
      };
    },
  };
}

/** Options of `transforms.randomCrop`. */
export interface CropOptions {
  /** Pixels put around the image first: on each side, or [left and right, top and bottom]. Default 0. */
  readonly padding?: number | readonly [number, number] | undefined;
  /** What the padding is filled with, in the image's own units (0 … 255 for bytes). Default 0. */
  readonly fill?: number | undefined;
}

function randomCrop(
  size: number | readonly [number, number],
  { padding = 0, fill = 0 }: CropOptions = {},
): Transform {
  const name = 'randomCrop';
  const [tall, wide] = pair(name, 'size', size, 1);
  const [across, along] = pair(name, 'padding', padding, 0);
  if (!Number.isFinite(fill)) throw refusal(name, `fill ${fill}: expected a finite number`);
  return {
    name,
    bind(rows) {
      const { channels, height, width } = imageOf(name, rows);
      const [downs, rights] = [height + 2 * along - tall, width + 2 * across - wide];
      if (downs < 0 || rights < 0) {
        const padded = `${height + 2 * along} x ${width + 2 * across} with their padding`;
        throw refusal(
          name,
          `${tall} x ${wide} of rows of ${show(rows.shape)}, which are ${padded}: expected a part that is no larger. Give more padding`,
        );
      }
      if (rows.dtype === 'u8' && !(Number.isInteger(fill) && fill >= 0 && fill <= 255)) {
        throw refusal(name, `fill ${fill} for rows of bytes: expected a whole number of 0 to 255`);
      }
      return {
        rows: { shape: [channels, tall, wide], dtype: rows.dtype },
        apply(from, to, random) {
          const top = random.below(downs + 1) - along;
          const left = random.below(rights + 1) - across;
          const [start, end] = [Math.max(0, left), Math.min(width, left + wide)];
          to.fill(fill);
          for (let line = 0; line < channels * tall; line++) {
            const y = top + (line % tall);
            if (y < 0 || y >= height || start >= end) continue;
            const base = (Math.floor(line / tall) * height + y) * width;
            to.set(from.subarray(base + start, base + end), line * wide + start - left);
          }
        },
      };
    },
  };
}

/** Options of `transforms.randomErasing`, with torchvision's defaults. */
export interface ErasingOptions extends Chance {
  /** Least and largest share of the image. Default [0.02, 0.33]. */
  readonly scale?: readonly [number, number] | undefined;
  /** Least and largest height ÷ width. Default [0.3, 3.3]. */
  readonly ratio?: readonly [number, number] | undefined;
  /** What takes the pixels' place, in the image's own units. Default 0. */
  readonly value?: number | undefined;
}

function randomErasing(options: ErasingOptions = {}): Transform {
  const { p = 0.5, scale = [0.02, 0.33], ratio = [0.3, 3.3], value = 0 } = options;
  const name = 'randomErasing';
  checkChance(name, p);
  for (const [option, [low, high], most] of [
    ['scale', scale, 1],
    ['ratio', ratio, Number.MAX_VALUE],
  ] as const) {
    if (!(low > 0 && low <= high && high <= most)) {
      const expected = `two numbers above 0${most === 1 ? ' and at most 1' : ''}, the smaller first`;
      throw refusal(name, `${option} [${low}, ${high}]: expected ${expected}`);
    }
  }
  if (!Number.isFinite(value)) throw refusal(name, `value ${value}: expected a finite number`);
  return {
    name,
    bind(rows) {
      const { channels, height, width } = imageOf(name, rows);
      return {
        rows,
        apply(from, to, random) {
          to.set(from);
          if (random.uniform() >= p) return;
          // As torchvision: ten tries for a rectangle that is smaller than the image in both directions, else none.
          for (let attempt = 0; attempt < 10; attempt++) {
            const area = height * width * (scale[0] + (scale[1] - scale[0]) * random.uniform());
            const log = Math.log(ratio[0]) + Math.log(ratio[1] / ratio[0]) * random.uniform();
            const tall = Math.round(Math.sqrt(area * Math.exp(log)));
            const wide = Math.round(Math.sqrt(area / Math.exp(log)));
            if (tall >= height || wide >= width) continue;
            const top = random.below(height - tall + 1);
            const left = random.below(width - wide + 1);
            for (let channel = 0; channel < channels; channel++)
              for (let y = top; y < top + tall; y++) {
                const start = (channel * height + y) * width + left;
                to.fill(value, start, start + wide);
              }
            return;
          }
        },
      };
    },
  };
}

/** Transforms for the `transforms` of a loader, applied in the order in which they are given. */
export const transforms = {
  /**
   * (x - mean) / std in float32, for each channel or for all alike; bytes are first divided by 255, as ToTensor does, and
   * become floats. Throws `usage` for numbers that are not finite or a std that is not above 0.
   */
  normalize,
  /** Swaps left and right with probability `p`. Throws `usage` when `p` is no probability. */
  randomHorizontalFlip,
  /** Swaps top and bottom with probability `p`. Throws `usage` when `p` is no probability. */
  randomVerticalFlip,
  /**
   * A part of `size` (or [height, width]) pixels of the padded image, anywhere in it, as torchvision's RandomCrop.
   * Throws `usage` for sizes that make no sense and, with the data set, for a part that is larger than the padded image.
   */
  randomCrop,
  /** Blots a rectangle out with probability `p`, as torchvision's RandomErasing. Throws `usage` for ranges that make no sense. */
  randomErasing,
};

function refusal(name: string, text: string): HeddleError {
  return new HeddleError('usage', `transforms.${name}: ${text}.`);
}

function show(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

function imageOf(name: string, { shape }: RowKind) {
  const [channels, height, width] = shape;
  if (shape.length !== 3 || channels === undefined || height === undefined || width === undefined) {
    throw refusal(name, `rows of ${show(shape)}: expected images, [channels, height, width]`);
  }
  return { channels, height, width };
}

function checkChance(name: string, p: number): void {
  if (!(p >= 0 && p <= 1)) throw refusal(name, `p ${p}: expected a probability of 0 to 1`);
}

function pair(
  name: string,
  option: string,
  value: number | readonly [number, number],
  least: number,
): readonly [number, number] {
  const [first, second] = typeof value === 'number' ? [value, value] : value;
  if (![first, second].every((one) => Number.isSafeInteger(one) && one >= least)) {
    const found = typeof value === 'number' ? value : show(value);
    throw refusal(name, `${option} ${found}: expected whole numbers of at least ${least}`);
  }
  return [first, second];
}

function floats(name: string, option: string, values: readonly number[]): Float32Array {
  if (!Array.isArray(values) || values.length === 0 || !values.every(Number.isFinite)) {
    throw refusal(name, `${option} ${String(values)}: expected a list of finite numbers`);
  }
  return Float32Array.from(values);
}
