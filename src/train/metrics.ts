// What an evaluation's counts say: per-class precision, recall and F1, and accuracy among the first k. Pure functions.

import { HeddleError } from '../errors.ts';
import type { Evaluation } from './events.ts';

/** How one class was told from the others. Null where there is nothing to divide by. */
export interface ClassScore {
  readonly name: string;
  /** Share of the rows predicted as this class that are of it. */
  readonly precision: number | null;
  /** Share of the rows of this class that were predicted as it. */
  readonly recall: number | null;
  readonly f1: number | null;
  /** Rows of this class. */
  readonly n: number;
}

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
const ratio = (part: number, whole: number) => (whole === 0 ? null : part / whole);

/** Scores by class; `confusion[target][predicted]` are row counts. */
export function classScores(
  confusion: readonly (readonly number[])[],
  classes: readonly string[],
): ClassScore[] {
  return confusion.map((row, i) => {
    const hits = row[i] ?? 0;
    const n = total(row);
    const predicted = total(confusion.map((other) => other[i] ?? 0));
    return {
      name: classes[i] ?? String(i),
      precision: ratio(hits, predicted),
      recall: ratio(hits, n),
      f1: ratio(2 * hits, n + predicted),
      n,
    };
  });
}

/** What a row of logits says of each class, 0…1: its softmax, in float64. NaN where a logit is not finite. */
export function probabilities(logits: ArrayLike<number>): Float64Array {
  const row = Float64Array.from(logits);
  const largest = row.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = row.map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/**
 * Share of rows whose target is among the k largest logits, 0…1 (equal logits: the one of the class before comes first).
 * Throws a HeddleError `usage` for a k that is not between 1 and the number of classes.
 */
export function topKAccuracy({ ranks }: Pick<Evaluation, 'ranks'>, k: number): number {
  if (!Number.isInteger(k) || k < 1 || k > ranks.length)
    throw new HeddleError('usage', `topKAccuracy: k ${k}: expected an integer from 1 to ${ranks.length}`);
  return total(ranks.slice(0, k)) / total(ranks);
}
