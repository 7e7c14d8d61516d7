// What the kernels of batch norm should compute, in float64 on the host, with a bound for every element. Differences,
// products and sums round once each, by 2·u at most; quotients are within 2.5 ULP and an inverse square root within 2.

import type { Bounded } from './reference.ts';

const u = 2 ** -24;

/** Means, and sums of squared differences from them (or what else is kept of each column). */
export interface Moments {
  readonly mean: readonly Bounded[];
  readonly m2: readonly Bounded[];
}

/** The columns' statistics: means and inverses of standard deviations. */
export interface Normal {
  readonly mean: readonly Bounded[];
  readonly inverse: readonly Bounded[];
}

const at = (values: ArrayLike<number>, i: number) => values[i] as number;
const of = (values: readonly Bounded[], i: number) => values[i] as Bounded;

/** Chunks of `chunk` rows, of which the last may have fewer: [first, count] of each. */
const chunksOf = (rows: number, chunk: number): [number, number][] =>
  Array.from({ length: Math.ceil(rows / chunk) }, (_, c) => [c * chunk, Math.min(chunk, rows - c * chunk)]);

/**
 * Mean and Σ(x - mean)² of each chunk of rows and each column, [chunks, channels]. With differences from the chunk's first
 * row the mean is within (2·n + 8)·u·Σ|x - x₀|/n, and its own rounding; that error adds its square to each of the n squares.
 */
export function batchNormStatistics(
  x: ArrayLike<number>,
  rows: number,
  channels: number,
  chunk: number,
): Moments {
  const [means, squares]: Bounded[][] = [[], []];
  for (const [first, n] of chunksOf(rows, chunk)) {
    for (let j = 0; j < channels; j++) {
      const column = Array.from({ length: n }, (_, i) => at(x, (first + i) * channels + j));
      const pivot = column[0] as number;
      const mean = column.reduce((sum, v) => sum + (v - pivot), 0) / n + pivot;
      const spread = column.reduce((sum, v) => sum + Math.abs(v - pivot), 0);
      const off = ((2 * n + 8) * u * spread) / n + 2 * u * Math.abs(mean);
      const m2 = column.reduce((sum, v) => sum + (v - mean) ** 2, 0);
      (means as Bounded[]).push({ value: mean, bound: off });
      const bound = n * off ** 2 + (2 * n + 6) * u * (m2 + n * off ** 2);
      (squares as Bounded[]).push({ value: m2, bound });
    }
  }
  return { mean: means as Bounded[], m2: squares as Bounded[] };
}

/** 1 / √(variance + eps): what the variance may be off, one rounding and 2 ULP. */
function inverseOf({ value, bound }: Bounded, eps: number): Bounded {
  const sum = value + eps;
  const off = bound + 2 * u * (sum + bound);
  const inverse = 1 / Math.sqrt(sum);
  const largest = off < sum ? 1 / Math.sqrt(sum - off) : Number.POSITIVE_INFINITY;
  return { value: inverse, bound: largest - inverse + 4 * u * largest };
}

/** The inverses of variances, as an evaluation takes them. */
export const batchNormInverse = (variance: readonly Bounded[], eps: number): Bounded[] =>
  variance.map((one) => inverseOf(one, Math.fround(eps)));

/**
 * Mean and inverse of each column from those of chunks, and the running statistics afterwards. Chunks are merged in at most
 * `depth` steps one after the other: each moves a mean by at most the means' range, within 10·u of it, and rounds once.
 * Σ(count·other/both) over all merges is at most 3·n, which by Cauchy and Schwarz bounds what that does to the squares.
 */
export function batchNormMerge(
  parts: Moments,
  rows: number,
  channels: number,
  options: {
    chunk: number;
    eps: number;
    momentum: number;
    running: { mean: ArrayLike<number>; variance: ArrayLike<number> };
  },
): Normal & { readonly runningMean: readonly Bounded[]; readonly runningVar: readonly Bounded[] } {
  const { chunk, running } = options;
  const [eps, momentum] = [Math.fround(options.eps), Math.fround(options.momentum)];
  const chunks = chunksOf(rows, chunk);
  const depth = Math.ceil(chunks.length / 16) + 4;
  const columns = Array.from({ length: channels }, (_, j) => {
    const means = chunks.map((_chunk, c) => of(parts.mean, c * channels + j));
    const squares = chunks.map((_chunk, c) => of(parts.m2, c * channels + j));
    const values = means.map(({ value }) => value);
    const mean = chunks.reduce((sum, [, n], c) => sum + n * at(values, c), 0) / rows;
    const between = chunks.reduce((sum, [, n], c) => sum + n * (at(values, c) - mean) ** 2, 0);
    const m2 = squares.reduce((sum, { value }) => sum + value, between);
    const one = chunks.length === 1;
    const range = Math.max(...values) - Math.min(...values);
    const merging = one ? 0 : depth * u * (10 * range + 2 * Math.max(...values.map(Math.abs)));
    const off = merging + Math.max(...means.map(({ bound }) => bound));
    const offSquares = one
      ? 0
      : 4 * off * Math.sqrt(3 * rows * between) +
        12 * rows * off ** 2 +
        16 * u * between +
        4 * depth * u * m2;
    const bound = offSquares + squares.reduce((sum, part) => sum + part.bound, 0);
    const over = (n: number): Bounded => ({ value: m2 / n, bound: (bound + 5 * u * (m2 + bound)) / n });
    const moved = (old: number, { value, bound: error }: Bounded): Bounded => ({
      value: (1 - momentum) * old + momentum * value,
      bound:
        momentum * error + 8 * u * (Math.abs((1 - momentum) * old) + momentum * (Math.abs(value) + error)),
    });
    const boundedMean = { value: mean, bound: off };
    return {
      mean: boundedMean,
      inverse: inverseOf(over(rows), eps),
      runningMean: moved(at(running.mean, j), boundedMean),
      runningVar: moved(at(running.variance, j), over(Math.max(1, rows - 1))),
    };
  });
  return {
    mean: columns.map(({ mean }) => mean),
    inverse: columns.map(({ inverse }) => inverse),
    runningMean: columns.map(({ runningMean }) => runningMean),
    runningVar: columns.map(({ runningVar }) => runningVar),
  };
}

