// A run's state in memory: how it stands, and its last checkpoint, which a lost device cannot take.

import { decodeCheckpoint, diagnosisText, HeddleError } from '../../index.ts';
import { notesOf, type Standing, standingFrom } from '../../recipes/standing.ts';
import type { Setup } from './setup.ts';

/** See `createKeep`. */
export interface Keep {
  readonly standing: Standing;
  /** The last checkpoint. */
  readonly saved: { readonly bytes: Uint8Array; readonly steps: number; readonly epochs: number } | undefined;
  /** Makes a checkpoint, unless it would be the last one again. */
  save(setup: Setup): Promise<void>;
  /** Puts the trainer, and what is known of the run, where a checkpoint was made. */
  goBack(setup: Setup, bytes: Uint8Array): Promise<void>;
}

/** Before the first step. */
export function createKeep(): Keep {
  let standing = standingFrom(new Map());
  let saved: Keep['saved'];
  return {
    get standing() {
      return standing;
    },
    get saved() {
      return saved;
    },
    async save({ trainer }) {
      const { steps } = trainer;
      const { epochs } = standing;
      if (saved?.steps === steps && saved.epochs === epochs) return;
      saved = { bytes: await trainer.checkpoint(notesOf(standing)), steps, epochs };
    },
    async goBack({ trainer }, bytes) {
      const notes = await trainer.restore(bytes);
      const { steps, epochs } = decodeCheckpoint(bytes).state;
      standing = { ...standingFrom(notes), epochs };
      saved = { bytes, steps, epochs };
    },
  };
}

/**
 * The error of a step that is not finite, with what is found by doing the steps since the last checkpoint again. The trainer is
 * then where that was made.
 */
export async function explain(
  setup: Setup,
  keep: Keep,
  error: HeddleError,
  signal: AbortSignal,
): Promise<HeddleError> {
  const { trainer, train, validate } = setup;
  const { saved } = keep;
  if (saved === undefined) return error;
  let found = error;
  try {
    await keep.goBack(setup, saved.bytes);
    if (error.step !== undefined) {
      const diagnosis = await trainer.diagnose(error.step, train, { epochs: 1, validate, signal });
      found = new HeddleError('diverged', `${error.message} ${diagnosisText(diagnosis)}`, { cause: error });
    }
    await keep.goBack(setup, saved.bytes);
  } catch {
    // The first error is the one that matters.
  }
  return found;
}
