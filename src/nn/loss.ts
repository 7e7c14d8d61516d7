// What a loss is: like a layer, a value whose `forward` records work and returns its pullback.

import type { Tensor } from '../gpu/tensor.ts';
import type { ForwardContext, Gradient, LinearMap, Value } from './layer.ts';

/** What a loss compares the predictions with, and where it goes. */
export interface LossBatch {
  /** Class indices, u32 [rows], or real values, f32 of the predictions' shape. */
  readonly targets: Tensor;
  /** The step record: how many of the rows hold data, the scale, and which slot of `losses` is the step's. */
  readonly step: Tensor;
  /** f32 [slots]. */
  readonly losses: Tensor;
}

/** A batch's targets on the host. */
export interface HostTargets {
  readonly rows: number;
  /** [rows], or [rows, …] of as many values as a row of predictions has. */
  readonly targets: Uint8Array | Int32Array | Float32Array;
}

/** A loss of predictions [rows, …], logits for instance, against targets. */
export interface Loss {
  readonly kind: string;
  /** What it takes for targets: class indices, real values in the shape of the predictions, or either. */
  readonly targets: 'classes' | 'values' | 'either';
  /** A target that says: leave this row out. No class has to have this index. */
  readonly ignoreIndex?: number | undefined;
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
  ): { readonly logits: Tensor; readonly pullback: () => Gradient } | undefined;
}
