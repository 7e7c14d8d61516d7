// What a loss is: like a layer, a value whose `forward` records work and returns its pullback.

import type { Tensor } from '../gpu/tensor.ts';
import type { ForwardContext, Gradient, Value } from './layer.ts';

/** What a loss compares the logits with. */
export interface LossBatch {
  /** Class indices, u32 [rows]. */
  readonly targets: Tensor;
  /** The step record: how many of the rows hold data. */
  readonly step: Tensor;
}

/** A loss of logits [rows, classes] against class indices. */
export interface Loss {
  readonly kind: string;
  /**
   * Records each row's loss ([rows], 0 for rows without data). With `gradient`, `pullback` gives the gradient of the mean
   * over the batch's rows by the logits.
   */
  forward(
    context: ForwardContext,
    logits: Value,
    batch: LossBatch,
    gradient: boolean,
  ): { readonly rowLoss: Tensor; readonly pullback: () => Gradient };
}
