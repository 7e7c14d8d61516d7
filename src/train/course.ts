// How far a trainer has come: what `fit` goes on from, and how it becomes a checkpoint's state and is made of one again.

import type { DataLoader } from '../data/loader.ts';
import { HeddleError } from '../errors.ts';
import type { BegunEpoch, HyperParameters, TrainingState } from '../io/checkpoint.ts';
import type { Optimizer, ParameterGroup } from '../optim/optimizer.ts';
import type { Schedule } from '../optim/schedule.ts';
import { createGenerator, defaultGenerator } from '../random/generator.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** `fit` keeps it up to date with every step that it submits. */
export interface Course {
  /** See `TrainingState`. */
  steps: number;
  draws: number;
  epochs: number;
  begun: Mutable<BegunEpoch> | undefined;
  /** What the last fit used: whose epoch it is that has begun, and whose state belongs to a checkpoint. */
  loader: DataLoader | undefined;
  schedule: Schedule | undefined;
  /** What a checkpoint says of the generator and the schedule, until the next fit brings them. */
  restored: Pick<TrainingState, 'generator' | 'defaultGenerator' | 'schedule'> | undefined;
}

/** Before the first step. */
export const newCourse = (): Course => ({
  steps: 0,
  draws: 0,
  epochs: 0,
  begun: undefined,
  loader: undefined,
  schedule: undefined,
  restored: undefined,
});

/** Puts loaders and schedule where the course stands. Throws a HeddleError `usage` for data that what has begun is not of. */
export function takeUp(
  course: Course,
  train: DataLoader,
  { validate, schedule }: { readonly validate?: DataLoader; readonly schedule?: Schedule },
): void {
  const { begun, restored, epochs } = course;
  if (restored === undefined) {
    if (course.loader !== train) course.begun = undefined;
  } else {
    const { batches, rows } = train;
    if (begun !== undefined && (begun.of.batches !== batches || begun.of.rows !== rows))
      throw new HeddleError(
        'usage',
        `fit: the checkpoint was made in the midst of an epoch of ${begun.of.rows} rows in ${begun.of.batches} batches; ` +
          `this loader's have ${rows} in ${batches}: expected the same data and batch size`,
      );
    // A checkpoint from before any fit knows no loader: those that draw from the default generator begin where it stood.
    if (restored.defaultGenerator !== undefined) defaultGenerator.setState(restored.defaultGenerator);
    train.rewind(epochs, restored.generator ?? train.stateBefore(epochs));
    validate?.rewind(epochs);
    if (restored.schedule !== undefined) schedule?.setState?.(restored.schedule);
    course.restored = undefined;
  }
  course.loader = train;
  course.schedule = schedule;
}

const hyperOf = ({ parameters: _, ...hyper }: ParameterGroup): HyperParameters => hyper;

/** The state for a checkpoint. Plain JSON once it is written. */
export function stateOf(course: Course, optimizer: Optimizer, seed: number): TrainingState {
  const { steps, draws, epochs, begun, loader, schedule, restored } = course;
  const words = loader?.stateBefore(epochs);
  return {
    steps,
    draws,
    epochs,
    begun: begun && { ...begun },
    seed,
    optimizer: { kind: optimizer.kind, groups: optimizer.groups.map(hyperOf) },
    schedule: restored === undefined ? schedule?.state?.() : restored.schedule,
    generator: restored === undefined ? words && [...words] : restored.generator,
    defaultGenerator:
      restored !== undefined
        ? restored.defaultGenerator
        : words === undefined
          ? [...defaultGenerator.state()]
          : undefined,
  };
}

/** Whether a hyper-parameter from a file can stand for one's own: of its kind, and a number that PyTorch would take. */
function isLike(value: unknown, own: unknown): boolean {
  if (typeof own === 'number') return typeof value === 'number' && Number.isFinite(value) && value >= 0;
  if (Array.isArray(own))
    return (
      Array.isArray(value) &&
      value.length === own.length &&
      value.every((one) => typeof one === 'number' && one >= 0 && one < 1)
    );
  return typeof value === typeof own;
}

/** Throws a HeddleError `shape`, `file` or `usage` when a checkpoint's state is not of such an optimizer and seed. */
export function refuseOther(state: TrainingState, optimizer: Optimizer, seed: number): void {
  const { kind, groups } = state.optimizer;
  const names = (all: readonly object[]) =>
    all.map((group) => Object.keys(group).sort().join(', ')).join('; ');
  if (kind !== optimizer.kind || names(groups) !== names(optimizer.groups.map(hyperOf)))
    throw new HeddleError(
      'shape',
      `restore: the checkpoint is of ${kind} with ${groups.length} parameter groups (${names(groups)}); this trainer has ` +
        `${optimizer.kind} with ${optimizer.groups.length} (${names(optimizer.groups.map(hyperOf))}). Nothing was loaded.`,
    );
  for (const [i, saved] of groups.entries())
    for (const [name, value] of Object.entries(saved)) {
      const own: unknown = hyperOf(optimizer.groups[i] as ParameterGroup)[name];
      if (!isLike(value, own))
        throw new HeddleError(
          'file',
          `restore: the checkpoint's ${name} of group ${i} is ${JSON.stringify(value)}, expected what ${kind} has there, such as ${JSON.stringify(own)}. Nothing was loaded.`,
        );
    }
  for (const words of [state.generator, state.defaultGenerator])
    if (words !== undefined) createGenerator().setState(words); // throws for what is no state
  if (state.seed !== seed)
    throw new HeddleError(
      'usage',
      `restore: the checkpoint's random numbers follow from seed ${state.seed}, this trainer's from ${seed}: give ` +
        `createTrainer seed: ${state.seed}, or call manualSeed(${state.seed}) before. Nothing was loaded.`,
    );
}

/** Goes on from a checkpoint's state: course and hyper-parameters, as `refuseOther` found them fit. */
export function applyState(course: Course, optimizer: Optimizer, state: TrainingState): void {
  const { steps, draws, epochs, begun, generator, schedule } = state;
  Object.assign(course, { steps, draws, epochs, begun: begun && { ...begun } });
  course.loader = undefined;
  course.restored = { generator, defaultGenerator: state.defaultGenerator, schedule };
  optimizer.groups.forEach((group, i) => {
    Object.assign(group, state.optimizer.groups[i]);
  });
}
