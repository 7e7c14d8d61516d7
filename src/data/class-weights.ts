// Weights for classes of different sizes.

import { HeddleError } from '../errors.ts';
import type { ClassDataset } from './dataset.ts';

/**
 * A weight for each class by how rare it is: rows / (classes · rows of the class), [classes], as scikit-learn's `balanced`.
 * Targets that are no class (those a loss is to ignore) do not count. Throws `usage` when a class
 * has no rows.
 */
export function classWeights({ name, targets, targetShape, classes }: ClassDataset): Float32Array {
  const refuse = (text: string) => new HeddleError('usage', `classWeights of ${name}: ${text}.`);
  if (targetShape !== undefined) throw refuse('its targets are real values, expected class indices');
  const counts = new Float64Array(classes.length);
  let rows = 0;
  for (const target of targets) {
    if (target < 0 || target >= counts.length) continue;
    counts[target]!++;
    rows++;
  }
  const empty = counts.indexOf(0);
  if (empty >= 0) throw refuse(`class ${empty} (${classes[empty]}) has no rows, so no weight balances it`);
  return Float32Array.from(counts, (count) => rows / (counts.length * count));
}
