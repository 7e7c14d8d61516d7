// Holds what a kernel computed against a float64 reference with a bound for every element, and says how far into its
// bound the worst element got, also when all is well.

import { afterAll, expect } from 'vitest';
import { type Bounded, compare } from '../../src/ops/reference.ts';

const worstShares = new Map<string, number>();

afterAll(() => {
  if (worstShares.size === 0) return;
  const rows = [...worstShares].map(
    ([name, share]) => `  ${name}: worst error ÷ bound ${share.toPrecision(2)}`,
  );
  console.log(rows.join('\n'));
  worstShares.clear();
});

/** Expects every element within its bound; a bound of 0 asks for equality, a value of NaN for a NaN. */
export function expectWithin(name: string, found: ArrayLike<number>, reference: readonly Bounded[]): void {
  expect(found.length, `${name}: length`).toBe(reference.length);
  const { worst, wrong, first } = compare(found, reference);
  if (wrong > 0) {
    const { value, bound } = reference[first] as Bounded;
    const [of, where] = [`${wrong} of ${reference.length} elements are wrong`, `the first at ${first}`];
    expect.fail(`${name}: ${of}, ${where}: found ${found[first]}, expected ${value} ± ${bound}`);
  }
  worstShares.set(name, Math.max(worstShares.get(name) ?? 0, worst));
}
