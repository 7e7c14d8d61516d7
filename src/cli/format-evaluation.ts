// An evaluation for people and programs: per-class precision, recall and F1 from the confusion counts, as text tables.
// Pure functions.

import type { Evaluation } from '../train/events.ts';
import { count, table } from './table.ts';

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

const score = (value: number | null) => (value === null ? '–' : value.toFixed(3));

/** Of all classes, those never predicted counting as 0: leaving them out would flatter. */
function mean(values: readonly (number | null)[]): number | null {
  return ratio(total(values.map((value) => value ?? 0)), values.length);
}

/** Accuracy, loss, the per-class table and the confusion matrix, for a terminal of 80 columns. */
export function evaluationText(
  { accuracy, loss, confusion }: Evaluation,
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
  return `Accuracy: ${(100 * accuracy).toFixed(2)} %, average loss: ${loss.toFixed(6)}\n\n${perClass}\n${counts}`;
}
