// Launches cross_entropy.wgsl.

import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { crossEntropy as kernel } from './kernels.generated.ts';

/**
 * Records each row's cross-entropy and, with `gradient`, the gradient of its mean over the batch's rows.
 * logits [rows, classes], targets u32 [rows] → rowLoss [rows] and dLogits [rows, classes].
 */
export function crossEntropy(
  recorder: Recorder,
  options: {
    label: string;
    logits: Tensor;
    targets: Tensor;
    step: Tensor;
    gradient: boolean;
    rowLoss?: Tensor | undefined;
  },
): { rowLoss: Tensor; dLogits: Tensor } {
  const { label, logits, targets, step, gradient } = options;
  const [rows, columns] = logits.shape as [number, number];
  const rowLoss = options.rowLoss ?? recorder.tensor(label, [rows]);
  // Without the gradient the binding stays, with room for nothing.
  const dLogits = recorder.tensor(`${label}.gradient`, gradient ? logits.shape : [4]);
  recorder.dispatch(kernel, {
    label,
    bindings: { x: logits, target_class: targets, row_loss: rowLoss, dx: dLogits, step },
    params: { rows, columns },
    constants: { GRADIENT: gradient },
    workgroups: [Math.ceil(rows / 64), 1, 1],
  });
  return { rowLoss, dLogits };
}
