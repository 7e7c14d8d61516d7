// The `optim` namespace: optimizers. Re-exports only.

export { type AdagradGroup, type AdagradOptions, adagrad } from './adagrad.ts';
export { type AdamGroup, type AdamOptions, adam, adamw } from './adam.ts';
export type { GroupedOptions, OptimizerOf } from './groups.ts';
export type { KeySelector, Optimizer, ParameterGroup, UpdateTensors } from './optimizer.ts';
export { type RmspropGroup, type RmspropOptions, rmsprop } from './rmsprop.ts';
export { type SgdGroup, type SgdOptions, sgd } from './sgd.ts';
