// Launches sgd.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { sgd as kernel } from './kernels.generated.ts';

/** Records value -= lr · gradient in place, lr from the step record. Both of one shape. */
export function sgd(
  recorder: Recorder,
  options: { label: string; value: Tensor; gradient: Tensor; step: Tensor },
): void {
  const { label, value, gradient, step } = options;
  const size = elementCount(value.shape);
  recorder.dispatch(kernel, {
    label,
    bindings: { gradient, value, step },
    params: { size },
    workgroups: foldGrid(Math.ceil(size / 256)), // four elements an invocation
  });
}