/** x̂ = (x - mean)·inverse of an element of column j, with the errors of both. */
function normalOf(x: number, { mean, inverse }: Normal, j: number): Bounded {
  const [middle, scale] = [of(mean, j), of(inverse, j)];
  const difference = x - middle.value;
  const off = middle.bound + 2 * u * (Math.abs(difference) + middle.bound);
  const value = difference * scale.value;
  const widest = (Math.abs(difference) + off) * (scale.value + scale.bound);
  return { value, bound: widest - Math.abs(value) + 2 * u * widest };
}

/** x̂·weight + bias. */
export function batchNorm(
  x: ArrayLike<number>,
  channels: number,
  normal: Normal,
  affine?: { weight: ArrayLike<number>; bias: ArrayLike<number> },
): Bounded[] {
  return Array.from(x, (v, i) => {
    const j = i % channels;
    const normalized = normalOf(v, normal, j);
    if (affine === undefined) return normalized;
    const [weight, bias] = [at(affine.weight, j), at(affine.bias, j)];
    const value = normalized.value * weight;
    const bound = normalized.bound * Math.abs(weight);
    const rounding = 4 * u * (Math.abs(value) + bound + Math.abs(bias));
    return { value: value + bias, bound: bound + rounding };
  });
}

/** Σ dy and Σ dy·x̂ of each chunk of rows and each column, [chunks, channels]; 2·u·Σ|terms| an addition. */
export function batchNormBackwardSums(
  dy: ArrayLike<number>,
  x: ArrayLike<number>,
  rows: number,
  channels: number,
  chunk: number,
  normal: Normal,
): { dySum: Bounded[]; dyxSum: Bounded[] } {
  const [dySum, dyxSum]: Bounded[][] = [[], []];
  for (const [first, n] of chunksOf(rows, chunk)) {
    for (let j = 0; j < channels; j++) {
      let [sum, magnitude, products, productMagnitude, off] = [0, 0, 0, 0, 0];
      for (let row = first; row < first + n; row++) {
        const d = at(dy, row * channels + j);
        const { value, bound } = normalOf(at(x, row * channels + j), normal, j);
        sum += d;
        magnitude += Math.abs(d);
        products += d * value;
        productMagnitude += Math.abs(d) * (Math.abs(value) + bound);
        off += Math.abs(d) * bound;
      }
      (dySum as Bounded[]).push({ value: sum, bound: 2 * n * u * magnitude });
      // The inverse, common to all, is multiplied with last: one rounding more.
      (dyxSum as Bounded[]).push({ value: products, bound: off + (2 * n + 4) * u * productMagnitude });
    }
  }
  return { dySum: dySum as Bounded[], dyxSum: dyxSum as Bounded[] };
}

/** weight·inverse·(dy - (Σdy + x̂·Σdy·x̂)/rows), every step of it rounded. */
export function batchNormBackward(
  dy: ArrayLike<number>,
  x: ArrayLike<number>,
  channels: number,
  options: Normal & {
    weight?: ArrayLike<number> | undefined;
    dySum: readonly Bounded[];
    dyxSum: readonly Bounded[];
  },
): Bounded[] {
  const rows = dy.length / channels;
  return Array.from(dy, (d, i) => {
    const j = i % channels;
    const normal = normalOf(at(x, i), options, j);
    const [sum, products] = [of(options.dySum, j), of(options.dyxSum, j)];
    const scaled = normal.value * products.value;
    const widest = (Math.abs(normal.value) + normal.bound) * (Math.abs(products.value) + products.bound);
    const common = (sum.value + scaled) / rows;
    const largest = (Math.abs(sum.value) + sum.bound + widest) / rows;
    const off = (sum.bound + widest - Math.abs(scaled)) / rows + 9 * u * largest;
    const inner = d - common;
    const innerOff = off + 2 * u * (Math.abs(inner) + off);
    const inverse = of(options.inverse, j);
    const weight = options.weight === undefined ? 1 : at(options.weight, j);
    const value = inner * inverse.value * weight;
    const most = (Math.abs(inner) + innerOff) * (inverse.value + inverse.bound) * Math.abs(weight);
    return { value, bound: most - Math.abs(value) + 4 * u * most };
  });
}
