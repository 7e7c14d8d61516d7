// Launches confusion.wgsl.

import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { confusion as kernel } from './kernels.generated.ts';

const none = 0xffffffff;

/**
 * Records counts[target, prediction] += 1 for each of the step's rows, and counts[classes, rank of the target] += 1. Rows
 * whose target is `ignoreIndex` or no class are left out. logits [rows, classes], counts u32 [classes + 1, classes].
 */
export function confusion(
  recorder: Recorder,
  options: {
    label: string;
    logits: Tensor;
    targets: Tensor;
    counts: Tensor;
    step: Tensor;
    ignoreIndex?: number | undefined;
  },
): void {
  const { label, logits, targets, counts, step, ignoreIndex = none } = options;
  const [rows, columns] = logits.shape as [number, number];
  recorder.dispatch(kernel, {
    label,
    bindings: { logits, target_class: targets, counts, step },
    params: { rows, columns, ignored: ignoreIndex >>> 0 },
    workgroups: [Math.ceil(rows / 64), 1, 1],
  });
}
