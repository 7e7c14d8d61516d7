// A small set of drawn shapes for tests and for machines with neither data nor network. Always says that it is
// synthetic. Has a generator of its own: drawing it must not move the default one.

import { HeddleError } from '../errors.ts';
import { createGenerator, type Generator } from '../random/generator.ts';
import type { ClassDataset } from './dataset.ts';
import { checkLimit } from './from-arrays.ts';
import type { Split } from './labelled-images.ts';

/** Options of `datasets.synthetic`. */
export interface SyntheticOptions {
  /** Another seed draws other rows of the same kind. Default 0. */
  readonly seed?: number | bigint | undefined;
  /** Only the first rows. */
  readonly limit?: number | undefined;
}

const SIDE = 28;
const ROWS: Readonly<Record<Split, number>> = { train: 6000, test: 1000 };

/** Whether a class has ink at (u, v); -1 … 1 spans the shape. Comparisons only, so that every machine draws the same. */
type Shape = (u: number, v: number) => boolean;

const box = (u: number, v: number) => Math.max(Math.abs(u), Math.abs(v));
const SHAPES: Readonly<Record<string, { shape: Shape; x: number; y: number }>> = {
  disc: { x: 8, y: 8, shape: (u, v) => u * u + v * v < 1 },
  ring: { x: 19, y: 19, shape: (u, v) => u * u + v * v < 1 && u * u + v * v > 0.3 },
  square: { x: 19, y: 8, shape: (u, v) => box(u, v) < 0.9 },
  frame: { x: 8, y: 19, shape: (u, v) => box(u, v) < 0.9 && box(u, v) > 0.5 },
  'two rows': { x: 13.5, y: 13.5, shape: (u, v) => box(u, v) < 1.3 && Math.abs(v) > 0.6 },
  'two columns': { x: 13.5, y: 13.5, shape: (u, v) => box(u, v) < 1.3 && Math.abs(u) > 0.6 },
  plus: { x: 13.5, y: 8, shape: (u, v) => box(u, v) < 1 && Math.min(Math.abs(u), Math.abs(v)) < 0.3 },
  cross: { x: 13.5, y: 19, shape: (u, v) => box(u, v) < 1 && Math.abs(Math.abs(u) - Math.abs(v)) < 0.4 },
  triangle: { x: 8, y: 13.5, shape: (u, v) => v < 0.9 && v > 2 * Math.abs(u) - 0.9 },
  checkers: { x: 19, y: 13.5, shape: (u, v) => box(u, v) < 1 && u < 0 === v < 0 },
};

/** Class names, by index. */
export const SYNTHETIC_CLASSES: readonly string[] = Object.keys(SHAPES);

/**
 * Ten kinds of shapes in 28x28 grey bytes with jitter and noise, the same for every machine: 6,000 rows (`train`) or
 * 1,000 (`test`). Throws `usage` for options that make no sense.
 */
export async function synthetic(split: Split, options: SyntheticOptions = {}): Promise<ClassDataset> {
  const { seed = 0, limit } = options;
  if (!Object.hasOwn(ROWS, split)) {
    throw new HeddleError('usage', `synthetic: expected the split train or test, got ${String(split)}.`);
  }
  if (limit !== undefined) checkLimit(limit);
  const generator = createGenerator(seed);
  // The test rows come from a stream of their own, however many rows are drawn for training.
  if (split === 'test') generator.manualSeed(generator.random32());
  const length = Math.min(ROWS[split], limit ?? ROWS[split]);
  const shapes = Object.values(SHAPES);
  const inputs = new Uint8Array(length * SIDE * SIDE);
  const targets = new Uint8Array(length);
  for (let row = 0; row < length; row++) {
    const target = generator.random32() % shapes.length;
    targets[row] = target;
    draw(generator, shapes[target]!, inputs.subarray(row * SIDE * SIDE, (row + 1) * SIDE * SIDE));
  }
  return {
    name: `synthetic/${split}`,
    length,
    inputs,
    inputShape: [1, SIDE, SIDE],
    targets,
    classes: SYNTHETIC_CLASSES,
    synthetic: true,
  };
}

function draw(
  generator: Generator,
  { shape, x, y }: { shape: Shape; x: number; y: number },
  pixels: Uint8Array,
) {
  const between = (low: number, high: number) => low + ((high - low) * generator.random32()) / 2 ** 32;
  const centreX = x + between(-2, 2);
  const centreY = y + between(-2, 2);
  const radius = between(6, 8);
  const ink = Math.floor(between(150, 225));
  let noise = 0;
  for (let i = 0; i < pixels.length; i++) {
    // Four pixels share a draw: a byte of it each, of which five bits become noise (so that no sum passes 255).
    noise = i % 4 === 0 ? generator.random32() : noise >>> 8;
    const u = ((i % SIDE) - centreX) / radius;
    const v = (Math.floor(i / SIDE) - centreY) / radius;
    pixels[i] = (shape(u, v) ? ink : 0) + (noise & 31);
  }
}
