// The ready-made training loop: epochs over a loader, a validation after each, events as things happen.

import type { DataLoader } from '../data/loader.ts';
import { HeddleError } from '../errors.ts';
import { checkSize } from '../nn/layer.ts';
import { brokenBits } from '../ops/sgd.ts';
import type { Optimizer } from '../optim/optimizer.ts';
import { type Progress, ratesAt, type Schedule, withRates } from '../optim/schedule.ts';
import type { Evaluation, TrainEvent } from './events.ts';
import type { Session } from './session.ts';

/** Options of `trainer.fit`. */
export interface FitOptions {
  readonly epochs: number;
  /** Evaluated after each epoch. */
  readonly validate?: DataLoader;
  /** A `step` event every so many batches, from each epoch's first. Default 100. */
  readonly logEvery?: number;
  /**
   * Makes each step's learning rates of those in `optimizer.groups`, which stay as they are, and may be changed meanwhile.
   * It goes by the steps and epochs that the trainer has done by `fit` and its other verbs: another `fit` goes on where
   * this one ended. One that observes a metric is shown each epoch's: see `reduceLrOnPlateau`.
   */
  readonly schedule?: Schedule;
  /** Stops the training after the steps already submitted; the generator then ends without a `done` event. */
  readonly signal?: AbortSignal;
}

/** Counters that outlive one call of fit. */
export interface Counters {
  /** What has been done so far. */
  done(): Progress;
  /** The next optimizer step and forward pass, each from 1. */
  nextStep(): { readonly number: number; readonly draw: number };
  nextEpoch(): number;
}

interface SubmittedStep {
  readonly step: number;
  readonly index: number;
  readonly rows: number;
  readonly lr: number;
}

/** Chunks before this many are warm-up: caches, clocks and the chunk size settle. */
const warmUpChunks = 3;

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted.length === 0 ? 0 : (sorted[Math.floor(sorted.length / 2)] as number);
}

/** Refuses before the first step what a schedule would refuse, or could not be shown, in the midst of training. */
function checkSchedule(
  schedule: Schedule,
  { groups }: Optimizer,
  { steps, epochs }: Progress,
  { train, options }: { train: DataLoader; options: FitOptions },
): void {
  ratesAt(schedule, { steps, epochs }, groups);
  const ahead = options.epochs * train.batches;
  ratesAt(schedule, { steps: steps + Math.max(0, ahead - 1), epochs: epochs + options.epochs - 1 }, groups);
  if (schedule.mode !== 'max' || options.validate?.dataset.classes.length) return;
  throw new HeddleError(
    'usage',
    `fit: schedule ${schedule.kind} with mode 'max' observes the validation's accuracy: expected the option 'validate' with data that has classes`,
  );
}

const seconds = () => performance.now() / 1000;

/** The loop behind `trainer.fit`. */
export async function* trainEpochs(
  session: Session,
  optimizer: Optimizer,
  train: DataLoader,
  options: FitOptions,
  sessionFor: (loader: DataLoader) => Promise<Session>,
  counters: Counters,
): AsyncGenerator<TrainEvent, void, void> {
  const { epochs, validate, logEvery = 100, schedule, signal } = options;
  checkSize('fit: epochs', epochs);
  checkSize('fit: logEvery', logEvery);
  if (schedule !== undefined) checkSchedule(schedule, optimizer, counters.done(), { train, options });
  const started = seconds();
  const stepSeconds: number[] = [];
  let lastStep = 0;

  for (let round = 0; round < epochs; round++) {
    const epoch = counters.nextEpoch();
    const epochStarted = seconds();
    const batches = train.epoch(epoch - 1)[Symbol.iterator]();
    const submitted: SubmittedStep[] = [];
    const fill = (slot: number) => {
      const next = signal?.aborted === true ? undefined : batches.next();
      if (next === undefined || next.done === true) return false;
      const { index, rows } = next.value;
      const step = counters.nextStep();
      const write = () => {
        session.feed.write(slot, next.value, step);
        submitted.push({ step: step.number, index, rows, lr: optimizer.lr });
      };
      if (schedule === undefined) write();
      else {
        const progress = { steps: step.number - 1, epochs: epoch - 1 };
        withRates(optimizer.groups, ratesAt(schedule, progress, optimizer.groups), write);
      }
      return true;
    };
    let [samples, sum, done] = [0, 0, 0];
    for await (const chunk of session.scheduler.run(session.stepPlan, fill)) {
      stepSeconds.push(chunk.seconds / chunk.steps);
      const bits = new Uint32Array(chunk.results.buffer);
      for (const [i, loss] of chunk.results.entries()) {
        const { step, index, rows, lr } = submitted.shift() as SubmittedStep;
        if (!Number.isFinite(loss)) {
          const [of, why] =
            bits[i] === brokenBits
              ? ['a gradient or parameter', '']
              : ['the loss', ': a logit, and so a weight, is NaN or infinite'];
          throw new HeddleError(
            'diverged',
            `${of} of step ${step} (epoch ${epoch}) is not finite${why}. Try a smaller learning rate than ${lr}.`,
          );
        }
        samples += rows;
        sum += loss;
        done++;
        lastStep = step;
        if (index % logEvery === 0) yield { type: 'step', epoch, step, samples, loss, lr };
      }
      const samplesPerSecond = samples / (seconds() - epochStarted);
      const loss = chunk.results.at(-1) as number;
      yield {
        type: 'progress',
        phase: 'train',
        epoch,
        batch: done,
        batches: train.batches,
        loss,
        samplesPerSecond,
      };
    }
    if (signal?.aborted === true) return;
    const epochSeconds = seconds() - epochStarted;

    let validation: Evaluation | undefined;
    if (validate !== undefined) {
      validation = yield* (await sessionFor(validate)).evaluate(validate, epoch, signal);
      if (validation === undefined) return;
    }
    const metrics = { min: validation?.loss ?? sum / done, max: validation?.accuracy ?? Number.NaN };
    schedule?.observe?.(metrics[schedule.mode ?? 'min']);
    yield {
      type: 'epoch',
      epoch,
      seconds: epochSeconds,
      samplesPerSecond: samples / epochSeconds,
      train: { loss: sum / done },
      ...(validation === undefined ? {} : { validation }),
    };
  }
  const steady = stepSeconds.length > warmUpChunks ? stepSeconds.slice(warmUpChunks) : stepSeconds;
  yield { type: 'done', steps: lastStep, seconds: seconds() - started, secondsPerStep: median(steady) };
}
