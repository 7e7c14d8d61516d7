// Mutants that no test can tell from the shader they were made from, each with the reason. scripts/mutate-shaders.ts
// holds this list against what happens: an entry whose mutant is killed, or that fits no mutant, is an error.

/** Mutants with one of these operators on such a line of one of these kernels. */
export interface Explanation {
  readonly kernels: readonly string[];
  readonly operators: readonly string[];
  /** Part of the line that the change begins in. */
  readonly line: string;
  /** Exactly what is replaced, and by what; any when left out. */
  readonly before?: string;
  readonly after?: string;
  /** Why the two do the same. */
  readonly why: string;
}

/** All explanations. */
export const explanations: readonly Explanation[] = [];
