// An evaluation for people: per-class precision, recall and F1, and the confusion counts, as text tables.
// Pure functions.

import { classScores, type Evaluation, topKAccuracy } from '../index.ts';
import { count } from '../recipes/units.ts';
import { table } from './table.ts';

const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

const score = (value: number | null) => (value === null ? '–' : value.toFixed(3));

/** Of all classes, those never predicted counting as 0: leaving them out would flatter. */
function mean(values: readonly (number | null)[]): number | null {
  return values.length === 0 ? null : total(values.map((value) => value ?? 0)) / values.length;
}

/** Accuracy, loss, the per-class table and the confusion matrix, for a terminal of 80 columns. */
export function evaluationText(
  { accuracy, loss, confusion, ranks }: Pick<Evaluation, 'accuracy' | 'loss' | 'confusion' | 'ranks'>,
  classes: readonly string[],
): string {
  const scores = classScores(confusion, classes);
  const average = [
    'mean',
    ...(['precision', 'recall', 'f1'] as const).map((key) => score(mean(scores.map((s) => s[key])))),
  ];
  const rows = scores.map((s) => [s.name, score(s.precision), score(s.recall), score(s.f1), count(s.n)]);
  const header = ['class', 'precision', 'recall', 'F1', 'n'];
  const perClass = table([header, ...rows, [...average, count(total(scores.map(({ n }) => n)))]], {
    align: 'lrrrr',
  });

  const numbers = confusion.map((_, i) => String(i).padStart(4));
  const matrix = confusion.map((row, i) => [
    String(i),
    classes[i] ?? '',
    ...row.map((n) => (n === 0 ? '·' : String(n))),
  ]);
  const counts = table([['', 'true \\ predicted', ...numbers], ...matrix], {
    align: `rl${'r'.repeat(numbers.length)}`,
  });
  // Among so many that it says something: of ten classes the first three, of a thousand the first three and five.
  const firsts = [3, 5].filter((k) => 3 * k <= ranks.length);
  const top = firsts.map((k) => `, among the first ${k}: ${(100 * topKAccuracy({ ranks }, k)).toFixed(2)} %`);
  return `Accuracy: ${(100 * accuracy).toFixed(2)} %${top.join('')}, average loss: ${loss.toFixed(6)}\n\n${perClass}\n${counts}`;
}
