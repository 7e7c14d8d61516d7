// The `optim` namespace: optimizers and learning-rate schedules. Re-exports only.

export { type AdagradGroup, type AdagradOptions, adagrad } from './adagrad.ts';
export { type AdamGroup, type AdamOptions, adam, adamw } from './adam.ts';
export {
  type GroupedOptions,
  groupsOf,
  type HyperOf,
  type OptimizerOf,
  type OptimizerParts,
  optimizerOf,
} from './groups.ts';
export {
  checkHyper,
  type KeySelector,
  type Optimizer,
  type ParameterGroup,
  type UpdateTensors,
} from './optimizer.ts';
export { type RmspropGroup, type RmspropOptions, rmsprop } from './rmsprop.ts';
export type { Every, ObservingSchedule, PlateauState, Progress, Schedule, ScheduleUnit } from './schedule.ts';
export { chainedScheduler, sequentialLr } from './schedule-compose.ts';
export { type OneCycleOptions, oneCycleLr } from './schedule-one-cycle.ts';
export { type PlateauOptions, reduceLrOnPlateau } from './schedule-plateau.ts';
export {
  constantLr,
  cosineAnnealingLr,
  cosineAnnealingWarmRestarts,
  exponentialLr,
  linearLr,
  multiStepLr,
  polynomialLr,
  stepLr,
} from './schedules.ts';
export { type SgdGroup, type SgdOptions, sgd } from './sgd.ts';
