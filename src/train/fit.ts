// The ready-made training loop: epochs over a loader, a validation after each, events as things happen.

import type { DataLoader } from '../data/loader.ts';
import { HeddleError } from '../errors.ts';
import { checkSize } from '../nn/layer.ts';
import { brokenBits } from '../ops/sgd.ts';
import type { Optimizer } from '../optim/optimizer.ts';
import { ratesAt, type Schedule, withRates } from '../optim/schedule.ts';
import { type Course, takeUp } from './course.ts';
import type { Evaluation, TrainEvent } from './events.ts';
import type { Session } from './session.ts';

/** Options of `trainer.fit`. */
export interface FitOptions {
  /** Further epochs; one that was begun before, and not ended, is the first of them. */
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
  /** Ends after so many optimizer steps, in the midst of an epoch if need be. Default: no limit but `epochs`. */
  readonly steps?: number;
  /** Asked before each step: true ends the training there, as when all epochs are done. */
  readonly stop?: () => boolean;
  /** A `checkpoint` event whenever the trainer's steps are a multiple of this, for `trainer.checkpoint()`. Default: none. */
  readonly checkpointEvery?: number;
  /** Whether a loss, gradient or parameter that is not finite ends the training. Default `throw`. */
  readonly onNonFinite?: 'throw' | 'ignore';
  /**
   * Stops the training after the steps already submitted; the generator then ends without a `done` event. Another fit with
   * the same loader goes on with the epoch's next batch, and so does one after `restore`.
   */
  readonly signal?: AbortSignal;
}

interface SubmittedStep {
  readonly step: number;
  readonly index: number;
  /** Rows of the epoch up to and including its own. */
  readonly samples: number;
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
  { steps, epochs, begun }: Course,
  { train, options }: { train: DataLoader; options: FitOptions },
): void {
  ratesAt(schedule, { steps, epochs }, groups);
  const ahead = options.epochs * train.batches - (begun?.batches ?? 0);
  ratesAt(schedule, { steps: steps + Math.max(0, ahead - 1), epochs: epochs + options.epochs - 1 }, groups);
  if (schedule.mode !== 'max' || options.validate?.dataset.classes.length) return;
  throw new HeddleError(
    'usage',
    `fit: schedule ${schedule.kind} with mode 'max' observes the validation's accuracy: expected the option 'validate' with data that has classes`,
  );
}

const seconds = () => performance.now() / 1000;

/** Throws the HeddleError `diverged` of a step. */
function refuseBroken(loss: number, bits: number, { step, lr }: SubmittedStep, epoch: number): void {
  if (Number.isFinite(loss)) return;
  const [of, why] =
    bits === brokenBits
      ? ['a gradient or parameter', '']
      : ['the loss', ': a logit, and so a weight, is NaN or infinite'];
  throw new HeddleError(
    'diverged',
    `${of} of step ${step} (epoch ${epoch}) is not finite${why}. Try a smaller learning rate than ${lr}.`,
    { step },
  );
}

