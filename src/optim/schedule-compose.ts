// Schedules made of schedules: one after the other, or all at once.

import { HeddleError } from '../errors.ts';
import { checkMilestones, type Schedule } from './schedule.ts';

/** The number of groups that schedules were made for, where they say one. Throws a HeddleError `usage` when they differ. */
function groupsOf(what: string, schedules: readonly Schedule[]): number | undefined {
  const said = schedules.filter(({ groups }) => groups !== undefined);
  const [first] = said;
  const other = said.find(({ groups }) => groups !== first?.groups);
  if (first === undefined || other === undefined) return first?.groups;
  throw new HeddleError(
    'usage',
    `${what}: ${first.kind} was made for ${first.groups} parameter groups, ${other.kind} for ${other.groups}`,
  );
}

/**
 * One schedule after the other: at each milestone the next begins, from its own t = 0 and the group's own rate.
 * All count the same, and the milestones are counts of it from the very start. Throws a HeddleError `usage` for milestones
 * that are not whole numbers ≥ 1 in rising order and one fewer than the schedules, for schedules that count different
 * things, and for one that observes a metric.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.SequentialLR.html
 */
export function sequentialLr(options: {
  schedules: readonly Schedule[];
  milestones: readonly number[];
}): Schedule {
  const [schedules, milestones] = [[...options.schedules], [...options.milestones]];
  const what = 'optim.sequentialLr';
  const [first] = schedules;
  if (first === undefined || milestones.length !== schedules.length - 1) {
    throw new HeddleError(
      'usage',
      `${what}: ${schedules.length} schedules and ${milestones.length} milestones: expected schedules, and a milestone between each two`,
    );
  }
  checkMilestones(`${what}: milestones`, milestones);
  const { every } = first;
  for (const { kind, every: other, observe } of schedules) {
    if (observe !== undefined)
      throw new HeddleError(
        'usage',
        `${what}: ${kind} observes a metric and cannot follow a count; use chainedScheduler, or it alone`,
      );
    if (other === 'both' || other !== every)
      throw new HeddleError(
        'usage',
        `${what}: ${first.kind} counts by ${every}, ${kind} by ${other}: expected one unit; give each the same 'every'`,
      );
  }
  const key = every === 'step' ? 'steps' : 'epochs';
  const groups = groupsOf(what, schedules);
  return {
    kind: 'sequentialLr',
    every,
    groups,
    ignoresBase: schedules.every(({ ignoresBase }) => ignoresBase === true),
    lr(progress, base, group = 0) {
      const count = progress[key];
      const i = milestones.filter((at) => at <= count).length;
      const since = { ...progress, [key]: count - (milestones[i - 1] ?? 0) };
      return (schedules[i] as Schedule).lr(since, base, group);
    },
  };
}

/**
 * Several schedules at once: each takes the rate that the one before made as the group's own. For those that multiply it by
 * a factor, as most do, the factors multiply, as in PyTorch; they may count different things, such as a warm-up by steps and a
 * decay by epochs. (In PyTorch, warm restarts and one-cycle overwrite what was before, and a cosine with an etaMin depends on the
 * way it came; here all are functions of the count.) Throws a HeddleError `usage` for no schedules, for one-cycle anywhere
 * but at the beginning, since it would undo those before it, and for two that observe.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ChainedScheduler.html
 */
export function chainedScheduler(members: readonly Schedule[]): Schedule {
  const schedules = [...members];
  const what = 'optim.chainedScheduler';
  const [first, ...others] = schedules;
  if (first === undefined) throw new HeddleError('usage', `${what}: no schedules: expected at least one`);
  const undoing = others.find(({ ignoresBase }) => ignoresBase);
  if (undoing !== undefined)
    throw new HeddleError(
      'usage',
      `${what}: ${undoing.kind} sets the rate by itself, whatever ${first.kind} made of it: expected it at the beginning`,
    );
  const observing = schedules.filter(({ observe }) => observe !== undefined);
  if (observing.length > 1)
    throw new HeddleError(
      'usage',
      `${what}: ${observing.length} schedules observe a metric: expected one at most`,
    );
  const { mode, observe, state, setState } = observing[0] ?? {};
  return {
    kind: 'chainedScheduler',
    every: others.some(({ every }) => every !== first.every) ? 'both' : first.every,
    groups: groupsOf(what, schedules),
    ignoresBase: first.ignoresBase,
    lr: (progress, base, group = 0) =>
      schedules.reduce((rate, schedule) => schedule.lr(progress, rate, group), base),
    ...(mode !== undefined && { mode }),
    ...(observe !== undefined && { observe }),
    ...(state !== undefined && { state }),
    ...(setState !== undefined && { setState }),
  };
}
