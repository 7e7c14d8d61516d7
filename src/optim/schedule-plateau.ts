// The schedule that watches a metric, https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html

import { HeddleError } from '../errors.ts';
import { checkHyper } from './optimizer.ts';
import { checkCount, type ObservingSchedule, type PlateauState } from './schedule.ts';

/** Options of `reduceLrOnPlateau`. */
export interface PlateauOptions {
  /** Whether the metric is to fall (`min`, the default: `trainer.fit` shows it the loss) or to rise (`max`: the accuracy). */
  readonly mode?: 'min' | 'max';
  /** What the rate is multiplied by. Default 0.1. */
  readonly factor?: number;
  /** So many epochs without improvement are let pass. Default 10. */
  readonly patience?: number;
  /** How much is an improvement: a share of the best (`rel`), or a difference (`abs`). Default 1e-4. */
  readonly threshold?: number;
  /** Default `rel`. */
  readonly thresholdMode?: 'rel' | 'abs';
  /** Epochs after a reduction in which none is counted as bad. Default 0. */
  readonly cooldown?: number;
  /** The rate never falls below, of all groups or of each. Default 0. */
  readonly minLr?: number | readonly number[];
  /** A reduction by no more than this is left out. Default 1e-8. */
  readonly eps?: number;
}

const fresh: PlateauState = { best: null, badEpochs: 0, cooldown: 0, reductions: 0 };

/** JSON has no infinities and no -0; a state that was kept must go on as one that was not. */
const jsonable = (metric: number) =>
  Math.min(Number.MAX_VALUE, Math.max(-Number.MAX_VALUE, metric === 0 ? 0 : metric));

function checkState(state: PlateauState): void {
  const { best, badEpochs, cooldown, reductions } = state;
  const whole = [badEpochs, cooldown, reductions].every((n) => Number.isSafeInteger(n) && n >= 0);
  if (whole && (best === null || Number.isFinite(best))) return;
  throw new HeddleError(
    'usage',
    `optim.reduceLrOnPlateau: setState(${JSON.stringify(state)}): expected what state() gave, such as ${JSON.stringify(fresh)}`,
  );
}

/**
 * η ← max(η·factor, minLr) each time the metric has not improved for more than `patience` epochs; a metric that is NaN is no
 * improvement. `trainer.fit` calls `observe` with the loss of the validation after each epoch, or with the training's where
 * there is none; for mode `max`, with the validation's accuracy. Throws a HeddleError `usage` for values out of range.
 */
export function reduceLrOnPlateau(options: PlateauOptions = {}): ObservingSchedule {
  const { mode = 'min', factor = 0.1, patience = 10, threshold = 1e-4, thresholdMode = 'rel' } = options;
  const { cooldown = 0, eps = 1e-8, minLr = 0 } = options;
  const what = 'optim.reduceLrOnPlateau';
  if (mode !== 'min' && mode !== 'max')
    throw new HeddleError('usage', `${what}: mode '${mode}': expected 'min' or 'max'`);
  if (thresholdMode !== 'rel' && thresholdMode !== 'abs')
    throw new HeddleError('usage', `${what}: thresholdMode '${thresholdMode}': expected 'rel' or 'abs'`);
  checkHyper(`${what}: factor`, factor, { below: 1 });
  checkCount(`${what}: patience`, patience, 0);
  checkHyper(`${what}: threshold`, threshold);
  checkCount(`${what}: cooldown`, cooldown, 0);
  checkHyper(`${what}: eps`, eps);
  const minLrs = typeof minLr === 'number' ? [minLr] : [...minLr];
  if (minLrs.length === 0)
    throw new HeddleError('usage', `${what}: minLr []: expected a rate for each parameter group`);
  for (const lr of minLrs) checkHyper(`${what}: minLr`, lr);

  let state = fresh;
  const better = (metric: number, best: number | null) => {
    const sign = mode === 'min' ? -1 : 1;
    if (best === null) return sign * metric > Number.NEGATIVE_INFINITY;
    const bar = thresholdMode === 'rel' ? best * (1 + sign * threshold) : best + sign * threshold;
    return sign * metric > sign * bar;
  };
  return {
    kind: 'reduceLrOnPlateau',
    every: 'epoch',
    groups: typeof minLr === 'number' ? undefined : minLrs.length,
    mode,
    lr(_progress, base, group = 0) {
      const least = (minLrs.length === 1 ? minLrs[0] : minLrs[group]) as number;
      let lr = base;
      for (let i = 0; i < state.reductions; i++) {
        const reduced = Math.max(lr * factor, least);
        if (lr - reduced <= eps) break; // and so would all others
        lr = reduced;
      }
      return lr;
    },
    observe(metric) {
      let { best, badEpochs, cooldown: left, reductions } = state;
      if (better(metric, best)) [best, badEpochs] = [jsonable(metric), 0];
      else badEpochs++;
      if (left > 0) [left, badEpochs] = [left - 1, 0];
      if (badEpochs > patience) [left, badEpochs, reductions] = [cooldown, 0, reductions + 1];
      state = { best, badEpochs, cooldown: left, reductions };
    },
    state: () => state,
    setState(next) {
      checkState(next);
      const { best, badEpochs, cooldown: left, reductions } = next;
      state = { best, badEpochs, cooldown: left, reductions };
    },
  };
}
