// What the kernels should compute, in float64 on the host, with a bound for every element: derived from float32's unit
// roundoff (sums and products round to nearest, as every driver that we know does) and from the accuracy that WGSL asks of
// quotients, exp and log (https://www.w3.org/TR/WGSL/#floating-point-accuracy).
// Tests and `heddle doctor` hold every kernel to it. Knows nothing of the GPU.

export * from './reference-activation.ts';
export * from './reference-conv.ts';
export * from './reference-layer-norm.ts';
export * from './reference-losses.ts';
export * from './reference-norm.ts';
export * from './reference-optim.ts';

/** A reference value and the absolute error allowed around it. A NaN asks for a NaN. */
export interface Bounded {
  readonly value: number;
  readonly bound: number;
}

/** Unit roundoff of float32. */
export const u = 2 ** -24;

/** The same bound for all values; 0 asks for equality. */
export const within = (values: ArrayLike<number>, bound: number): Bounded[] =>
  Array.from(values, (value) => ({ value, bound }));

/** A matrix of `rows` × `columns` after transposition, however it is stored. */
export interface Matrix {
  readonly data: ArrayLike<number>;
  readonly rows: number;
  readonly columns: number;
  readonly transposed: boolean;
}

/** `rows` × `columns` elements, stored row by row, or column by column when `transposed`. */
export const matrix = (
  data: ArrayLike<number>,
  rows: number,
  columns: number,
  transposed = false,
): Matrix => ({ data, rows, columns, transposed });

/** Row-major copy in float64, of the transpose when asked: what a loop reads side by side should lie side by side. */
function packed({ data, rows, columns, transposed }: Matrix, transpose: boolean): Float64Array {
  if (transposed === transpose) return Float64Array.from(data);
  const [height, width] = transpose ? [columns, rows] : [rows, columns];
  return Float64Array.from({ length: rows * columns }, (_, i) => {
    const [row, column] = [Math.floor(i / width), i % width];
    return data[column * height + row] as number;
  });
}

/** The rows [from, to) and columns [from, to) of a matrix. */
export function block(
  { data, rows, columns, transposed }: Matrix,
  [top, bottom]: readonly [number, number],
  [left, right]: readonly [number, number],
): Matrix {
  const [height, width] = [bottom - top, right - left];
  const values = Float64Array.from({ length: height * width }, (_, i) => {
    const [row, column] = [top + Math.floor(i / width), left + (i % width)];
    return data[transposed ? column * rows + row : row * columns + column] as number;
  });
  return matrix(values, height, width);
}

/** A·B; every element within 4·K·u·Σ|a·b|: each product and each partial sum is rounded once, in any order. */
export function matmul(a: Matrix, b: Matrix): Bounded[] {
  const [m, n, k] = [a.rows, b.columns, a.columns];
  const rows = packed(a, false);
  const columns = packed(b, true);
  const result: Bounded[] = new Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let [value, magnitude] = [0, 0];
      for (let l = 0; l < k; l++) {
        const product = (rows[i * k + l] as number) * (columns[j * k + l] as number);
        value += product;
        magnitude += Math.abs(product);
      }
      result[i * n + j] = { value, bound: 4 * k * u * magnitude };
    }
  }
  return result;
}

/** Adds a number known exactly: one more rounding, of the sum. */
export const plus = ({ value, bound }: Bounded, term: number): Bounded => ({
  value: value + term,
  bound: bound + 2 * u * (Math.abs(value + term) + bound),
});

/** ReLU does not widen an error. */
export const relu = ({ value, bound }: Bounded): Bounded => ({ value: Math.max(0, value), bound });

/** What the backward of a ReLU with output `y` lets through. */
export const masked = (d: Bounded, y: number): Bounded => (y <= 0 ? { value: 0, bound: 0 } : d);

/** Column sums of [rows, columns], within 4·N·u·Σ|x|. */
export function columnSum(x: ArrayLike<number>, rows: number, columns: number): Bounded[] {
  return Array.from({ length: columns }, (_, j) => {
    let [value, magnitude] = [0, 0];
    for (let i = 0; i < rows; i++) {
      value += x[i * columns + j] as number;
      magnitude += Math.abs(x[i * columns + j] as number);
    }
    return { value, bound: 4 * rows * u * magnitude };
  });
}

