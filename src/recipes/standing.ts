// How a run stands, for whoever follows it: what was best, what was said and what was saved. Outlives a lost device, and by
// the notes in each checkpoint the process.

import * as v from 'valibot';
import type { EpochEvent } from '../index.ts';

/** An epoch's validation. */
export interface Best {
  readonly epoch: number;
  readonly accuracy: number;
  readonly loss: number;
}

/** Kept up to date by `follow`. */
export interface Standing {
  best: Best | undefined;
  /** Epochs done. */
  epochs: number;
  /** The last step and epoch that the writers were told of: what is done again after a lost device is not told again. */
  told: { step: number; epoch: number };
  /** The last checkpoint that was saved, and the steps that it holds. */
  saved: { readonly bytes: Uint8Array; readonly steps: number } | undefined;
}

const notesKey = 'heddle.run';
const notes = v.object({
  best: v.optional(v.object({ epoch: v.number(), accuracy: v.number(), loss: v.nullable(v.number()) })),
});

function bestIn(text: string | undefined): Best | undefined {
  if (text === undefined) return undefined;
  try {
    const { best } = v.parse(notes, JSON.parse(text));
    return best && { ...best, loss: best.loss ?? Number.NaN }; // JSON has no word for a loss that is not finite
  } catch {
    return undefined; // not ours
  }
}

/** A run's standing as a checkpoint's notes have it: at its beginning where they say nothing. */
export function standingFrom(found: ReadonlyMap<string, string>): Standing {
  const best = bestIn(found.get(notesKey));
  return { best, epochs: 0, told: { step: 0, epoch: 0 }, saved: undefined };
}

/** What of it goes into a checkpoint. */
export const notesOf = ({ best }: Pick<Standing, 'best'>): ReadonlyMap<string, string> =>
  new Map([[notesKey, JSON.stringify({ best })]]);

/** Takes an epoch's validation in; whether its accuracy is above all before. */
export function observe(standing: Standing, { epoch, validation }: EpochEvent): boolean {
  standing.epochs = epoch;
  if (validation === undefined) return false;
  const { accuracy, loss } = validation;
  const better = standing.best === undefined || accuracy > standing.best.accuracy;
  if (better) standing.best = { epoch, accuracy, loss };
  return better;
}
