// What is recorded of a model: the training step, its evaluation, and the parts of a step for those who take it apart.

import { HeddleError } from '../errors.ts';
import type { Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { imagesOf, relaid } from '../nn/images.ts';
import {
  type ForwardContext,
  forwardLoss,
  type Gradient,
  type Layer,
  type LossForward,
  type Parameter,
  reshape,
  type Update,
  type Value,
} from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import { clipGradientNorm, clipGradientValue } from '../ops/clip_gradient.ts';
import { confusion } from '../ops/confusion.ts';
import { transpose } from '../ops/transpose.ts';
import type { Optimizer } from '../optim/optimizer.ts';
import type { Arenas } from './arenas.ts';
import type { Feed, InputSpec } from './feed.ts';

/** Gradients made smaller: all together, so that their norm is at most `limit`, or each for itself. */
export interface Clip {
  readonly by: 'norm' | 'value';
  readonly limit: number;
}

/** What is trained, and whether with fused kernels. */
export interface Job {
  readonly model: Layer;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  readonly arenas: Arenas;
  readonly fused: boolean;
  /** Whether a step leaves its gradients in their arena, for people to look at. */
  readonly keepGradients: boolean;
  /** What a step does to the gradients before the optimizer uses them. */
  readonly clip?: Clip;
  /** What random numbers on the GPU are drawn from, a u32. */
  readonly seed: number;
}

/**
 * Shape of a row of the model's predictions for rows of this kind. Throws a HeddleError `shape` when they do not fit the
 * model, or targets and predictions not each other.
 */
export function outputOf({ model, loss }: Pick<Job, 'model' | 'loss'>, spec: InputSpec): readonly number[] {
  const output = model.outputShape(spec.shape);
  const shape = `[${output.join(', ')}]`;
  const { targetShape } = spec;
  if (targetShape === undefined) {
    if (loss.targets === 'values')
      throw new HeddleError(
        'shape',
        `${loss.kind}: the targets are class indices; it compares with real values: rows of ${shape}, as the model gives them`,
      );
    if (output.length !== 1) {
      throw new HeddleError(
        'shape',
        `the model gives rows of ${shape}; the loss expects one row of logits each`,
      );
    }
    loss.check?.(output);
    return output;
  }
  const target = `[${targetShape.join(', ')}]`;
  if (loss.targets === 'classes')
    throw new HeddleError(
      'shape',
      `${loss.kind}: the targets are rows of ${target} real values; it takes class indices`,
    );
  if (target !== shape)
    throw new HeddleError(
      'shape',
      `the model gives rows of ${shape}, the targets are rows of ${target}: expected the same shape`,
    );
  loss.check?.(output);
  return output;
}

/** A loss of predictions as PyTorch has them: of images that lie channels-last, the targets do not. */
function lossOf(
  context: ForwardContext,
  predictions: Value,
  forwardOf: (predictions: Value) => () => Gradient,
): () => Gradient {
  if (!predictions.channelsLast) return forwardOf(predictions);
  const images = imagesOf(predictions);
  const tensor = relaid(context, 'loss.layout', predictions.tensor, images);
  const pullback = forwardOf({ ...predictions, tensor, channelsLast: false });
  return () => {
    const gradient = pullback();
    const laid = relaid(context, 'loss.layout.backward', gradient.tensor, { ...images, channelsLast: false });
    return { ...gradient, tensor: laid };
  };
}

interface ForwardOptions {
  readonly training: boolean;
  readonly accumulate: boolean;
  readonly update?: Update;
  /** Where the rows' losses go, when they are wanted. */
  readonly rowLosses?: Tensor;
}

function contextOf(job: Job, recorder: Recorder, feed: Feed, options: ForwardOptions): ForwardContext {
  const { arenas, seed } = job;
  let streams = 0;
  return {
    recorder,
    fused: job.fused,
    accumulate: options.accumulate,
    training: options.training,
    step: feed.step,
    value: arenas.valueOf,
    gradient: arenas.gradientOf,
    trains: arenas.trains,
    randomStream: () => ({ seed, stream: streams++ }),
    ...(options.update === undefined ? {} : { update: options.update }),
  };
}

const inputOf = ({ inputs }: Feed): Value => ({
  tensor: inputs,
  needsGradient: false,
  maskable: false,
  channelsLast: false,
});

function forward(job: Job, recorder: Recorder, feed: Feed, options: ForwardOptions): LossForward {
  const { loss } = job;
  const { targets, step } = feed;
  const context = contextOf(job, recorder, feed, options);
  const batch = { targets, step, losses: feed.results, rowLosses: options.rowLosses };
  return forwardLoss(job.model, context, inputOf(feed), '', {
    of: (logits) =>
      lossOf(context, logits, (inOrder) => loss.forward(context, inOrder, batch, options.training)),
    ofLinear: (linear) => loss.forwardLinear?.(context, linear, batch, options.training),
  });
}

/** Forward, loss, gradients into the arena (added to it with `accumulate`). */
export function recordBackward(job: Job, feed: Feed, accumulate: boolean): (recorder: Recorder) => void {
  return (recorder) => {
    forward(job, recorder, feed, { training: true, accumulate }).backward();
  };
}

/** One optimizer step from the gradients in the arena, which are clipped there before where that is asked for. */
export function recordOptimizer({ optimizer, arenas, clip }: Job, feed: Feed): (recorder: Recorder) => void {
  const { results: losses, step } = feed;
  return (recorder) => {
    if (clip !== undefined) {
      const record = clip.by === 'norm' ? clipGradientNorm : clipGradientValue;
      record(recorder, { label: 'clip', gradient: arenas.gradient, limit: clip.limit });
    }
    arenas.groups.forEach((range, group) => {
      const hyper = feed.hypers[group] as Tensor;
      if (range !== undefined) optimizer.record(recorder, group, { ...range, hyper, losses, step });
    });
  };
}

/** Whether a step may use its gradients up as they are made, and leave none in the arena. */
export const stepUsesGradientsUp = ({ fused, keepGradients, optimizer, clip }: Job): boolean =>
  fused && !keepGradients && optimizer.plainStep && clip === undefined;

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
    const options = { training: true, accumulate: false };
    forward(job, recorder, feed, stepUsesGradientsUp(job) ? { ...options, update } : options).backward();
    if (updated.size === 0) return recordOptimizer(job, feed)(recorder);
    for (const parameter of job.arenas.parameters.filter((one) => !updated.has(one))) {
      const hyper = feed.hypers[0] as Tensor; // an optimizer with a plain step has one group
      job.optimizer.record(recorder, 0, { ...job.arenas.rangeOf(parameter), hyper, losses, step });
    }
  };
}

