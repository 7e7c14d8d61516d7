// The `optim` namespace: optimizers. Re-exports only.

export type { Optimizer } from './optimizer.ts';
export { sgd } from './sgd.ts';
