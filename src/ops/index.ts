// `heddle/ops`: every kernel by itself, for those who write, check or teach kernels. Re-exports only.

export { HeddleError } from '../errors.ts';
export { type Device, type DeviceOptions, openDevice } from '../gpu/device.ts';
export { type DispatchDescription, type Plan, type Recorder, record } from '../gpu/plan.ts';
export { read } from '../gpu/readback.ts';
export type { DType, Tensor } from '../gpu/tensor.ts';
export { biasAdd } from './bias_add.ts';
export { type CheckResult, checkDispatch } from './check.ts';
export { columnSum } from './column_sum.ts';
export { confusion } from './confusion.ts';
export { crossEntropy } from './cross_entropy.ts';
export { canFuseLinearCrossEntropy, linearCrossEntropy } from './linear_cross_entropy.ts';
export { logSoftmax } from './log_softmax.ts';
export { logSoftmaxBackward } from './log_softmax_backward.ts';
export { type MatmulOptions, matmul } from './matmul.ts';
export {
  type MatmulCore,
  type MatmulVariant,
  matmulCore,
  matmulCores,
  matmulVariants,
} from './matmul_variants.ts';
export { meanLoss } from './mean_loss.ts';
export { nllLoss } from './nll_loss.ts';
export { nllLossBackward } from './nll_loss_backward.ts';
export { type PointwiseKind, pointwiseKinds, pointwiseLoss } from './pointwise_loss.ts';
export * as reference from './reference.ts';
export { relu } from './relu.ts';
export { reluBackward } from './relu_backward.ts';
export { type HostTensor, run } from './run.ts';
export { sgd } from './sgd.ts';
export { softCrossEntropy } from './soft_cross_entropy.ts';
export { type StepRecord, stepRecord } from './step.ts';
export { unpackU8 } from './unpack_u8.ts';
