// Launches linear_backward.wgsl.

import { HeddleError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { linearBackward as kernel } from './kernels.generated.ts';
import { matmulCores } from './matmul_variants.ts';

/** An invocation holds four features' weights of every output, and their gradient, in registers. */
const maxOutputs = 16;

/** Whether the kernel can be used: it loads four features at a time, of f32, and needs subgroups as `matmul_subgroup` does. */
export function canFuseLinearBackward(device: Device, x: Tensor, weight: Tensor): boolean {
  const [outputs, features] = weight.shape as [number, number];
  const hasLanes = matmulCores(device).includes('subgroup');
  return hasLanes && x.dtype === 'f32' && features % 4 === 0 && outputs <= maxOutputs;
}

/**
 * Whether it is to be used rather than a product for each of the gradients: its few invocations walk through all rows one
 * after the other, which suits the few cores of software adapters. Measured on those alone.
 */
export function prefersLinearBackward(device: Device, x: Tensor): boolean {
  const [rows, features] = x.shape as [number, number];
  return device.info.software && rows <= 8 * features && !device.avoided.has(kernel.name);
}

/**
 * Records the gradients by input, weight and bias of a linear layer with few outputs. x [rows, in], dy [rows, out], weight
 * [out, in] → dX [rows, in]; with `mask` 0 where x is not above 0. A HeddleError `usage` for what `canFuseLinearBackward`
 * refuses.
 */
export function linearBackward(
  recorder: Recorder,
  options: {
    label: string;
    x: Tensor;
    dy: Tensor;
    weight: Tensor;
    mask: boolean;
    /** Where the gradient by the weight goes, [out, in]; with `sgd` the weight itself. */
    dWeight: Tensor;
    /** Likewise by the bias, [out], where it is wanted. */
    dBias?: Tensor | undefined;
    /** Adds the gradients by weight and bias to what these hold. */
    accumulate: boolean;
    /** An SGD step in place of the gradients by weight and bias, as `matmul` has it. Not together with `accumulate`. */
    sgd?: { readonly losses: Tensor; readonly step: Tensor } | undefined;
  },
): Tensor {
  const { label, x, dy, weight, mask, dWeight, dBias, accumulate, sgd } = options;
  const [outputs, features] = weight.shape as [number, number];
  const rows = dy.shape[0] as number;
  const lanes = recorder.device.info.subgroupSize;
  if (!canFuseLinearBackward(recorder.device, x, weight))
    throw new HeddleError(
      'usage',
      `${label}: ${x.label} of ${x.dtype} with ${weight.label} [${outputs}, ${features}]: expected f32, features in fours, at most ${maxOutputs} outputs, and an adapter with subgroups of 4, 8 or 16`,
    );
  if (sgd !== undefined && accumulate)
    throw new HeddleError('usage', `${label}: sgd and accumulate exclude each other`);
  const dx = recorder.tensor(label, [rows, features]);
  recorder.dispatch(kernel, {
    label,
    bindings: {
      x,
      dy,
      weight: sgd === undefined ? weight : recorder.unused(),
      dx,
      dweight: dWeight,
      dbias: dBias ?? recorder.unused(),
      loss: sgd?.losses ?? recorder.unused(),
      step: sgd?.step ?? recorder.unused(),
    },
    params: { rows, features, outputs, accumulate: accumulate ? 1 : 0 },
    constants: {
      OUTPUTS: outputs,
      LANES: lanes,
      HELD: Math.ceil((2 * outputs) / lanes),
      MASK: mask,
      BIAS: dBias !== undefined,
      SGD: sgd !== undefined,
    },
    workgroups: [Math.ceil(features / 4 / lanes), 1, 1],
  });
  return dx;
}
