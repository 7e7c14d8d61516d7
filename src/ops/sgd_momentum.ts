// Launches sgd_momentum.wgsl.

import type { Recorder } from '../gpu/plan.ts';
import { sgdMomentum as kernel } from './kernels.generated.ts';
import { recordUpdate, type UpdateOptions } from './update.ts';

/**
 * Records a step of SGD in place, with weight decay as the hyper-parameters say and, with `momentum`, state:
 * momentum_buffer. Marks the step's loss as `sgd` does.
 */
export function sgdMomentum(recorder: Recorder, options: UpdateOptions & { momentum?: boolean }): void {
  recordUpdate(recorder, kernel, options, { MOMENTUM: options.momentum ?? false });
}
