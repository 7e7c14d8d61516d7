// Launches softmax_backward.wgsl.

import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { softmaxBackward as kernel } from './kernels.generated.ts';

/** Records dx = y·(dy - Σ dy·y) over each row, with y = softmax(x). dy, y [rows, columns] → [rows, columns]. */
export function softmaxBackward(
  recorder: Recorder,
  options: { label: string; dy: Tensor; y: Tensor },
): Tensor {
  const { label, dy, y } = options;
  const [rows, columns] = dy.shape as [number, number];
  const dx = recorder.tensor(label, dy.shape);
  recorder.dispatch(kernel, {
    label,
    bindings: { dy, y, dx },
    params: { rows, columns },
    workgroups: [Math.ceil(rows / 64), 1, 1],
  });
  return dx;
}
