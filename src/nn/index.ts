// The `nn` namespace: layers and losses. Re-exports only.

export { gelu, leakyRelu, sigmoid, silu, tanh } from './activation.ts';
export { crossEntropyLoss } from './cross_entropy_loss.ts';
export { flatten } from './flatten.ts';
export * as init from './init.ts';
export type { Forward, ForwardContext, Gradient, Layer, Parameter, Value } from './layer.ts';
export { type LinearOptions, linear } from './linear.ts';
export type { Loss, LossBatch } from './loss.ts';
export { relu } from './relu.ts';
export { sequential } from './sequential.ts';
export { logSoftmax, softmax } from './softmax.ts';
