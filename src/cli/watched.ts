// A run as those see it who watch it from elsewhere: its events become the page's messages, steps some at a time, and who
// comes late is told what came before. What is kept is bounded, however long the run.

import { randomUUID } from 'node:crypto';
import type { Message, RunFacts, Status, StepPoint } from '../recipes/protocol.ts';
import { count } from '../recipes/units.ts';
import type { CliEvent, Sink } from './sinks.ts';

/** What goes wrong, as the page shows it. */
export type Trouble = Extract<Message, { type: 'error' }>;
/** The first layer's weights. */
export type Picture = Extract<Message, { type: 'filters' }>;
/** The worst mistakes on the test set. */
export type Mistakes = Extract<Message, { type: 'mistakes' }>;
type Epoch = Extract<Message, { type: 'epoch' }>;
type Steps = Extract<Message, { type: 'steps' }>;

/** A run that is watched. `event` takes its events except `run`, which `begin` tells with more than the event has. */
export interface Watched extends Sink {
  /** Who comes now, and who is there, is told of this run; what is known of its steps stays. */
  begin(run: RunFacts): void;
  status(status: Status, text: string): void;
  notice(text: string): void;
  /** Something to look at, made when it is told, and for who comes late; the one before is forgotten. */
  picture(make: () => Picture | undefined, now: boolean): void;
  /** Those of the last epoch, for who is there and who comes late until the next one ends. */
  mistakes(found: Mistakes): void;
  /** The run goes back to a step: what was told of later ones is told anew as they are done again. */
  rewind(step: number): void;
  fail(trouble: Trouble): void;
  /** Tells of each message from now on; the function that it returns ends that. */
  listen(told: (message: Message) => void): () => void;
  /** How far what was told goes: a word that `backlog` takes. */
  readonly position: string;
  /** What somebody must hear who has heard all up to a position, or nothing. */
  backlog(position?: string): Message[];
}

/** Points and epochs that are kept; beyond, every second one goes. */
const [mostPoints, mostEpochs] = [4096, 1024];
/** Steps are told at most so often, in ms. */
const interval = 100;

/** Keeps a bounded, even selection of what is added, and the last. */
function thinned<T>(most: number) {
  let kept: T[] = [];
  let every = 1;
  let seen = 0;
  let last: T | undefined;
  return {
    add(one: T) {
      last = one;
      if (seen++ % every !== 0) return;
      kept.push(one);
      if (kept.length < most) return;
      kept = kept.filter((_, i) => i % 2 === 0);
      every *= 2;
    },
    /** Forgets what is not wanted any more. */
    keep(wanted: (one: T) => boolean) {
      kept = kept.filter(wanted);
      if (last !== undefined && !wanted(last)) last = kept.at(-1);
    },
    all: (): T[] => (last === undefined || kept.at(-1) === last ? [...kept] : [...kept, last]),
  };
}

const batchesOf = ({ train, settings }: RunFacts) => Math.max(1, Math.ceil(train / settings.batchSize));

/** Older epochs' confusion matrices are what would grow without end, and nobody looks at them. */
const withoutCounts = (epoch: Epoch): Epoch => ({
  ...epoch,
  validation: { ...epoch.validation, confusion: [], ranks: [] },
});

