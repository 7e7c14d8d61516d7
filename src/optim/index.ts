// The `optim` namespace: optimizers and learning-rate schedules. Re-exports only.

export type { KeySelector, Optimizer, ParameterGroup, UpdateTensors } from './optimizer.ts';
export type { ObservingSchedule, PlateauState, Progress, Schedule, ScheduleUnit } from './schedule.ts';
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
export { sgd } from './sgd.ts';
