// What went wrong in a step whose loss, gradients or parameters are not finite: found by doing it again from an earlier
// checkpoint, as training is the same each time, and looking at everything around it.

import type { Batch } from '../data/dataset.ts';
import type { DataLoader } from '../data/loader.ts';
import { HeddleError } from '../errors.ts';
import { type Course, takeUp } from './course.ts';
import type { FitOptions } from './fit.ts';
import type { Trainer } from './trainer.ts';

/** What was found around a step. */
export interface Diagnosis {
  readonly step: number;
  /** The loss of the step's batch. */
  readonly loss: number;
  /** Rows of the step's batch, from 0, with an input or a target that is NaN or infinite. */
  readonly rows: readonly number[];
  /** Keys of parameters that are not finite, before the step. */
  readonly parameters: readonly string[];
  /** Keys of the gradients that the step makes and that are not finite. */
  readonly gradients: readonly string[];
  /** The largest finite parameter before the step, by its size. */
  readonly largest: { readonly key: string; readonly value: number };
}

const isBroken = (values: ArrayLike<number>) => {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return true;
  return false;
};
const brokenKeys = (tensors: ReadonlyMap<string, Float32Array>) =>
  [...tensors].filter(([, values]) => isBroken(values)).map(([key]) => key);

function brokenRows({ rows, inputs, targets }: Batch): number[] {
  const row = (values: Batch['inputs'] | Batch['targets'], i: number) =>
    values.subarray((i * values.length) / rows, ((i + 1) * values.length) / rows);
  return Array.from({ length: rows }, (_, i) => i).filter(
    (i) => isBroken(row(inputs, i)) || isBroken(row(targets, i)),
  );
}

function largestOf(tensors: ReadonlyMap<string, Float32Array>): Diagnosis['largest'] {
  let largest = { key: '', value: 0 };
  for (const [key, values] of tensors)
    for (const value of values)
      if (Number.isFinite(value) && Math.abs(value) > Math.abs(largest.value)) largest = { key, value };
  return largest;
}

/**
 * Does the steps before `step` as `fit` with these options did them, then that step's forward and backward. Throws a
 * HeddleError `usage` when the trainer is past it.
 */
export async function diagnoseStep(
  trainer: Trainer,
  course: Course,
  step: number,
  train: DataLoader,
  options: FitOptions,
): Promise<Diagnosis> {
  const before = step - 1 - course.steps;
  if (!(before >= 0))
    throw new HeddleError(
      'usage',
      `diagnose: step ${step} of a trainer that has done ${course.steps}: restore a checkpoint of before it first`,
    );
  if (before > 0) {
    const again = trainer.fit(train, { ...options, steps: before, onNonFinite: 'ignore' });
    while ((await again.next()).done !== true);
  } else takeUp(course, train, options);
  const [batch] = train.epoch(course.epochs, course.begun?.batches ?? 0);
  if (batch === undefined || trainer.steps !== step - 1)
    throw new HeddleError('usage', `diagnose: fit with these options makes no step ${step}`);
  const parameters = await trainer.parameters();
  trainer.zeroGrad();
  trainer.backward(batch);
  return {
    step,
    loss: await trainer.loss(),
    rows: brokenRows(batch),
    parameters: brokenKeys(parameters),
    gradients: brokenKeys(await trainer.gradients()),
    largest: largestOf(parameters),
  };
}

const few = (names: readonly (string | number)[], most = 3) =>
  names.length <= most
    ? names.join(', ')
    : `${names.slice(0, most).join(', ')} and ${names.length - most} more`;

/** A diagnosis in a sentence. */
export function diagnosisText({ step, loss, rows, parameters, gradients, largest }: Diagnosis): string {
  if (rows.length > 0) return `Row ${few(rows)} of the batch of step ${step} holds what is not finite.`;
  if (parameters.length > 0) return `Not finite before step ${step}: ${few(parameters)}.`;
  const size = `all parameters are finite before it, the largest ${largest.value.toPrecision(3)} in ${largest.key}`;
  if (gradients.length > 0) return `Not finite of the gradients of step ${step}: ${few(gradients)}; ${size}.`;
  const what = Number.isFinite(loss) ? 'its update is' : 'the logits are';
  return `The gradients of step ${step} are finite, ${what} not; ${size}.`;
}
