// The `optim` namespace: optimizers. Re-exports only.

export { type AdamGroup, type AdamOptions, adam, adamw } from './adam.ts';
export type { GroupedOptions, OptimizerOf } from './groups.ts';
export type { KeySelector, Optimizer, ParameterGroup, UpdateTensors } from './optimizer.ts';
export { sgd } from './sgd.ts';
