// Launches dropout.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { dropout as kernel } from './kernels.generated.ts';

/** Which random numbers decide what is dropped, besides the step's `draw`. */
export interface DropoutOptions {
  /** Probability with which an element becomes 0; the others are divided by 1 - p. */
  readonly p: number;
  /** u32s. */
  readonly seed: number;
  readonly stream: number;
}

/** As the kernel gets them: an element stays when its random number is at least `threshold`. */
function dropoutParams(p: number): { readonly threshold: number; readonly scale: number } {
  return { threshold: Math.min(Math.ceil(p * 2 ** 32), 2 ** 32 - 1), scale: p === 1 ? 0 : 1 / (1 - p) };
}

/** Records y = x with some elements dropped. The same options and step drop the same elements: of the gradient too. */
export function dropout(
  recorder: Recorder,
  options: DropoutOptions & { label: string; x: Tensor; step: Tensor },
): Tensor {
  const { label, x, step, p, seed, stream } = options;
  const y = recorder.tensor(label, x.shape);
  const size = elementCount(x.shape);
  recorder.dispatch(kernel, {
    label,
    bindings: { x, y, step },
    params: { size, seed, stream, ...dropoutParams(p) },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  return y;
}
