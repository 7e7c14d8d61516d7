// Launches mean_loss.wgsl.

import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { meanLoss as kernel } from './kernels.generated.ts';

/** Records out[slot] = mean of rowLoss over the batch's rows, NaN if any is not finite. rowLoss [rows], out [slots]. */
export function meanLoss(
  recorder: Recorder,
  options: { label: string; rowLoss: Tensor; out: Tensor; step: Tensor },
): void {
  const { label, rowLoss, out, step } = options;
  recorder.dispatch(kernel, {
    label,
    bindings: { row_loss: rowLoss, loss: out, step },
    params: { rows: rowLoss.shape[0] as number },
    workgroups: [1, 1, 1],
  });
}