/**
 * Forward and loss, and, of class targets, the counts of confusion.wgsl of the batch added to `counts`
 * [classes + 1, classes].
 */
export function recordEvaluation(
  job: Job,
  feed: Feed,
  counts: Tensor | undefined,
): (recorder: Recorder) => void {
  return (recorder) => {
    const { logits } = forward(job, recorder, feed, { training: false, accumulate: false });
    const { targets, step } = feed;
    const { ignoreIndex } = job.loss;
    if (counts !== undefined)
      confusion(recorder, { label: 'metrics.confusion', logits, targets, counts, step, ignoreIndex });
  };
}

/** Forward, and the loss of each row into `rowLosses` [batchSize]. */
export function recordRowLosses(job: Job, feed: Feed, rowLosses: Tensor): (recorder: Recorder) => void {
  return (recorder) => {
    forward(job, recorder, feed, { training: false, accumulate: false, rowLosses });
  };
}

/** Forward alone, and what the model gives for the rows into `outputs` [batchSize, …], as PyTorch lays it out. */
export function recordOutputs(job: Job, feed: Feed, outputs: Tensor): (recorder: Recorder) => void {
  return (recorder) => {
    const context = contextOf(job, recorder, feed, { training: false, accumulate: false });
    const { y } = job.model.forward(context, inputOf(feed), '');
    let matrices = [1, elementCount(y.tensor.shape), 1]; // of which the transpose is a copy
    if (y.channelsLast) {
      const { count, channels, height, width } = imagesOf(y);
      matrices = [count, height * width, channels];
    }
    transpose(recorder, { label: 'outputs', x: reshape(y.tensor, matrices), y: outputs });
  };
}
