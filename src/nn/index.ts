// The `nn` namespace: layers and losses. Re-exports only.

export { gelu, leakyRelu, sigmoid, silu, tanh } from './activation.ts';
export { avgPool2d } from './avg_pool2d.ts';
export { type BatchNormOptions, batchNorm1d, batchNorm2d } from './batch_norm.ts';
export type { ClassLossOptions } from './class_loss.ts';
export { type Conv2dOptions, conv2d } from './conv2d.ts';
export { type CrossEntropyOptions, crossEntropyLoss } from './cross_entropy_loss.ts';
export { dropout } from './dropout.ts';
export { flatten } from './flatten.ts';
export type { Size, WindowSizes } from './images.ts';
/** Initial values by name. */
export * as init from './init.ts';
export type { ArraysByKey, BufferKeys, KeyBeginnings, KnownKeys, LayerOf, ParameterKeys } from './keys.ts';
export {
  asFloat,
  type Forward,
  type ForwardContext,
  type Gradient,
  type Layer,
  type LinearLoss,
  type LinearMap,
  type LossForward,
  type LossHead,
  needsGradient,
  type Parameter,
  type Update,
  type Value,
} from './layer.ts';
export { type LayerNormOptions, layerNorm } from './layer_norm.ts';
export { type LinearOptions, linear } from './linear.ts';
export { type HostTargets, type Loss, type LossBatch, type Reduction, reduceRows } from './loss.ts';
export { maxPool2d } from './max_pool2d.ts';
export { nllLoss } from './nll_loss.ts';
export {
  bceWithLogitsLoss,
  huberLoss,
  l1Loss,
  mseLoss,
  type PointwiseLossOptions,
  smoothL1Loss,
} from './pointwise_loss.ts';
export type { PoolOptions } from './pool2d.ts';
export { relu } from './relu.ts';
export { residual } from './residual.ts';
export { sequential } from './sequential.ts';
export { logSoftmax, softmax } from './softmax.ts';
export type { LayerSpec } from './spec.ts';
