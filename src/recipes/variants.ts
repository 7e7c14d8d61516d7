// Which variants of the matmul kernels recorded work uses, by name: what a run remembers to go on by the same ones.

import type { DispatchDescription } from '../index.ts';
import { matmulChoice } from '../ops/matmul.ts';
import { allMatmulVariants } from '../ops/matmul_variants.ts';

/** All that there are in this version. */
export const knownVariants: ReadonlySet<string> = new Set(allMatmulVariants.map(({ name }) => name));

/** The variants that recorded work uses, by problem. */
export function variantsUsed(dispatches: readonly DispatchDescription[]): Record<string, string> {
  const choices = dispatches.flatMap((dispatch) => matmulChoice(dispatch) ?? []);
  return Object.fromEntries(choices.map(({ problem, variant }) => [problem, variant.name]));
}
