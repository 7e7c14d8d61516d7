// What a loss is: like a layer, a value whose `forward` records work and returns its pullback.

import { HeddleError } from '../errors.ts';
import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { meanLoss } from '../ops/mean_loss.ts';
import type { ForwardContext, Gradient, LinearLoss, LinearMap, Value } from './layer.ts';

/** What a loss compares the predictions with, and where it goes. */
export interface LossBatch {
  /** Class indices, u32 [rows], or real values, f32 of the predictions' shape. */
  readonly targets: Tensor;
  /** The step record: how many of the rows hold data, the scale, and which slot of `losses` is the step's. */
  readonly step: Tensor;
  /** f32 [slots]. */
  readonly losses: Tensor;
  /**
   * Given when the loss of each row is wanted, f32 [rows], and then nothing goes to `losses`. What compares element by
   * element gives the mean over a row's.
   */
  readonly rowLosses?: Tensor | undefined;
}

/**
 * What becomes of the rows' losses: their mean, their sum, or `none`, which stands for one number a row. Training takes one
 * number a batch, so that `createTrainer` refuses `none`; `trainer.losses` gives the rows' losses by any of them.
 */
export type Reduction = 'mean' | 'sum' | 'none';

/** A batch's targets on the host. */
export interface HostTargets {
  readonly rows: number;
  /** [rows], or [rows, …] of as many values as a row of predictions has. */
  readonly targets: Uint8Array | Int32Array | Float32Array;
}

/** A loss of predictions [rows, …], logits for instance, against targets. */
export interface Loss {
  readonly kind: string;
  /** `mean` when left out. */
  readonly reduction?: Reduction;
  /** What it takes for targets: class indices, real values in the shape of the predictions, or either. */
  readonly targets: 'classes' | 'values' | 'either';
  /** A target that says: leave this row out. No class has to have this index. */
  readonly ignoreIndex?: number | undefined;
  /** Throws a HeddleError `shape` for predictions, of rows of this shape, that do not fit what the loss was made with. */
  check?(output: readonly number[]): void;
  /**
   * What the sum of the rows' losses is multiplied by, for a batch: 1 / rows for a mean over rows. Comes with the step
   * record, so that loss and gradient follow it.
   */
  scale(batch: HostTargets): number;
  /**
   * Records step.scale times the sum of the rows' losses, into the step's slot. With `gradient`, what is returned gives the
   * gradient of that by the predictions.
   */
  forward(context: ForwardContext, predictions: Value, batch: LossBatch, gradient: boolean): () => Gradient;
  /** The same for the logits of a linear map, in the kernel that makes them. Undefined where there is none for its shapes. */
  forwardLinear?(
    context: ForwardContext,
    linear: LinearMap,
    batch: LossBatch,
    gradient: boolean,
  ): LinearLoss | undefined;
}

/** Records step.scale times the sum of the rows' losses into the step's slot, unless they themselves are what is wanted. */
export function reduceRows(recorder: Recorder, rowLoss: Tensor, batch: LossBatch): void {
  const { losses, step, rowLosses } = batch;
  if (rowLosses === undefined) meanLoss(recorder, { label: 'loss.mean', rowLoss, out: losses, step });
}

/** Throws a HeddleError `usage` for a reduction that there is none of. */
export function checkReduction(what: string, reduction: Reduction): void {
  if (!['mean', 'sum', 'none'].includes(reduction))
    throw new HeddleError('usage', `${what}: reduction '${reduction}': expected 'mean', 'sum' or 'none'`);
}

/** A copy of weights, as float32. Throws a HeddleError `usage` for one that is not finite or below 0, or for none at all. */
export function checkWeights(
  what: string,
  weights: ArrayLike<number> | undefined,
): Float32Array<ArrayBuffer> | undefined {
  if (weights === undefined) return undefined;
  const copy = Float32Array.from(weights);
  if (copy.length === 0) throw new HeddleError('usage', `${what}: found no weights, expected one a class`);
  const wrong = copy.findIndex((value) => !(Number.isFinite(value) && value >= 0));
  if (wrong >= 0)
    throw new HeddleError(
      'usage',
      `${what}: weight ${weights[wrong]} at index ${wrong}: expected finite numbers of 0 or more`,
    );
  return copy;
}

/** Throws a HeddleError `shape` unless there are as many weights as the model's rows have numbers. */
export function checkWeightCount(
  what: string,
  weights: Float32Array | undefined,
  output: readonly number[],
): void {
  const size = output.reduce((a, b) => a * b, 1);
  if (weights !== undefined && weights.length !== size)
    throw new HeddleError(
      'shape',
      `${what}: ${weights.length} weights, but the model gives rows of [${output.join(', ')}]: expected ${size} weights`,
    );
}
