// Layer norm in float64, with a bound for every element: sums may be taken in any order, each operation rounds once.

import type { Bounded } from './reference.ts';

const u = 2 ** -24; // float32's unit roundoff, as in reference.ts

const at = (values: ArrayLike<number>, i: number) => values[i] as number;

/** Factors and terms of a norm's columns. */
export interface GivenAffine {
  readonly weight: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
}

/** 1 / √(v + eps) of a variance within its bound: the sum rounds once, WGSL's inverseSqrt is within 2 ULP. */
function inverseDeviation({ value, bound }: Bounded, eps: number): Bounded {
  const of = (variance: number) => 1 / Math.sqrt(Math.max(0, variance) + eps);
  const exact = of(value);
  const carried = Math.max(of(value - bound) - exact, exact - of(value + bound));
  return { value: exact, bound: carried + 6 * u * (exact + carried) };
}

/** Mean of values that carry no error, and the sum of the squared distances from it. */
function meanAndSquares(values: readonly number[]): { mean: Bounded; squares: Bounded } {
  const n = Math.max(1, values.length);
  const mean = values.reduce((sum, v) => sum + v, 0) / n;
  const magnitude = values.reduce((sum, v) => sum + Math.abs(v), 0) / n;
  const off = 2 * (n + 3) * u * magnitude;
  let [squares, wide] = [0, 0];
  for (const v of values) {
    squares += (v - mean) ** 2;
    wide += (Math.abs(v - mean) + off) ** 2;
  }
  // Around a mean that is off by e the squares sum up to n·e² more.
  return {
    mean: { value: mean, bound: off },
    squares: { value: squares, bound: n * off * off + 2 * (n + 4) * u * wide },
  };
}

/** What layer_norm.wgsl makes of rows of `columns`. */
export function layerNorm(
  x: ArrayLike<number>,
  columns: number,
  eps: number,
  affine?: GivenAffine,
): { y: Bounded[]; mean: Bounded[]; inverse: Bounded[] } {
  const rows = Array.from({ length: x.length / columns }, (_, i) => {
    const { mean, squares } = meanAndSquares(
      Array.from({ length: columns }, (_value, j) => at(x, i * columns + j)),
    );
    const variance = squares.value / columns;
    const bound = (squares.bound + 6 * u * (squares.value + squares.bound)) / columns;
    return { mean, inverse: inverseDeviation({ value: variance, bound }, eps) };
  });
  const y = Array.from(x, (v, e) => {
    const [i, j] = [Math.floor(e / columns), e % columns];
    const { mean, inverse } = rows[i] as (typeof rows)[0];
    const distance = v - mean.value;
    const weight = affine === undefined ? 1 : at(affine.weight, j);
    const bias = affine === undefined ? 0 : at(affine.bias, j);
    const normal = distance * inverse.value * weight;
    const most = inverse.value + inverse.bound;
    const carried = Math.abs(weight) * (Math.abs(distance) * inverse.bound + mean.bound * most);
    return {
      value: normal + bias,
      bound: carried + 8 * u * (Math.abs(normal) + carried) + 2 * u * Math.abs(normal + bias),
    };
  });
  return { y, mean: rows.map(({ mean }) => mean), inverse: rows.map(({ inverse }) => inverse) };
}

/** The gradient by a layer norm's input, and dy · x̂, whose column sums are that of its weight. What is given carries no error. */
export function layerNormBackward(
  x: ArrayLike<number>,
  dy: ArrayLike<number>,
  columns: number,
  given: {
    readonly mean: ArrayLike<number>;
    readonly inverse: ArrayLike<number>;
    readonly weight?: ArrayLike<number> | undefined;
  },
): { dx: Bounded[]; terms: Bounded[] } {
  const rowOf = (e: number) => Math.floor(e / columns);
  const normal = Array.from(x, (v, e) => (v - at(given.mean, rowOf(e))) * at(given.inverse, rowOf(e)));
  const g = Array.from(dy, (d, e) => d * (given.weight === undefined ? 1 : at(given.weight, e % columns)));
  const means = Array.from({ length: x.length / columns }, (_, i) => {
    let [sum, through, magnitude, wide] = [0, 0, 0, 0];
    for (let c = i * columns; c < (i + 1) * columns; c++) {
      const [one, both] = [at(g, c), at(g, c) * at(normal, c)];
      sum += one / columns;
      through += both / columns;
      magnitude += Math.abs(one) / columns;
      wide += Math.abs(both) / columns;
    }
    return { sum, through, magnitude, wide };
  });
  const dx = g.map((own, e): Bounded => {
    const { sum, through, magnitude, wide } = means[rowOf(e)] as (typeof means)[0];
    const inverse = at(given.inverse, rowOf(e));
    const normalised = at(normal, e);
    const most = magnitude + Math.abs(normalised) * wide;
    const bound = Math.abs(inverse) * u * (2 * (columns + 12) * most + 12 * (Math.abs(own) + most));
    return { value: inverse * (own - sum - normalised * through), bound };
  });
  const terms = Array.from(dy, (d, e) => {
    const value = d * at(normal, e);
    return { value, bound: 6 * u * Math.abs(value) };
  });
  return { dx, terms };
}