/** The loop behind `trainer.fit`. */
export async function* trainEpochs(
  session: Session,
  optimizer: Optimizer,
  train: DataLoader,
  options: FitOptions,
  sessionFor: (loader: DataLoader) => Promise<Session>,
  course: Course,
): AsyncGenerator<TrainEvent, void, void> {
  const { epochs, validate, logEvery = 100, schedule, signal } = options;
  const { steps: most = Number.POSITIVE_INFINITY, checkpointEvery = Number.POSITIVE_INFINITY } = options;
  checkSize('fit: epochs', epochs);
  checkSize('fit: logEvery', logEvery);
  if (options.steps !== undefined) checkSize('fit: steps', most);
  if (options.checkpointEvery !== undefined) checkSize('fit: checkpointEvery', checkpointEvery);
  if (schedule !== undefined) checkSchedule(schedule, optimizer, course, { train, options });
  takeUp(course, train, options);
  const started = seconds();
  const lastStep = course.steps + most;
  const ended = () => course.steps >= lastStep || options.stop?.() === true;
  const stepSeconds: number[] = [];

  for (let round = 0; round < epochs && !ended(); round++) {
    const epoch = course.epochs + 1;
    const of = { batches: train.batches, rows: train.rows };
    course.begun ??= { of, batches: 0, rows: 0, loss: 0, losses: 0, seconds: 0 };
    const { begun } = course;
    let epochStarted = seconds() - begun.seconds;
    let lossSum = begun.loss ?? Number.NaN;
    const batches = train.epoch(epoch - 1, begun.batches)[Symbol.iterator]();
    const submitted: SubmittedStep[] = [];
    let pause = false;
    const fill = (slot: number) => {
      if (pause || signal?.aborted === true || ended()) return false;
      const next = batches.next();
      if (next.done === true) return false;
      const { index, rows } = next.value;
      const write = () => {
        const facts = { number: course.steps + 1, draw: course.draws + 1 };
        session.feed.write(slot, next.value, facts);
        begun.rows += rows;
        submitted.push({ step: facts.number, index, samples: begun.rows, lr: optimizer.lr });
      };
      if (schedule === undefined) write();
      else {
        const progress = { steps: course.steps, epochs: epoch - 1 };
        withRates(optimizer.groups, ratesAt(schedule, progress, optimizer.groups), write);
      }
      course.steps++;
      course.draws++;
      begun.batches++;
      pause = course.steps % checkpointEvery === 0;
      return true;
    };
    do {
      pause = false;
      for await (const chunk of session.scheduler.run(session.stepPlan, fill)) {
        stepSeconds.push(chunk.seconds / chunk.steps);
        const bits = new Uint32Array(chunk.results.buffer);
        let samples = 0;
        let newest = submitted[0] as SubmittedStep;
        const { step: first } = newest;
        for (const [i, loss] of chunk.results.entries()) {
          const one = submitted.shift() as SubmittedStep;
          if (options.onNonFinite !== 'ignore') refuseBroken(loss, bits[i] as number, one, epoch);
          lossSum += loss;
          begun.loss = Number.isFinite(lossSum) ? lossSum : null;
          begun.losses++;
          samples = one.samples;
          newest = one;
          const { step, index, lr } = one;
          if (index % logEvery === 0) yield { type: 'step', epoch, step, samples, loss, lr };
        }
        begun.seconds = seconds() - epochStarted;
        yield {
          type: 'progress',
          phase: 'train',
          epoch,
          batch: begun.losses,
          batches: train.batches,
          loss: chunk.results.at(-1) as number,
          samplesPerSecond: samples / begun.seconds,
          steps: { first, losses: [...chunk.results], lr: newest.lr },
        };
      }
      if (!pause || begun.batches === of.batches) break;
      const paused = seconds();
      yield { type: 'checkpoint', epoch, step: course.steps };
      epochStarted += seconds() - paused;
    } while (true);
    if (signal?.aborted === true) return;
    if (begun.batches < of.batches) break; // ended in the midst of it

    let validation: Evaluation | undefined;
    if (validate !== undefined) {
      validation = yield* (await sessionFor(validate)).evaluate(validate, epoch, signal);
      if (validation === undefined) return;
    }
    const trainLoss = lossSum / begun.losses;
    const metrics = { min: validation?.loss ?? trainLoss, max: validation?.accuracy ?? Number.NaN };
    schedule?.observe?.(metrics[schedule.mode ?? 'min']);
    course.epochs = epoch;
    course.begun = undefined;
    yield {
      type: 'epoch',
      epoch,
      seconds: begun.seconds,
      samplesPerSecond: begun.rows / begun.seconds,
      train: { loss: trainLoss },
      ...(validation === undefined ? {} : { validation }),
    };
  }
  const steady = stepSeconds.length > warmUpChunks ? stepSeconds.slice(warmUpChunks) : stepSeconds;
  yield { type: 'done', steps: course.steps, seconds: seconds() - started, secondsPerStep: median(steady) };
}
