// What a loss is: like a layer, a value whose `forward` records work and returns its pullback.

import type { Tensor } from '../gpu/tensor.ts';
import type { ForwardContext, Gradient, LinearMap, Value } from './layer.ts';

/** What a loss compares the logits with, and where it goes. */
export interface LossBatch {
  /** Class indices, u32 [rows]. */
  readonly targets: Tensor;
  /** The step record: how many of the rows hold data, and which slot of `losses` is the step's. */
  readonly step: Tensor;
  /** f32 [slots]. */
  readonly losses: Tensor;
}

/** A loss of logits [rows, classes] against class indices. */
export interface Loss {
  readonly kind: string;
  /**
   * Records the mean loss over the batch's rows, into the step's slot. With `gradient`, what is returned gives the gradient
   * of that mean by the logits.
   */
  forward(context: ForwardContext, logits: Value, batch: LossBatch, gradient: boolean): () => Gradient;
  /** The same for the logits of a linear map, in the kernel that makes them. Undefined where there is none for its shapes. */
  forwardLinear?(
    context: ForwardContext,
    linear: LinearMap,
    batch: LossBatch,
    gradient: boolean,
  ): { readonly logits: Tensor; readonly pullback: () => Gradient } | undefined;
}
