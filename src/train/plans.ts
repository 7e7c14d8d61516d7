// What is recorded of a model: the training step, its evaluation, and the parts of a step for those who take it apart.

import { HeddleError } from '../errors.ts';
import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import {
  type ForwardContext,
  forwardLoss,
  type Layer,
  type LossForward,
  type Parameter,
  type Update,
  type Value,
} from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import { confusion } from '../ops/confusion.ts';
import type { Optimizer } from '../optim/optimizer.ts';
import type { Arenas } from './arenas.ts';
import type { Feed } from './feed.ts';

/** What is trained, and whether with fused kernels. */
export interface Job {
  readonly model: Layer;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  readonly arenas: Arenas;
  readonly fused: boolean;
  /** Whether a step leaves its gradients in their arena, for people to look at. */
  readonly keepGradients: boolean;
}

/** Number of classes a model tells apart for rows of this shape. Throws a HeddleError `shape` when they do not fit it. */
export function classesOf(model: Layer, inputShape: readonly number[]): number {
  const output = model.outputShape(inputShape);
  if (output.length !== 1) {
    throw new HeddleError(
      'shape',
      `the model gives rows of [${output.join(', ')}]; the loss expects one row of logits each`,
    );
  }
  return output[0] as number;
}

function forward(
  job: Job,
  recorder: Recorder,
  feed: Feed,
  options: { gradient: boolean; accumulate: boolean; update?: Update },
): LossForward {
  const context: ForwardContext = {
    recorder,
    fused: job.fused,
    accumulate: options.accumulate,
    value: job.arenas.valueOf,
    gradient: job.arenas.gradientOf,
    ...(options.update === undefined ? {} : { update: options.update }),
  };
  const { inputs, targets, step } = feed;
  const x: Value = { tensor: inputs, needsGradient: false, maskable: false, channelsLast: false };
  const batch = { targets, step, losses: feed.results };
  return forwardLoss(job.model, context, x, '', {
    of: (logits) => job.loss.forward(context, logits, batch, options.gradient),
    ofLinear: (linear) => job.loss.forwardLinear?.(context, linear, batch, options.gradient),
  });
}

/** Forward, loss, gradients into the arena (added to it with `accumulate`). */
export function recordBackward(job: Job, feed: Feed, accumulate: boolean): (recorder: Recorder) => void {
  return (recorder) => {
    forward(job, recorder, feed, { gradient: true, accumulate }).backward();
  };
}

/** One optimizer step from the gradients in the arena. */
export function recordOptimizer(job: Job, feed: Feed): (recorder: Recorder) => void {
  const { value, gradient } = job.arenas;
  return (recorder) =>
    job.optimizer.record(recorder, { value, gradient, losses: feed.results, step: feed.step });
}

/** Whether a step may use its gradients up as they are made, and leave none in the arena. */
export const stepUsesGradientsUp = ({ fused, keepGradients, optimizer }: Job): boolean =>
  fused && !keepGradients && optimizer.plainStep;

/** Forward, loss, gradients, optimizer. */
export function recordStep(job: Job, feed: Feed): (recorder: Recorder) => void {
  return (recorder) => {
    const updated = new Set<Parameter>();
    const { results: losses, step } = feed;
    const update = {
      losses,
      step,
      done: (...all: Parameter[]) => all.forEach((one) => void updated.add(one)),
    };
    const options = { gradient: true, accumulate: false };
    forward(job, recorder, feed, stepUsesGradientsUp(job) ? { ...options, update } : options).backward();
    const left = job.arenas.parameters.filter((parameter) => !updated.has(parameter));
    if (updated.size === 0) return recordOptimizer(job, feed)(recorder);
    for (const parameter of left) {
      const [value, gradient] = [job.arenas.valueOf(parameter), job.arenas.gradientOf(parameter)];
      job.optimizer.record(recorder, { value, gradient, losses, step });
    }
  };
}

/** Forward and loss, and the confusion counts of the batch added to `counts` [classes, classes]. */
export function recordEvaluation(job: Job, feed: Feed, counts: Tensor): (recorder: Recorder) => void {
  return (recorder) => {
    const { logits } = forward(job, recorder, feed, { gradient: false, accumulate: false });
    const { targets, step } = feed;
    confusion(recorder, { label: 'metrics.confusion', logits, targets, counts, step });
  };
}
