// Launches nll_loss.wgsl.

import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { nllLoss as kernel } from './kernels.generated.ts';

/** Records each row's -log_probability[target]; rows past the step's get 0. [rows, columns], targets u32 [rows] → [rows]. */
export function nllLoss(
  recorder: Recorder,
  options: {
    label: string;
    logProbability: Tensor;
    targets: Tensor;
    step: Tensor;
    rowLoss?: Tensor | undefined;
  },
): Tensor {
  const { label, logProbability, targets, step } = options;
  const [rows, columns] = logProbability.shape as [number, number];
  const rowLoss = options.rowLoss ?? recorder.tensor(label, [rows]);
  recorder.dispatch(kernel, {
    label,
    bindings: { log_probability: logProbability, target_class: targets, row_loss: rowLoss, step },
    params: { rows, columns },
    workgroups: [Math.ceil(rows / 64), 1, 1],
  });
  return rowLoss;
}
