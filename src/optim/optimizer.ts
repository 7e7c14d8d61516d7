// What an optimizer is: a value that records how an arena of parameters is updated from an arena of gradients.

import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';

/** An optimizer over whole arenas: one dispatch, however many parameters there are. */
export interface Optimizer {
  readonly kind: string;
  /** Whether a step is value -= lr · gradient and nothing else: a kernel that makes a gradient may then take it itself. */
  readonly plainStep: boolean;
  /** Learning rate. May be changed between steps; the next step that is submitted uses it. */
  lr: number;
  /**
   * Records one update. `value` and `gradient` are arenas of one layout; hyper-parameters come with the step record.
   * A value or gradient that is not finite is reported in the step's slot of `losses`.
   */
  record(
    recorder: Recorder,
    arenas: {
      readonly value: Tensor;
      readonly gradient: Tensor;
      readonly losses: Tensor;
      readonly step: Tensor;
    },
  ): void;
}
