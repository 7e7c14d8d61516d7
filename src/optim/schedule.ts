// What a learning-rate schedule is: a value that makes each step's rate of a parameter group's own rate and of how far
// training has come. Nothing is counted here: resuming needs the two numbers of `Progress`, and the state of a schedule
// that observes.

import { HeddleError } from '../errors.ts';
import type { ParameterGroup } from './optimizer.ts';

/** How far training has come: what was done before the step whose rate is asked for, each from 0. */
export interface Progress {
  readonly steps: number;
  readonly epochs: number;
}

/** What a schedule counts. */
export type ScheduleUnit = 'step' | 'epoch';

/** The option that every closed-form schedule has. */
export interface Every {
  /** What is counted: optimizer steps, or epochs. Wherever this page says t, it is that count. */
  readonly every?: ScheduleUnit;
}

/** What a schedule remembers of what it observed. Plain JSON. */
export interface PlateauState {
  /** The best metric so far; null before the first. */
  readonly best: number | null;
  /** Epochs since, without those of a cool-down. */
  readonly badEpochs: number;
  /** Epochs of the cool-down that are left. */
  readonly cooldown: number;
  /** How often the rate has been reduced. */
  readonly reductions: number;
}

/** A learning rate that changes while training goes on. Anybody may write one: `lr` is all that is needed. */
export interface Schedule {
  /** `stepLr`, `cosineAnnealingLr`, … */
  readonly kind: string;
  /** What it counts; `both` for a chain of which some count steps and some epochs. */
  readonly every: ScheduleUnit | 'both';
  /** How many parameter groups it was given rates for; undefined when it fits any number. */
  readonly groups?: number | undefined;
  /** True when the group's own rate means nothing to it. */
  readonly ignoresBase?: boolean | undefined;
  /**
   * The learning rate of the step that comes after `progress`, for a group whose own rate is `base`; `group` is its index
   * (default 0). The same arguments give the same rate, until something is observed.
   */
  lr(progress: Progress, base: number, group?: number): number;
  /** Whether a small (`min`: a loss) or a large metric (`max`: an accuracy) is good; only of a schedule that observes. */
  readonly mode?: 'min' | 'max';
  /** Tells it an epoch's metric, after the epoch. */
  observe?(metric: number): void;
  /** What it remembers, to be kept with a checkpoint. */
  state?(): PlateauState;
  /** Puts back what `state` gave. Throws a HeddleError `usage` for anything else. */
  setState?(state: PlateauState): void;
}

/** A schedule that looks at each epoch's metric. */
export type ObservingSchedule = Schedule &
  Required<Pick<Schedule, 'mode' | 'observe' | 'state' | 'setState'>>;

/** A schedule in closed form: `of` gives the rate from the count alone. Throws a HeddleError `usage` for another unit. */
export function closedForm(
  kind: string,
  every: ScheduleUnit,
  of: (t: number, base: number, group: number) => number,
): Schedule {
  if (every !== 'step' && every !== 'epoch')
    throw new HeddleError('usage', `optim.${kind}: every '${every}': expected 'step' or 'epoch'`);
  return {
    kind,
    every,
    lr: (progress, base, group = 0) => of(every === 'step' ? progress.steps : progress.epochs, base, group),
  };
}

/** Checks a count: a whole number, at least `least`. Throws a HeddleError `usage`. */
export function checkCount(what: string, value: number, least = 1): void {
  if (Number.isSafeInteger(value) && value >= least) return;
  throw new HeddleError('usage', `${what} ${value}: expected a whole number of at least ${least}`);
}

/** Checks a share: 0 to 1, without the 0 where `positive`. Throws a HeddleError `usage`. */
export function checkShare(what: string, value: number, { positive = false } = {}): void {
  if (value >= 0 && value <= 1 && !(positive && value === 0)) return;
  throw new HeddleError(
    'usage',
    `${what} ${value}: expected a number ${positive ? '> 0 and ≤ 1' : 'from 0 to 1'}`,
  );
}

/** Checks milestones: whole numbers of at least 1, rising. Throws a HeddleError `usage`. */
export function checkMilestones(what: string, milestones: readonly number[]): void {
  const wrong = milestones.findIndex((at, i) => !Number.isSafeInteger(at) || at <= (milestones[i - 1] ?? 0));
  if (wrong < 0) return;
  throw new HeddleError(
    'usage',
    `${what} [${milestones.join(', ')}]: expected whole numbers of at least 1 in rising order, found ${milestones[wrong]}`,
  );
}

/**
 * The groups' rates after `progress`. Throws a HeddleError `usage` where the schedule was made for another number of groups
 * or gives what is no learning rate.
 */
export function ratesAt(
  schedule: Schedule,
  progress: Progress,
  groups: readonly Pick<ParameterGroup, 'lr'>[],
): number[] {
  if (schedule.groups !== undefined && schedule.groups !== groups.length) {
    throw new HeddleError(
      'usage',
      `schedule ${schedule.kind}: made for ${schedule.groups} parameter groups; the optimizer has ${groups.length}`,
    );
  }
  return groups.map(({ lr: base }, group) => {
    const lr = schedule.lr(progress, base, group);
    if (Number.isFinite(lr) && lr >= 0) return lr;
    const { steps, epochs } = progress;
    throw new HeddleError(
      'usage',
      `schedule ${schedule.kind}: learning rate ${lr} for group ${group} after ${steps} steps and ${epochs} epochs: ` +
        'expected a finite number ≥ 0',
    );
  });
}

/** Does `work` while the groups have other rates, and gives them their own ones back. */
export function withRates<T>(
  groups: readonly Pick<ParameterGroup, 'lr'>[],
  rates: readonly number[],
  work: () => T,
): T {
  const own = groups.map(({ lr }) => lr);
  const set = (values: readonly number[]) => {
    groups.forEach((group, i) => {
      group.lr = values[i] as number;
    });
  };
  set(rates);
  try {
    return work();
  } finally {
    set(own);
  }
}
