// The `nn` namespace: layers and losses. Re-exports only.

export { avgPool2d } from './avg_pool2d.ts';
export { type BatchNormOptions, batchNorm1d, batchNorm2d } from './batch_norm.ts';
export { type Conv2dOptions, conv2d } from './conv2d.ts';
export { crossEntropyLoss } from './cross_entropy_loss.ts';
export { flatten } from './flatten.ts';
export type { Size } from './images.ts';
export type { Forward, ForwardContext, Gradient, Layer, Parameter, Value } from './layer.ts';
export { linear } from './linear.ts';
export type { Loss, LossBatch } from './loss.ts';
export { maxPool2d } from './max_pool2d.ts';
export type { PoolOptions } from './pool2d.ts';
export { relu } from './relu.ts';
export { residual } from './residual.ts';
export { sequential } from './sequential.ts';