/** Relative error of a byte's scaling: a quotient is within 2.5 ULP, and a reciprocal with a product within 3. */
export const u8Error = 6 * u;

/** Bytes as ToTensor scales them. */
export const unpackU8 = (x: ArrayLike<number>): Bounded[] =>
  Array.from(x, (v) => ({ value: v / 255, bound: u8Error * (v / 255) }));

/** Rows of log-softmax. */
export function logSoftmax(x: ArrayLike<number>, rows: number, columns: number): number[] {
  const result: number[] = new Array(rows * columns);
  for (let start = 0; start < rows * columns; start += columns) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let j = 0; j < columns; j++) largest = Math.max(largest, x[start + j] as number);
    let sum = 0;
    for (let j = 0; j < columns; j++) sum += Math.exp((x[start + j] as number) - largest);
    const logSum = Math.log(sum);
    for (let j = 0; j < columns; j++) result[start + j] = (x[start + j] as number) - largest - logSum;
  }
  return result;
}

/**
 * Bound of a float32 log-softmax over `columns` logits of at most `magnitude`: the subtraction of the maximum rounds
 * relative to 2·magnitude; exp(x) is within 3 + 2·|x| ULP (2·(2·magnitude)·u relative, through the logarithm absolute),
 * the sum rounds `columns` times, log within 3 ULP or 2⁻²¹ absolute, and the result is rounded twice more.
 */
export function logSoftmaxBound(columns: number, magnitude: number): number {
  const exponent = 2 * magnitude;
  const exp = (3 + 2 * Math.min(exponent, 88)) * 2 * u;
  return 3 * u * exponent + exp + columns * u + 2 ** -21 + 3 * 2 * u * Math.log(columns) + 2 * u * exponent;
}

/**
 * dx = dy - exp(y)·Σdy over each row, with y = log_softmax(x). exp is within 3 + 2·|y| ULP, the sum rounds once an element,
 * product and difference once each.
 */
export function logSoftmaxBackward(
  dy: ArrayLike<number>,
  y: ArrayLike<number>,
  rows: number,
  columns: number,
): Bounded[] {
  const result: Bounded[] = new Array(rows * columns);
  for (let start = 0; start < rows * columns; start += columns) {
    let [sum, magnitude] = [0, 0];
    for (let j = 0; j < columns; j++) {
      sum += dy[start + j] as number;
      magnitude += Math.abs(dy[start + j] as number);
    }
    for (let i = start; i < start + columns; i++) {
      const [d, log] = [dy[i] as number, y[i] as number];
      const probability = Math.exp(log);
      const relative = (3 + 2 * Math.abs(log)) * 2 * u + columns * u + 2 * u;
      result[i] = {
        value: d - probability * sum,
        bound: probability * magnitude * relative + 2 * u * (Math.abs(d) + magnitude),
      };
    }
  }
  return result;
}

/** -log_probability[target] of each row, exactly; 0 for rows from `valid` on. */
export const nllLoss = (
  logProbability: ArrayLike<number>,
  targets: ArrayLike<number>,
  rows: number,
  columns: number,
  valid: number,
): Bounded[] =>
  Array.from({ length: rows }, (_, i) => ({
    value: i < valid ? -(logProbability[i * columns + (targets[i] as number)] as number) : 0,
    bound: 0,
  }));

/** The gradient of the mean of `nllLoss` by the log-probabilities; a quotient is within 2.5 ULP. */
export const nllLossBackward = (
  targets: ArrayLike<number>,
  rows: number,
  columns: number,
  valid: number,
): Bounded[] =>
  Array.from({ length: rows * columns }, (_, c) => {
    const i = Math.floor(c / columns);
    const hit = i < valid && targets[i] === c % columns;
    return hit ? { value: -1 / valid, bound: (5 * u) / valid } : { value: 0, bound: 0 };
  });

/**
 * Row losses of cross-entropy and the gradient of their mean over the first `valid` rows, for logits of at most
 * `magnitude`; 0 for the other rows. A probability carries the relative error of an exp and of the sum of exps, then of
 * two quotients.
 */
