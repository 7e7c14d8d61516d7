// Arithmetic on bounded values: what a float32 program may make of a formula, rounding by rounding, for the accuracy that
// WGSL asks for (https://www.w3.org/TR/WGSL/#floating-point-accuracy). References of long formulas are written in it.

import { type Bounded, u } from './reference.ts';

/** What is smaller than float32's normal numbers may be flushed to 0. */
const smallest = 2 ** -126;

/** A number that float32 holds. */
export const exact = (value: number): Bounded => ({ value, bound: 0 });

/** A result with the errors of its operands carried into it, itself within so many units of roundoff. */
const rounded = (value: number, carried: number, units: number): Bounded => ({
  value,
  bound: carried + units * u * (Math.abs(value) + carried) + smallest,
});

/** Sums, differences and products are one of the two neighbours: within two units. */
export const add = (a: Bounded, b: Bounded): Bounded => rounded(a.value + b.value, a.bound + b.bound, 2);
export const subtract = (a: Bounded, b: Bounded): Bounded => rounded(a.value - b.value, a.bound + b.bound, 2);
export const multiply = (a: Bounded, b: Bounded): Bounded =>
  rounded(
    a.value * b.value,
    Math.abs(a.value) * b.bound + Math.abs(b.value) * a.bound + a.bound * b.bound,
    2,
  );

/** A quotient is within 2.5 ULP. */
export function divide(a: Bounded, b: Bounded): Bounded {
  const value = a.value / b.value;
  return rounded(value, (Math.abs(value) * b.bound + a.bound) / Math.max(0, Math.abs(b.value) - b.bound), 5);
}

/** A root is as 1 / inverseSqrt(x): within 2 ULP, then within 2.5. */
export function squareRoot({ value, bound }: Bounded): Bounded {
  const root = Math.sqrt(value);
  const [above, below] = [Math.sqrt(value + bound), Math.sqrt(Math.max(0, value - bound))];
  return rounded(root, Math.max(above - root, root - below), 9);
}

/** The larger of two. */
export function larger(a: Bounded, b: Bounded): Bounded {
  const value = Math.max(a.value, b.value);
  const above = Math.max(a.value + a.bound, b.value + b.bound);
  const below = Math.max(a.value - a.bound, b.value - b.bound);
  return { value, bound: Math.max(above - value, value - below) };
}
