// Launches soft_cross_entropy.wgsl.

import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { softCrossEntropy as kernel } from './kernels.generated.ts';

const none = 0xffffffff;

/**
 * Records each row's cross-entropy of smoothed and weighted targets, and with `gradient` step.scale times its gradient.
 * x [rows, classes]: logits, or with `log` log-probabilities. Targets: class indices, u32 [rows], or probabilities, f32
 * [rows, classes]. `weight` [classes]. Rows whose class is `ignoreIndex` count 0. → rowLoss [rows], dx [rows, classes].
 */
export function softCrossEntropy(
  recorder: Recorder,
  options: {
    label: string;
    x: Tensor;
    targets: Tensor;
    weight?: Tensor | undefined;
    smoothing?: number;
    ignoreIndex?: number | undefined;
    log?: boolean;
    step: Tensor;
    gradient: boolean;
    rowLoss?: Tensor | undefined;
  },
): { rowLoss: Tensor; dx: Tensor } {
  const {
    label,
    x,
    targets,
    weight,
    smoothing = 0,
    ignoreIndex = none,
    log = false,
    step,
    gradient,
  } = options;
  const [rows, columns] = x.shape as [number, number];
  const rowLoss = options.rowLoss ?? recorder.tensor(label, [rows]);
  // Without the gradient the binding stays, with room for nothing.
  const dx = recorder.tensor(`${label}.gradient`, gradient ? x.shape : [4]);
  recorder.dispatch(kernel, {
    label,
    bindings: { x, expected: targets, weight: weight ?? recorder.unused(), row_loss: rowLoss, dx, step },
    params: { rows, columns, keep: 1 - smoothing, spread: smoothing / columns, ignored: ignoreIndex >>> 0 },
    constants: {
      PROBABILITIES: targets.dtype === 'f32',
      WEIGHTED: weight !== undefined,
      LOG: log,
      GRADIENT: gradient,
    },
    workgroups: [Math.ceil(rows / 64), 1, 1],
  });
  return { rowLoss, dx };
}
