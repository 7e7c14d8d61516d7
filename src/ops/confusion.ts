// Launches confusion.wgsl.

import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { confusion as kernel } from './kernels.generated.ts';

/** Records counts[target, prediction] += 1 for each of the step's rows. logits [rows, classes], counts u32 [classes, classes]. */
export function confusion(
  recorder: Recorder,
  options: { label: string; logits: Tensor; targets: Tensor; counts: Tensor; step: Tensor },
): void {
  const { label, logits, targets, counts, step } = options;
  const [rows, columns] = logits.shape as [number, number];
  recorder.dispatch(kernel, {
    label,
    bindings: { logits, target_class: targets, confusion: counts, step },
    params: { rows, columns },
    workgroups: [Math.ceil(rows / 64), 1, 1],
  });
}
