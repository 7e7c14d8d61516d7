// Launches rmsprop.wgsl.

import type { Recorder } from '../gpu/plan.ts';
import { rmsprop as kernel } from './kernels.generated.ts';
import { recordUpdate, type UpdateOptions } from './update.ts';

/**
 * Records a step of RMSprop in place. State: square_avg, with `centered` grad_avg, with `momentum` momentum_buffer. Marks
 * the step's loss as `sgd` does.
 */
export function rmsprop(
  recorder: Recorder,
  options: UpdateOptions & { centered?: boolean; momentum?: boolean },
): void {
  const { centered = false, momentum = false } = options;
  recordUpdate(recorder, kernel, options, { CENTERED: centered, MOMENTUM: momentum });
}
