// Reads a run's events.jsonl back: what of it is sound, and what counts. Pure functions on text.

import * as v from 'valibot';

/** JSON has `null` for a number that is not finite. */
const number = v.pipe(
  v.nullable(v.union([v.number(), v.nan()])),
  v.transform((value) => value ?? Number.NaN),
);
const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));

const run = v.object({
  type: v.literal('run'),
  dataset: v.object({ train: whole }),
  options: v.object({ batchSize: v.pipe(whole, v.minValue(1)) }),
});
const step = v.object({ type: v.literal('step'), epoch: whole, step: whole, loss: number, lr: number });
const epoch = v.object({
  type: v.literal('epoch'),
  epoch: whole,
  seconds: number,
  samplesPerSecond: number,
  train: v.object({ loss: number }),
  validation: v.exactOptional(v.object({ loss: number, accuracy: number })),
});
const done = v.object({ type: v.literal('done'), steps: whole, seconds: number, secondsPerStep: number });
const logged = v.variant('type', [run, step, epoch, done]);

/** An event as a log has it, as far as others need it. */
export type LoggedEvent = v.InferOutput<typeof logged>;
/** A step that was logged. */
export type LoggedStep = v.InferOutput<typeof step>;
/** An epoch that has ended. */
export type LoggedEpoch = v.InferOutput<typeof epoch>;

/** The objects of JSON lines, and how many lines are none. A last line without its end is of a process that died in it. */
export function parseLines(text: string): { readonly objects: object[]; readonly damaged: number } {
  const objects: object[] = [];
  let damaged = 0;
  for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
    if (line.trim() === '') continue;
    try {
      const value: unknown = JSON.parse(line);
      if (typeof value === 'object' && value !== null) objects.push(value);
      else damaged++;
    } catch {
      damaged++;
    }
  }
  return { objects, damaged };
}

/** What of a log counts: `steps` and `epochs` in order, the last `run` and `done`. */
export interface Log {
  /** Steps in an epoch, as the run's facts have it. */
  readonly perEpoch: number | undefined;
  readonly steps: readonly LoggedStep[];
  readonly epochs: readonly LoggedEpoch[];
  readonly done: Extract<LoggedEvent, { type: 'done' }> | undefined;
}

/** A log that grows by an event at a time. */
export interface GrowingLog extends Log {
  add(event: object): void;
}

/**
 * An empty log. A step or an epoch that comes again, as after a fault, takes the place of the one before and of all that
 * followed it. What is no event of a run is passed over.
 */
export function growingLog(): GrowingLog {
  const steps: LoggedStep[] = [];
  const epochs: LoggedEpoch[] = [];
  let [perEpoch, done]: [number | undefined, Log['done']] = [undefined, undefined];
  const takeBack = <Event>(events: Event[], comesAgain: (event: Event) => boolean) => {
    while (events.length > 0 && comesAgain(events.at(-1) as Event)) events.pop();
  };
  return {
    steps,
    epochs,
    get perEpoch() {
      return perEpoch;
    },
    get done() {
      return done;
    },
    add(candidate) {
      const { success, output: event } = v.safeParse(logged, candidate);
      if (!success) return;
      done = event.type === 'done' ? event : undefined;
      if (event.type === 'run') perEpoch = Math.ceil(event.dataset.train / event.options.batchSize);
      if (event.type === 'step') {
        takeBack(steps, (before) => before.step >= event.step);
        takeBack(epochs, (before) => before.epoch >= event.epoch);
        steps.push(event);
      }
      if (event.type === 'epoch') {
        takeBack(epochs, (before) => before.epoch >= event.epoch);
        epochs.push(event);
      }
    },
  };
}

/** The log that events make. */
export function logOf(events: readonly object[]): Log {
  const log = growingLog();
  for (const event of events) log.add(event);
  return log;
}

/** The step that an epoch ended with: by the run's facts, or else the last of its steps that was logged. */
export function lastStepOf({ perEpoch, steps }: Log, epoch: number): number | undefined {
  if (perEpoch !== undefined) return epoch * perEpoch;
  return steps.findLast((step) => step.epoch <= epoch)?.step;
}
