// Follows a training run: hands each event to the writers, keeps a checkpoint after each epoch and when asked to stop.
// Knows nothing of the GPU: events, saving and stopping are given to it.

import type { TrainEvent } from '../train/events.ts';
import type { RunFolder } from './run-folder.ts';
import type { SignalWatch } from './signals.ts';
import type { Sink } from './sinks.ts';

/** What `follow` follows, and where it goes. */
export interface FollowOptions {
  readonly events: AsyncIterable<TrainEvent>;
  readonly sinks: readonly Sink[];
  readonly folder: RunFolder;
  readonly watch: Pick<SignalWatch, 'reason'>;
  /** The weights as they are now, as the bytes of a safetensors file. */
  save(): Promise<Uint8Array>;
}

/** How a run ended. */
export type Outcome = 'done' | 'interrupted';

/**
 * Runs to the end of the events. Whatever way it ends, the writers are closed; what is thrown passes through and leaves
 * the last epoch's checkpoint as it is.
 */
export async function follow({ events, sinks, folder, watch, save }: FollowOptions): Promise<Outcome> {
  const all = [folder, ...sinks];
  let outcome: Outcome = 'interrupted';
  try {
    for await (const event of events) {
      // First the checkpoint: who reads of an epoch finds its weights.
      if (event.type === 'epoch') folder.saveModel(await save());
      const seen = event.type === 'done' ? { ...event, run: folder.path } : event;
      for (const sink of all) sink.event(seen);
      if (event.type === 'done') outcome = 'done';
    }
    if (outcome === 'interrupted') {
      if (watch.reason === undefined) throw new Error('the training ended without a done event');
      folder.saveModel(await save());
    }
    return outcome;
  } finally {
    for (const sink of all) sink.close();
  }
}
