// Launches adam.wgsl.

import type { Recorder } from '../gpu/plan.ts';
import { adam as kernel } from './kernels.generated.ts';
import { recordUpdate, type UpdateOptions } from './update.ts';

/**
 * Records a step of Adam or AdamW in place, whichever the hyper-parameters are of. State: exp_avg, exp_avg_sq and, with
 * `amsgrad`, max_exp_avg_sq. Marks the step's loss as `sgd` does.
 */
export function adam(recorder: Recorder, options: UpdateOptions & { amsgrad?: boolean }): void {
  recordUpdate(recorder, kernel, options, { AMSGRAD: options.amsgrad ?? false });
}
