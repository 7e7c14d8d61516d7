// The `nn` namespace: layers and losses. Re-exports only.

export type { ClassLossOptions } from './class_loss.ts';
export { type CrossEntropyOptions, crossEntropyLoss } from './cross_entropy_loss.ts';
export { flatten } from './flatten.ts';
export type { Forward, ForwardContext, Gradient, Layer, Parameter, Value } from './layer.ts';
export { linear } from './linear.ts';
export type { HostTargets, Loss, LossBatch, Reduction } from './loss.ts';
export { nllLoss } from './nll_loss.ts';
export {
  bceWithLogitsLoss,
  huberLoss,
  l1Loss,
  mseLoss,
  type PointwiseLossOptions,
  smoothL1Loss,
} from './pointwise_loss.ts';
export { relu } from './relu.ts';
export { sequential } from './sequential.ts';
