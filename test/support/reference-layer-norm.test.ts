// The float64 reference of layer norm, held to central differences.

import { expect, it } from 'vitest';
import type { Bounded, GivenAffine } from '../../src/ops/reference.ts';
import { floats } from './data.ts';
import { hostLayerNorm } from './layer-norm.ts';

const values = (bounded: readonly Bounded[]) => bounded.map(({ value }) => value);
const eps = 1e-3;

/** Expects `gradient` to be what central differences of `f` at `x` give, within their own error: h²·f‴/6 and roundoff/h. */
function expectGradient(f: (x: number[]) => number, x: ArrayLike<number>, gradient: readonly number[]): void {
  const h = 1e-5;
  expect(gradient).toHaveLength(x.length);
  gradient.forEach((value, i) => {
    const moved = (by: number) => f(Array.from(x, (v, c) => (c === i ? v + by : v)));
    expect(Math.abs((moved(h) - moved(-h)) / (2 * h) - value), `element ${i}`).toBeLessThan(1e-7);
  });
}

it.each([true, false])('the way back of a layer norm, affine: %s', (isAffine) => {
  const [rows, columns] = [3, 5];
  const [x, dy] = [floats(rows * columns, 1, 1, 3), floats(rows * columns, 2)];
  const [weight, bias] = [floats(columns, 3), floats(columns, 4)];
  const affine = isAffine ? { weight, bias } : undefined;
  const { dx, dweight, dbias } = hostLayerNorm(x, dy, columns, eps, affine);
  const loss = (of: ArrayLike<number>, given: GivenAffine | undefined) =>
    values(hostLayerNorm(of, dy, columns, eps, given).y).reduce(
      (sum, y, i) => sum + y * (dy[i] as number),
      0,
    );
  expectGradient((moved) => loss(moved, affine), x, values(dx));
  if (affine === undefined) return;
  expectGradient((moved) => loss(x, { weight: moved, bias }), weight, values(dweight));
  expectGradient((moved) => loss(x, { weight, bias: moved }), bias, values(dbias));
});
