// Launches column_sum.wgsl.

import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { columnSum as kernel } from './kernels.generated.ts';

/** Records y[j] = Σ_i x[i, j], or y[j] += … with `accumulate`. x [rows, columns] → [columns]. */
export function columnSum(
  recorder: Recorder,
  options: { label: string; x: Tensor; out?: Tensor; accumulate?: boolean },
): Tensor {
  const { label, x, accumulate = false } = options;
  const [rows, columns] = x.shape as [number, number];
  const y = options.out ?? recorder.tensor(label, [columns]);
  recorder.dispatch(kernel, {
    label,
    bindings: { x, y },
    params: { rows, columns, accumulate: accumulate ? 1 : 0 },
    workgroups: [Math.ceil(columns / 16), 1, 1],
  });
  return y;
}