/** A run that has not begun. `now`: milliseconds from anywhere; tests have their own. */
export function createWatched(now = () => performance.now()): Watched {
  /** What positions begin with: those of before a `rewind` say nothing any more. */
  const name = () => randomUUID().slice(0, 8);
  let self = name();
  const listeners = new Set<(message: Message) => void>();
  const points = thinned<StepPoint>(mostPoints);
  const epochs = thinned<Epoch>(mostEpochs);
  let newest: Epoch | undefined;
  let run: RunFacts | undefined;
  let trouble: Trouble | undefined;
  let mistakes: Mistakes | undefined;
  let picture: () => Picture | undefined = () => undefined;
  let state: Extract<Message, { type: 'status' }> = {
    type: 'status',
    status: 'loading',
    text: 'getting ready',
  };
  /** Points that nobody was told of yet, and the rates that go with them. */
  let pending: StepPoint[] = [];
  let rates: Omit<Steps, 'type' | 'steps'> = { batch: 0, batches: 0, samplesPerSecond: 0, secondsPerStep: 0 };
  let flushed = Number.NEGATIVE_INFINITY;
  /** The last step that was heard of, the last that was told, and the last epoch. */
  const last = { step: 0, told: 0, epoch: 0 };

  const tell = (message: Message) => {
    for (const told of listeners) told(message);
  };
  const flush = () => {
    if (pending.length === 0) return;
    const steps = pending;
    pending = [];
    last.told = last.step;
    flushed = now();
    tell({ type: 'steps', steps, ...rates });
  };
  const point = (one: StepPoint) => {
    if (one.step <= last.step) return; // told before
    last.step = one.step;
    points.add(one);
    pending.push(one);
  };
  const setState = (status: Status, text: string) => {
    if (state.status === status && state.text === text) return;
    flush();
    state = { type: 'status', status, text };
    tell(state);
  };
  /** What of the run is to be told after a step and an epoch. */
  const since = (step: number, epoch: number): Message[] => {
    const steps = points.all().filter((one) => one.step > step);
    const later = epochs.all().filter((one) => one.epoch > epoch);
    return [
      ...(steps.length > 0 ? [{ type: 'steps', steps, ...rates } as const] : []),
      ...later.map((one) => (one.epoch === newest?.epoch ? newest : one)),
    ];
  };
  const length = () => (run === undefined ? '' : ` of ${run.settings.epochs}`);

  const watched: Watched = {
    get position() {
      return `${self}.${last.told}.${last.epoch}`;
    },
    begin(facts) {
      flush();
      run = facts;
      trouble = mistakes = undefined;
      tell({ type: 'run', run });
      for (const message of since(0, 0)) tell(message);
    },
    event(event: CliEvent) {
      switch (event.type) {
        case 'step':
          point({ step: event.step, epoch: event.epoch, loss: event.loss, lr: event.lr });
          if (run !== undefined) {
            const batches = batchesOf(run);
            rates = { ...rates, batch: ((event.step - 1) % batches) + 1, batches };
          }
          break;
        case 'progress': {
          const { phase, epoch, batch, batches, samplesPerSecond, steps } = event;
          setState(phase === 'train' ? 'training' : 'evaluating', `epoch ${epoch}${length()}`);
          if (phase === 'validate' || steps === undefined) break;
          const { first, losses, lr } = steps;
          losses.forEach((loss, i) => {
            point({ step: first + i, epoch, loss, lr });
          });
          const secondsPerStep = (run?.settings.batchSize ?? 0) / samplesPerSecond;
          rates = { batch, batches, samplesPerSecond, secondsPerStep };
          break;
        }
        case 'epoch': {
          const { epoch, seconds, train, validation } = event;
          if (epoch <= last.epoch || validation === undefined) break;
          flush();
          last.epoch = epoch;
          mistakes = undefined; // those of the last epoch
          const step = run === undefined ? last.step : epoch * batchesOf(run);
          newest = { type: 'epoch', epoch, step, trainLoss: train.loss, seconds, validation };
          epochs.add(withoutCounts(newest));
          tell(newest);
          break;
        }
        case 'done':
          setState('done', `${count(event.steps)} steps in ${event.seconds.toFixed(1)} s`);
      }
      if (now() - flushed >= interval) flush();
    },
    status: setState,
    notice: (text) => tell({ type: 'notice', text }),
    picture(make, soon) {
      picture = make;
      const made = soon ? make() : undefined;
      if (made !== undefined) tell(made);
    },
    mistakes(found) {
      mistakes = found;
      tell(found);
    },
    rewind(step) {
      if (step >= last.step) return;
      flush();
      self = name();
      points.keep((one) => one.step <= step);
      last.step = last.told = step;
    },
    fail(found) {
      flush();
      trouble = found;
      tell(found);
      setState('failed', found.message);
    },
    listen(told) {
      listeners.add(told);
      return () => listeners.delete(told);
    },
    backlog(position) {
      flush();
      const [, whose, step, epoch] = /^(\w+)\.(\d{1,15})\.(\d{1,15})$/.exec(position ?? '') ?? [];
      const heard = whose === self;
      const made = picture();
      return [
        ...(run !== undefined && !heard ? [{ type: 'run', run } as const] : []),
        ...since(heard ? Number(step) : 0, heard ? Number(epoch) : 0),
        ...(made === undefined ? [] : [made]),
        ...(mistakes === undefined ? [] : [mistakes]),
        ...(trouble === undefined ? [] : [trouble]),
        state,
      ];
    },
    close: flush,
  };
  return watched;
}
