// Counts the values of a tensor into the buckets of TensorFlow's histograms: bounds that grow by a tenth from 1e-12 to 1e20,
// their negatives, and 0. Pure functions on numbers.

/** A histogram as `HistogramProto` holds it: bucket i has the values from `limits[i - 1]` up to, without it, `limits[i]`. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  /** How many values were counted. */
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
  /** Right bounds, rising. The first bucket is an empty one whose bound is the left bound of the second. */
  readonly limits: readonly number[];
  readonly counts: readonly number[];
}

/** The bounds of all buckets, rising, as tensorflow/core/lib/histogram makes them. */
function allLimits(): Float64Array {
  const positive: number[] = [];
  for (let limit = 1e-12; limit < 1e20; limit *= 1.1) positive.push(limit);
  positive.push(Number.MAX_VALUE);
  return Float64Array.of(...positive.map((limit) => -limit).reverse(), 0, ...positive);
}

let limits: Float64Array | undefined;

/** The first bucket whose right bound is above the value. */
function bucketOf(value: number, bounds: Float64Array): number {
  let [low, high] = [0, bounds.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((bounds[middle] as number) > value) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The histogram of the values that are finite; undefined when none is. */
export function histogramOf(values: Float32Array): Histogram | undefined {
  limits ??= allLimits();
  const all = new Float64Array(limits.length);
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let [count, sum, sumOfSquares] = [0, 0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
    count++;
    sum += value;
    sumOfSquares += value * value;
    const bucket = bucketOf(value, limits);
    all[bucket] = (all[bucket] as number) + 1;
  }
  if (count === 0) return undefined;
  // What lies outside min and max is left out, but for a bucket that gives the first its left bound.
  const from = bucketOf(min, limits) - 1;
  const to = bucketOf(max, limits) + 1;
  const kept = [...limits.subarray(from, to)];
  return { min, max, count, sum, sumOfSquares, limits: kept, counts: [...all.subarray(from, to)] };
}
