// The one-cycle schedule, https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html

import { HeddleError } from '../errors.ts';
import { checkHyper } from './optimizer.ts';
import { checkCount, checkShare, closedForm, type Every, type Schedule } from './schedule.ts';
import { cosineBetween } from './schedules.ts';

/** Options of `oneCycleLr`: either `totalSteps`, or `epochs` and `stepsPerEpoch`, whose product it then is. */
export type OneCycleOptions = Every & {
  /** The largest rate, of all groups or of each. */
  readonly maxLr: number | readonly number[];
  /** The share of the cycle in which the rate rises. Default 0.3. */
  readonly pctStart?: number;
  /** Default `cos`. */
  readonly annealStrategy?: 'cos' | 'linear';
  /** It begins at maxLr / divFactor. Default 25. */
  readonly divFactor?: number;
  /** It ends at that divided by this. Default 1e4. */
  readonly finalDivFactor?: number;
  /** Back to where it began in as many steps as it rose, and only then to the end. */
  readonly threePhase?: boolean;
} & (
    | { readonly totalSteps: number; readonly epochs?: never; readonly stepsPerEpoch?: never }
    | { readonly totalSteps?: never; readonly epochs: number; readonly stepsPerEpoch: number }
  );

/**
 * Up from maxLr / divFactor to maxLr and down to maxLr / divFactor / finalDivFactor, which the last of `totalSteps` counts
 * has. By steps unless told otherwise. The groups' own rates mean nothing to it. PyTorch's cycles momentum too, unless told
 * not to; this one leaves it alone (`cycle_momentum=False`).
 *
 * With N = totalSteps: the rate reaches maxLr at t = pctStart·N - 1 and the end at N - 1; in three phases it is back at the
 * start at 2·pctStart·N - 2. Throws a HeddleError `usage` for values out of range, and when asked for t ≥ N.
 */
export function oneCycleLr(options: OneCycleOptions): Schedule {
  const { pctStart = 0.3, annealStrategy = 'cos', divFactor = 25, finalDivFactor = 1e4 } = options;
  const { threePhase = false, every = 'step' } = options;
  const what = 'optim.oneCycleLr';
  if (options.totalSteps === undefined) {
    checkCount(`${what}: epochs`, options.epochs);
    checkCount(`${what}: stepsPerEpoch`, options.stepsPerEpoch);
  }
  const total = options.totalSteps ?? options.epochs * options.stepsPerEpoch;
  checkCount(`${what}: totalSteps`, total);
  const maxLrs = typeof options.maxLr === 'number' ? [options.maxLr] : [...options.maxLr];
  if (maxLrs.length === 0)
    throw new HeddleError('usage', `${what}: maxLr []: expected a rate for each parameter group`);
  for (const lr of maxLrs) checkHyper(`${what}: maxLr`, lr);
  checkShare(`${what}: pctStart`, pctStart);
  if (threePhase && pctStart > 0.5)
    throw new HeddleError('usage', `${what}: pctStart ${pctStart}: three phases need one from 0 to 0.5`);
  for (const [name, factor] of Object.entries({ divFactor, finalDivFactor })) {
    if (!(factor > 0 && Number.isFinite(factor)))
      throw new HeddleError('usage', `${what}: ${name} ${factor}: expected a finite number > 0`);
  }
  if (annealStrategy !== 'cos' && annealStrategy !== 'linear')
    throw new HeddleError('usage', `${what}: annealStrategy '${annealStrategy}': expected 'cos' or 'linear'`);

  // As shares of the largest rate; `end` counts from 0 and need not be whole.
  const [start, last] = [1 / divFactor, 1 / divFactor / finalDivFactor];
  const rise = { end: pctStart * total - 1, from: start, to: 1 };
  const phases = threePhase
    ? [rise, { end: 2 * pctStart * total - 2, from: 1, to: start }, { end: total - 1, from: start, to: last }]
    : [rise, { end: total - 1, from: 1, to: last }];
  const between =
    annealStrategy === 'cos'
      ? cosineBetween
      : (from: number, to: number, share: number) => from * (1 - share) + to * share; // exact at both ends

  const schedule = closedForm('oneCycleLr', every, (t, _base, group) => {
    if (t > total - 1) {
      throw new HeddleError(
        'usage',
        `${what}: asked for the rate of ${every} ${t + 1}; the cycle has ${total}. Make totalSteps as long as the training.`,
      );
    }
    const i = phases.findIndex(({ end }) => t <= end);
    const { from, to, end } = phases[i] as (typeof phases)[number];
    const begin = phases[i - 1]?.end ?? 0;
    const maxLr = (maxLrs.length === 1 ? maxLrs[0] : maxLrs[group]) as number;
    return maxLr * between(from, to, end === begin ? 1 : (t - begin) / (end - begin));
  });
  const groups = typeof options.maxLr === 'number' ? undefined : maxLrs.length;
  return { ...schedule, ignoresBase: true, groups };
}
