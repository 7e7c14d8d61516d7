// A whole layer norm in float64 with a bound for every element: its kernels' references take statistics as given.

import * as reference from '../../src/ops/reference.ts';

const { u } = reference;

/** What a norm makes of its input and of the gradient by its output. */
export interface HostNorm {
  readonly y: readonly reference.Bounded[];
  readonly dx: readonly reference.Bounded[];
  readonly dweight: readonly reference.Bounded[];
  readonly dbias: readonly reference.Bounded[];
}

/** What a whole layer norm makes of a batch. */
export function hostLayerNorm(
  x: ArrayLike<number>,
  dy: ArrayLike<number>,
  columns: number,
  eps: number,
  affine?: reference.GivenAffine,
): HostNorm {
  const rows = x.length / columns;
  const { y, mean, inverse } = reference.layerNorm(x, columns, eps, affine);
  const given = {
    mean: mean.map(({ value }) => value),
    inverse: inverse.map(({ value }) => value),
    weight: affine?.weight,
  };
  const back = reference.layerNormBackward(x, dy, columns, given);
  const off = Array.from(x, (v, e) => {
    const i = Math.floor(e / columns);
    const [m, s] = [mean[i] as reference.Bounded, inverse[i] as reference.Bounded];
    const distance = Math.abs(v - m.value);
    return s.value * m.bound + distance * s.bound + 4 * u * distance * s.value;
  });
  const dx = back.dx.map(({ value, bound }, e) => {
    const start = Math.floor(e / columns) * columns;
    const s = inverse[start / columns] as reference.Bounded;
    let [through, carried] = [0, 0];
    for (let c = start; c < start + columns; c++) {
      const g = Math.abs(
        (dy[c] as number) * (affine === undefined ? 1 : (affine.weight[c - start] as number)),
      );
      const normal = Math.abs(((x[c] as number) - (given.mean[start / columns] as number)) * s.value);
      through += (g * normal) / columns;
      carried += (g * (off[c] as number)) / columns;
    }
    const normal = Math.abs(((x[e] as number) - (given.mean[start / columns] as number)) * s.value);
    const more = s.value * (normal * carried + (off[e] as number) * through);
    return { value, bound: bound + (Math.abs(value) * s.bound) / s.value + more };
  });
  const terms = back.terms.map(({ value }) => value);
  const slack = back.terms.map(({ bound }, e) => bound + Math.abs(dy[e] as number) * (off[e] as number));
  const dweight = reference.columnSum(terms, rows, columns).map(({ value, bound }, j) => {
    let total = bound;
    for (let i = 0; i < rows; i++) total += slack[i * columns + j] as number;
    return { value, bound: total };
  });
  return { y, dx, dweight, dbias: reference.columnSum(dy, rows, columns) };
}
