// The `optim` namespace: optimizers. Re-exports only.

export type { KeySelector, Optimizer, ParameterGroup, UpdateTensors } from './optimizer.ts';
export { sgd } from './sgd.ts';
