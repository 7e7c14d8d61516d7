// Launches adagrad.wgsl.

import type { Recorder } from '../gpu/plan.ts';
import { adagrad as kernel } from './kernels.generated.ts';
import { recordUpdate, type UpdateOptions } from './update.ts';

/** Records a step of Adagrad in place. State: sum. Marks the step's loss as `sgd` does. */
export function adagrad(recorder: Recorder, options: UpdateOptions): void {
  recordUpdate(recorder, kernel, options, {});
}
