// `heddle/ops`: every kernel by itself, for those who write, check or teach kernels. Re-exports only.

export { HeddleError } from '../errors.ts';
export { type Device, type DeviceOptions, openDevice } from '../gpu/device.ts';
export type { ConstantValues, KernelConstant, KernelSpec, Pipeline, RecordLayout } from '../gpu/kernel.ts';
export {
  type DispatchDescription,
  type DispatchRequest,
  foldGrid,
  type Plan,
  type Recorder,
  record,
} from '../gpu/plan.ts';
export { read } from '../gpu/readback.ts';
export type { DType, Storage, Tensor } from '../gpu/tensor.ts';
export { type ActivationKind, activation, activationKinds } from './activation.ts';
export { activationBackward } from './activation_backward.ts';
export { adagrad } from './adagrad.ts';
export { adam } from './adam.ts';
export { add } from './add.ts';
export { avgPool2d } from './avg_pool2d.ts';
export { avgPool2dBackward } from './avg_pool2d_backward.ts';
export { type BatchNormColumns, batchNorm } from './batch_norm.ts';
export { batchNormBackward } from './batch_norm_backward.ts';
export { batchNormBackwardSums } from './batch_norm_backward_sums.ts';
export { batchNormStatistics, type RunningStatistics } from './batch_norm_statistics.ts';
export { biasAdd } from './bias_add.ts';
export { type CheckResult, checkDispatch } from './check.ts';
export { type ClipOptions, clipGradientNorm, clipGradientValue } from './clip_gradient.ts';
export { col2im } from './col2im.ts';
export { columnSum } from './column_sum.ts';
export { confusion } from './confusion.ts';
export { crossEntropy } from './cross_entropy.ts';
export {
  type BindingKind,
  defineKernel,
  type FieldTypes,
  type KernelDefinition,
  recordLayout,
} from './define_kernel.ts';
export { type DropoutOptions, dropout } from './dropout.ts';
export { im2col } from './im2col.ts';
export { stepLayout } from './kernels.generated.ts';
export { type Affine, layerNorm, type RowStatistics } from './layer_norm.ts';
export { layerNormBackward } from './layer_norm_backward.ts';
export { canFuseLinearBackward, linearBackward, prefersLinearBackward } from './linear_backward.ts';
export {
  canFuseLinearCrossEntropy,
  type LinearCrossEntropyKernel,
  linearCrossEntropy,
} from './linear_cross_entropy.ts';
export { logSoftmax } from './log_softmax.ts';
export { logSoftmaxBackward } from './log_softmax_backward.ts';
export { type MatmulOptions, matmul } from './matmul.ts';
export {
  type MatmulCore,
  type MatmulShape,
  type MatmulVariant,
  matmulCore,
  matmulCores,
  matmulVariants,
} from './matmul_variants.ts';
export { maxPool2d } from './max_pool2d.ts';
export { maxPool2dBackward } from './max_pool2d_backward.ts';
export { meanLoss } from './mean_loss.ts';
export { nllLoss } from './nll_loss.ts';
export { nllLossBackward } from './nll_loss_backward.ts';
export { type PointwiseKind, pointwiseKinds, pointwiseLoss } from './pointwise_loss.ts';
/** What kernels should give, in float64, with a bound for each element. */
export * as reference from './reference.ts';
export { relu } from './relu.ts';
export { reluBackward } from './relu_backward.ts';
export { rmsprop } from './rmsprop.ts';
export { type HostTensor, run } from './run.ts';
export { sgd } from './sgd.ts';
export { sgdMomentum } from './sgd_momentum.ts';
export { softCrossEntropy } from './soft_cross_entropy.ts';
export { softmax } from './softmax.ts';
export { softmaxBackward } from './softmax_backward.ts';
export { type StepRecord, stepRecord } from './step.ts';
export { sumSquares } from './sum_squares.ts';
export { transpose } from './transpose.ts';
export { unpackU8 } from './unpack_u8.ts';
export type { UpdateOptions, UpdateTensors } from './update.ts';
export type { Images, Pair, Windows } from './windows.ts';
