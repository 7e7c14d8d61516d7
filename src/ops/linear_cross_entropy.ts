// Launches linear_cross_entropy.wgsl, and mean_loss.wgsl behind it where one workgroup cannot hold all rows.

import { HeddleError } from '../errors.ts';
import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { linearCrossEntropy as kernel } from './kernels.generated.ts';
import { meanLoss } from './mean_loss.ts';

/** Rows of a workgroup: the kernel's GROUPS of four. */
const rowsPerWorkgroup = 64;
/** An invocation holds four rows' logits of every class in registers. */
const maxClasses = 16;

/** Whether the kernel can be used: it loads four features at a time, of f32. */
export const canFuseLinearCrossEntropy = (x: Tensor, weight: Tensor): boolean => {
  const [classes, features] = weight.shape as [number, number];
  return x.dtype === 'f32' && features % 4 === 0 && classes <= maxClasses;
};

/**
 * Records the logits x·weightᵀ + bias, losses[step.slot] = the mean of their cross-entropy over the batch's rows, and with
 * `gradient` the gradient of that mean by the logits. x [rows, features], weight [classes, features], bias [classes],
 * targets u32 [rows], losses [slots] → logits and dLogits [rows, classes]. `strands` overrides how many invocations share
 * the features, for tests. Throws a HeddleError `usage` for what `canFuseLinearCrossEntropy` refuses.
 */
export function linearCrossEntropy(
  recorder: Recorder,
  options: {
    label: string;
    x: Tensor;
    weight: Tensor;
    bias: Tensor;
    targets: Tensor;
    losses: Tensor;
    step: Tensor;
    gradient: boolean;
    strands?: number;
  },
): { logits: Tensor; dLogits: Tensor } {
  const { label, x, weight, bias, targets, losses, step, gradient } = options;
  const [rows, features] = x.shape as [number, number];
  const classes = weight.shape[0] as number;
  if (!canFuseLinearCrossEntropy(x, weight)) {
    throw new HeddleError(
      'usage',
      `${label}: ${x.label} of ${x.dtype} with ${weight.label} [${weight.shape.join(', ')}]: expected f32, features in fours, at most ${maxClasses} classes`,
    );
  }
  const workgroups = Math.ceil(rows / rowsPerWorkgroup);
  const mean = workgroups === 1;
  const strands = options.strands ?? (recorder.device.info.software ? 1 : 8);
  const logits = recorder.tensor(`${label}.logits`, [rows, classes]);
  const dLogits = gradient ? recorder.tensor(`${label}.gradient`, [rows, classes]) : recorder.unused();
  const rowLoss = mean ? recorder.unused() : recorder.tensor(`${label}.rows`, [rows]);
  recorder.dispatch(kernel, {
    label,
    bindings: {
      x,
      weight,
      bias,
      target_class: targets,
      logits,
      dlogits: dLogits,
      row_loss: rowLoss,
      loss: mean ? losses : recorder.unused(),
      step,
    },
    params: { rows, features, classes, strands },
    constants: {
      CLASSES: classes,
      STRANDS: strands,
      GRADIENT: gradient,
      MEAN: mean,
    },
    workgroups: [workgroups, 1, 1],
  });
  if (!mean) meanLoss(recorder, { label: `${label}.mean`, rowLoss, out: losses, step });
  return { logits, dLogits };
}
