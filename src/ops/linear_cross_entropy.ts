// Launches linear_cross_entropy.wgsl or linear_cross_entropy_subgroup.wgsl, whichever suits the adapter, and mean_loss.wgsl
// behind it where one workgroup cannot hold all rows.

import { HeddleError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { linearCrossEntropy as kernel, linearCrossEntropySubgroup } from './kernels.generated.ts';
import { type MatmulCore, matmulCores } from './matmul_variants.ts';
import { meanLoss } from './mean_loss.ts';

/** Rows of a workgroup of either kernel: 16 groups of four in the one, ROWS in the other. */
const rowsPerWorkgroup = 64;
/** The first one's STRANDS: that many of its invocations share the features. An estimate, measured on no hardware GPU. */
const strands = 8;
/** An invocation holds four rows' logits of every class in registers. */
const maxClasses = 16;

/** The kernel that goes with each core of the products. */
const kernelNames = {
  tile: 'linear_cross_entropy',
  subgroup: 'linear_cross_entropy_subgroup',
} as const satisfies Record<MatmulCore, string>;

/** The name of one of the two kernels. */
export type LinearCrossEntropyKernel = (typeof kernelNames)[MatmulCore];

/**
 * The kernels that can do it on this device, the one that suits it best first. lavapipe compiles that with subgroups in a
 * fifth of the time, since it has no barrier and loads each weight once.
 */
export const linearCrossEntropyKernels = (device: Device): readonly LinearCrossEntropyKernel[] =>
  matmulCores(device).map((core) => kernelNames[core]);

/** The one that is used: the first that is not to be avoided. Undefined when all are. */
export const linearCrossEntropyKernel = (device: Device): LinearCrossEntropyKernel | undefined =>
  linearCrossEntropyKernels(device).find((name) => !device.avoided.has(name));

/** Whether the kernels can be used: they load four features at a time, of f32. */
export const canFuseLinearCrossEntropy = (x: Tensor, weight: Tensor): boolean => {
  const [classes, features] = weight.shape as [number, number];
  return x.dtype === 'f32' && features % 4 === 0 && classes <= maxClasses;
};

/**
 * Records the logits x·weightᵀ + bias, losses[step.slot] = the mean of their cross-entropy over the batch's rows, and with
 * `gradient` the gradient of that mean by the logits. x [rows, features], weight [classes, features], bias [classes],
 * targets u32 [rows], losses [slots] → logits and dLogits [rows, classes]. `name` overrides which kernel does it, for tests.
 * Throws a HeddleError: `usage` for what `canFuseLinearCrossEntropy` refuses, `gpu` when both kernels are to be avoided.
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
    name?: LinearCrossEntropyKernel;
  },
): { logits: Tensor; dLogits: Tensor } {
  const { label, x, weight, bias, targets, losses, step, gradient } = options;
  const { device } = recorder;
  const [rows, features] = x.shape as [number, number];
  const classes = weight.shape[0] as number;
  if (!canFuseLinearCrossEntropy(x, weight)) {
    throw new HeddleError(
      'usage',
      `${label}: ${x.label} of ${x.dtype} with ${weight.label} [${weight.shape.join(', ')}]: expected f32, features in fours, at most ${maxClasses} classes`,
    );
  }
  const name = options.name ?? linearCrossEntropyKernel(device);
  if (name === undefined) {
    const names = linearCrossEntropyKernels(device).join(' and ');
    throw new HeddleError('gpu', `${label}: no kernel is left on this adapter: ${names} are to be avoided`);
  }
  const workgroups = Math.ceil(rows / rowsPerWorkgroup);
  const mean = workgroups === 1;
  const logits = recorder.tensor(`${label}.logits`, [rows, classes]);
  const dLogits = gradient ? recorder.tensor(`${label}.gradient`, [rows, classes]) : recorder.unused();
  const rowLoss = mean ? recorder.unused() : recorder.tensor(`${label}.rows`, [rows]);
  const request = {
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
    workgroups: [workgroups, 1, 1],
  } as const;
  const constants = { CLASSES: classes, GRADIENT: gradient, MEAN: mean };
  if (name === kernelNames.tile) {
    recorder.dispatch(kernel, { ...request, params: { rows, features, classes, strands }, constants });
  } else {
    const lanes = device.info.subgroupSize;
    recorder.dispatch(linearCrossEntropySubgroup, {
      ...request,
      params: { rows, features, classes },
      constants: { ...constants, LANES: lanes, HELD: Math.ceil(classes / lanes) },
    });
  }
  if (!mean) meanLoss(recorder, { label: `${label}.mean`, rowLoss, out: losses, step });
  return { logits, dLogits };
}