export function crossEntropy(
  x: ArrayLike<number>,
  targets: ArrayLike<number>,
  rows: number,
  columns: number,
  valid: number,
  magnitude: number,
): { rowLoss: Bounded[]; gradient: Bounded[] } {
  const logProbability = logSoftmax(x, rows, columns);
  const bound = logSoftmaxBound(columns, magnitude);
  const relative = 2 * (3 + 2 * 2 * magnitude) * 2 * u + (columns + 8) * u;
  const rowLoss = nllLoss(logProbability, targets, rows, columns, valid);
  const gradient = logProbability.map((value, c) => {
    const [i, j] = [Math.floor(c / columns), c % columns];
    if (i >= valid) return { value: 0, bound: 0 };
    return { value: (Math.exp(value) - (targets[i] === j ? 1 : 0)) / valid, bound: relative / valid };
  });
  return {
    rowLoss: rowLoss.map(({ value }, i) => ({ value, bound: i < valid ? bound : 0 })),
    gradient,
  };
}

/** Mean of the first `valid` row losses, all ≥ 0: a rounding an addition, then of the quotient. */
export function meanLoss(rowLoss: ArrayLike<number>, valid: number): Bounded {
  let sum = 0;
  for (let i = 0; i < valid; i++) sum += rowLoss[i] as number;
  return { value: sum / valid, bound: (2 * valid + 3) * u * (sum / valid) };
}

/** The same of row losses that carry bounds of their own. */
export function meanOf(rowLoss: readonly Bounded[], valid: number): Bounded {
  const { value, bound } = meanLoss(
    rowLoss.map((row) => row.value),
    valid,
  );
  const carried = rowLoss.slice(0, valid).reduce((sum, row) => sum + row.bound, 0) / valid;
  return { value, bound: (1 + (2 * valid + 3) * u) * carried + bound };
}

/** value - lr·gradient: the product and the difference are rounded once each. `lr` as float32 holds it. */
export const sgd = (value: ArrayLike<number>, gradient: ArrayLike<number>, lr: number): Bounded[] =>
  Array.from(value, (v, i) => {
    const change = lr * (gradient[i] as number);
    // What is smaller than float32's normal numbers may be flushed to 0.
    return { value: v - change, bound: u * (Math.abs(change) + Math.abs(v - change)) + 2 ** -126 };
  });

/**
 * Counts of [target, first largest logit] over the first `valid` rows, and behind them of [rank of the target], added to
 * `before`; rows whose target is `ignored` or no column are left out.
 */
export function confusion(
  logits: ArrayLike<number>,
  targets: ArrayLike<number>,
  columns: number,
  valid: number,
  before: ArrayLike<number>,
  ignored?: number,
): number[] {
  const counts = Array.from(before);
  const count = (cell: number) => {
    counts[cell] = (counts[cell] as number) + 1;
  };
  for (let i = 0; i < valid; i++) {
    const row = Array.from({ length: columns }, (_, j) => logits[i * columns + j] as number);
    const truth = targets[i] as number;
    if (truth >= columns || truth === ignored) continue;
    const own = row[truth] as number;
    count(truth * columns + row.indexOf(Math.max(...row)));
    count(columns * columns + row.filter((v, j) => v > own || (v === own && j < truth)).length);
  }
  return counts;
}

/** How found values compare with a reference. */
export interface Comparison {
  /** Largest error as a share of its bound; at most 1 when nothing is wrong. */
  readonly worst: number;
  /** Largest absolute error. */
  readonly error: number;
  /** Number of elements that are outside of their bound, and the index of the first of them (-1: none). */
  readonly wrong: number;
  readonly first: number;
}

/** Compares element by element; missing elements are wrong. */
export function compare(found: ArrayLike<number>, expected: readonly Bounded[]): Comparison {
  let [worst, largest, wrong, first] = [0, 0, 0, -1];
  expected.forEach(({ value, bound }, i) => {
    const difference = Math.abs((found[i] as number) - value);
    const same = difference === 0 || Object.is(found[i], value); // the same infinity, or NaN where a NaN belongs
    // A NaN that does not belong is as wrong as can be, and compares false with everything.
    const error = same ? 0 : Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
    const share = same ? 0 : error / bound;
    worst = Math.max(worst, share);
    largest = Math.max(largest, error);
    if (share <= 1) return;
    wrong++;
    if (first < 0) first = i;
  });
  return { worst, error: largest, wrong, first };
}
