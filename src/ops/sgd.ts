// Launches sgd.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { sgd as kernel } from './kernels.generated.ts';

/** What the results hold for a step with a gradient or parameter that is NaN or infinite; the bits of a NaN. */
export const brokenBits = 0x7fc00001;

/**
 * Records value -= lr · gradient in place, lr from the step record. Both of one shape. Marks the step's loss in `losses`
 * ([slots]) with `brokenBits` when a gradient or a value is not finite.
 */
export function sgd(
  recorder: Recorder,
  options: { label: string; value: Tensor; gradient: Tensor; losses: Tensor; step: Tensor },
): void {
  const { label, value, gradient, losses, step } = options;
  const size = elementCount(value.shape);
  recorder.dispatch(kernel, {
    label,
    bindings: { gradient, value, loss: losses, step },
    params: { size },
    workgroups: foldGrid(Math.ceil(size / 256)), // four elements an invocation
  });
}
