// Holds what a kernel computed against a float64 reference with a bound for every element, and says how far into its
// bound the worst element got, also when all is well.

import { afterAll, expect } from 'vitest';

/** A reference value and the absolute error allowed around it. */
export interface Bounded {
  readonly value: number;
  readonly bound: number;
}

/** Unit roundoff of float32. */
export const u = 2 ** -24;

const worstShares = new Map<string, number>();

afterAll(() => {
  if (worstShares.size === 0) return;
  const rows = [...worstShares].map(
    ([name, share]) => `  ${name}: worst error ÷ bound ${share.toPrecision(2)}`,
  );
  console.log(rows.join('\n'));
  worstShares.clear();
});

/** Expects every element within its bound; a bound of 0 asks for equality. */
export function expectWithin(name: string, found: ArrayLike<number>, reference: readonly Bounded[]): void {
  expect(found.length, `${name}: length`).toBe(reference.length);
  let worst = worstShares.get(name) ?? 0;
  const wrong: string[] = [];
  reference.forEach(({ value, bound }, i) => {
    const error = Math.abs((found[i] as number) - value);
    const share = error === 0 || Object.is(found[i], value) ? 0 : error / bound;
    // A NaN compares false with everything, so ask for what is right.
    if (share <= 1) worst = Math.max(worst, share);
    else wrong.push(`[${i}] is ${found[i]}, expected ${value} ± ${bound}`);
  });
  expect(wrong.slice(0, 5), `${name}: ${wrong.length} of ${reference.length} elements are wrong`).toEqual([]);
  worstShares.set(name, worst);
}

/** The same bound for all values. */
export const within = (values: readonly number[], bound: number): Bounded[] =>
  values.map((value) => ({ value, bound }));
