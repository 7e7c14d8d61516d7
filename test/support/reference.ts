// What the kernels should compute, in float64, with error bounds derived from float32 arithmetic and from the accuracy
// that WGSL asks of exp and log (https://www.w3.org/TR/WGSL/#floating-point-accuracy).

import { type Bounded, u } from './compare.ts';

export interface Matrix {
  readonly data: ArrayLike<number>;
  readonly rows: number;
  readonly columns: number;
  readonly transposed: boolean;
}

/** A matrix of `rows` × `columns` after transposition, however it is stored. */
export const matrix = (
  data: ArrayLike<number>,
  rows: number,
  columns: number,
  transposed = false,
): Matrix => ({
  data,
  rows,
  columns,
  transposed,
});

const at = ({ data, rows, columns, transposed }: Matrix, i: number, j: number) =>
  data[transposed ? j * rows + i : i * columns + j] as number;

/** A·B; every element within 4·K·u·Σ|a·b|: each product and each partial sum is rounded once, in any order. */
export function matmul(a: Matrix, b: Matrix): Bounded[] {
  return Array.from({ length: a.rows * b.columns }, (_, c) => {
    const [i, j] = [Math.floor(c / b.columns), c % b.columns];
    let [value, magnitude] = [0, 0];
    for (let k = 0; k < a.columns; k++) {
      const product = at(a, i, k) * at(b, k, j);
      value += product;
      magnitude += Math.abs(product);
    }
    return { value, bound: 4 * a.columns * u * magnitude };
  });
}

/** Adds a number known exactly: one more rounding, of the sum. */
export const plus = ({ value, bound }: Bounded, term: number): Bounded => ({
  value: value + term,
  bound: bound + 2 * u * (Math.abs(value + term) + bound),
});

/** ReLU does not widen an error. */
export const relu = ({ value, bound }: Bounded): Bounded => ({ value: Math.max(0, value), bound });

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

/** Rows of log-softmax in float64. */
export function logSoftmax(x: ArrayLike<number>, rows: number, columns: number): number[] {
  return Array.from({ length: rows }, (_, i) => {
    const row = Array.from({ length: columns }, (_, j) => x[i * columns + j] as number);
    const largest = Math.max(...row);
    const logSum = Math.log(row.reduce((sum, v) => sum + Math.exp(v - largest), 0));
    return row.map((v) => v - largest - logSum);
  }).flat();
}

/** Row losses of cross-entropy and the gradient of their mean over the first `valid` rows; 0 for the others. */
export function crossEntropy(
  x: ArrayLike<number>,
  targets: ArrayLike<number>,
  rows: number,
  columns: number,
  valid: number,
): { rowLoss: number[]; gradient: number[] } {
  const logProbability = logSoftmax(x, rows, columns);
  const rowLoss = Array.from({ length: rows }, (_, i) =>
    i < valid ? -(logProbability[i * columns + (targets[i] as number)] as number) : 0,
  );
  const gradient = logProbability.map((value, c) => {
    const [i, j] = [Math.floor(c / columns), c % columns];
    return i < valid ? (Math.exp(value) - (targets[i] === j ? 1 : 0)) / valid : 0;
  });
  return { rowLoss, gradient };
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
