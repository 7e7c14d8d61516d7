// Launches softmax.wgsl.

import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { softmax as kernel } from './kernels.generated.ts';

/** Records y = softmax(x) over each row. x [rows, columns] → [rows, columns]. */
export function softmax(recorder: Recorder, options: { label: string; x: Tensor }): Tensor {
  const { label, x } = options;
  const [rows, columns] = x.shape as [number, number];
  const y = recorder.tensor(label, x.shape);
  recorder.dispatch(kernel, {
    label,
    bindings: { x, y },
    params: { rows, columns },
    workgroups: [Math.ceil(rows / 64), 1, 1],
  });
  return y;
}
