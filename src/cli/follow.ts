// Follows a training run: hands each event to those who keep and those who print, and saves checkpoints: after each epoch,
// where the training says that it is a moment for one, and when asked to stop. Knows nothing of the GPU.

import { notesOf, observe, type Standing } from '../recipes/standing.ts';
import type { TrainEvent } from '../train/events.ts';
import { historyFile, type RunFolder, runFiles } from './run-folder.ts';
import type { SignalWatch } from './signals.ts';
import type { CliEvent, Sink } from './sinks.ts';

/** What `follow` follows, and where it goes. */
export interface FollowOptions {
  readonly events: AsyncIterable<TrainEvent>;
  /** Told before the checkpoint of an epoch: what they keep is never behind it. */
  readonly keepers: readonly Sink[];
  /** Told after it: who reads of an epoch finds its weights. */
  readonly writers: readonly Sink[];
  readonly folder: Pick<RunFolder, 'path' | 'saveCheckpoint' | 'removeCheckpoint'>;
  readonly watch: Pick<SignalWatch, 'reason'>;
  readonly trainer: Trained;
  readonly standing: Standing;
  /** What each checkpoint says of the run. */
  readonly notes: ReadonlyMap<string, string>;
  /** How many epochs' checkpoints are kept beside the last and the best one. */
  readonly keep: number;
  /** Told of each checkpoint that an epoch ends with, last of all; training goes on when it is done. */
  readonly onEpoch?: (checkpoint: Uint8Array, steps: number) => Promise<void>;
}

/** What is asked of the trainer. */
export interface Trained {
  readonly steps: number;
  checkpoint(notes: ReadonlyMap<string, string>): Promise<Uint8Array>;
}

/** How a run ended. */
export type Outcome = 'done' | 'interrupted';

/** Saves a checkpoint of the trainer as it is now. */
export async function save(
  { folder, trainer, standing, notes }: Pick<FollowOptions, 'folder' | 'trainer' | 'standing' | 'notes'>,
  others: readonly string[] = [],
): Promise<Uint8Array> {
  const { steps } = trainer;
  const bytes = await trainer.checkpoint(new Map([...notes, ...notesOf(standing)]));
  // The last one last: its notes speak of the others.
  for (const name of [...others, runFiles.last]) folder.saveCheckpoint(name, bytes);
  standing.saved = { bytes, steps };
  return bytes;
}

/** Tells the writers, unless the event is of what they were told before. */
function tellNews(writers: readonly Sink[], event: CliEvent, { told }: Standing): void {
  if (event.type === 'step' || event.type === 'epoch') {
    const [kind, at] =
      event.type === 'step' ? (['step', event.step] as const) : (['epoch', event.epoch] as const);
    if (at <= told[kind]) return;
    told[kind] = at;
  }
  for (const sink of writers) sink.event(event);
}

/** Runs to the end of the events. What is thrown passes through and leaves the last checkpoint as it is. */
export async function follow(options: FollowOptions): Promise<Outcome> {
  const { events, keepers, writers, folder, watch, trainer, standing, keep, onEpoch } = options;
  for await (const event of events) {
    const seen = event.type === 'done' ? { ...event, run: folder.path } : event;
    for (const sink of keepers) sink.event(seen);
    if (event.type === 'epoch') {
      const best = observe(standing, event) ? [runFiles.best] : [];
      const bytes = await save(options, keep > 0 ? [...best, historyFile(event.epoch)] : best);
      if (keep > 0 && event.epoch > keep) folder.removeCheckpoint(historyFile(event.epoch - keep));
      tellNews(writers, seen, standing);
      await onEpoch?.(bytes, trainer.steps);
      continue;
    }
    if (event.type === 'checkpoint' || (event.type === 'done' && standing.saved?.steps !== event.steps)) {
      await save(options);
    }
    tellNews(writers, seen, standing);
    if (event.type === 'done') return 'done';
  }
  if (watch.reason === undefined) throw new Error('the training ended without a done event');
  await save(options);
  return 'interrupted';
}
