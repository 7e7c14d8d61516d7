// Launches nll_loss_backward.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { nllLossBackward as kernel } from './kernels.generated.ts';

/** Records the gradient of the mean NLL by the log-probabilities. targets u32 [rows] → [rows, columns]. */
export function nllLossBackward(
  recorder: Recorder,
  options: { label: string; targets: Tensor; columns: number; step: Tensor },
): Tensor {
  const { label, targets, columns, step } = options;
  const rows = targets.shape[0] as number;
  const d = recorder.tensor(label, [rows, columns]);
  const size = rows * columns;
  recorder.dispatch(kernel, {
    label,
    bindings: { target_class: targets, d, step },
    params: { columns, size },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  return d;
}
