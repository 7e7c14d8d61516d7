// Schedules in closed form, with PyTorch's names, options and defaults. η is a group's own learning rate, t the number of
// epochs (or steps: `every`) done before. PyTorch steps from one rate to the next, with the same values but for rounding.
// https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate

import { checkHyper } from './optimizer.ts';
import {
  checkCount,
  checkMilestones,
  checkShare,
  closedForm,
  type Every,
  type Schedule,
} from './schedule.ts';

/**
 * η·factor for t < totalIters, then η. Unlike PyTorch's, `totalIters` may be Infinity; with factor 1 it is a plain constant.
 * Throws a HeddleError `usage` for a factor outside 0…1 or iterations that are no whole number ≥ 1.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ConstantLR.html
 */
export function constantLr(options: Every & { factor?: number; totalIters?: number } = {}): Schedule {
  const { factor = 1 / 3, totalIters = 5, every = 'epoch' } = options;
  checkShare('optim.constantLr: factor', factor);
  if (totalIters !== Number.POSITIVE_INFINITY) checkCount('optim.constantLr: totalIters', totalIters);
  return closedForm('constantLr', every, (t, base) => (t < totalIters ? base * factor : base));
}

/**
 * A straight line from η·startFactor to η·endFactor at t = totalIters, and flat from there: a warm-up. By steps unless told
 * otherwise. Throws a HeddleError `usage` for a start factor that is not > 0 and ≤ 1 (with 0 the first step would be lost),
 * an end factor outside 0…1, or iterations that are no whole number ≥ 1.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LinearLR.html
 */
export function linearLr(
  options: Every & { startFactor?: number; endFactor?: number; totalIters?: number } = {},
): Schedule {
  const { startFactor = 1 / 3, endFactor = 1, totalIters = 5, every = 'step' } = options;
  checkShare('optim.linearLr: startFactor', startFactor, { positive: true });
  checkShare('optim.linearLr: endFactor', endFactor);
  checkCount('optim.linearLr: totalIters', totalIters);
  return closedForm('linearLr', every, (t, base) => {
    const share = Math.min(t, totalIters) / totalIters;
    return base * (startFactor + (endFactor - startFactor) * share);
  });
}

/**
 * η·gammaᵏ, k = ⌊t / stepSize⌋. Throws a HeddleError `usage` for a step size that is no whole number ≥ 1, or a gamma that is
 * not a finite number ≥ 0.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.StepLR.html
 */
export function stepLr(options: Every & { stepSize: number; gamma?: number }): Schedule {
  const { stepSize, gamma = 0.1, every = 'epoch' } = options;
  checkCount('optim.stepLr: stepSize', stepSize);
  checkHyper('optim.stepLr: gamma', gamma);
  return closedForm('stepLr', every, (t, base) => base * gamma ** Math.floor(t / stepSize));
}

/**
 * η·gammaᵏ, k the number of milestones ≤ t. Throws a HeddleError `usage` for milestones that are not whole numbers ≥ 1 in
 * rising order (PyTorch sorts them, and lets one count twice), or a gamma that is not a finite number ≥ 0.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiStepLR.html
 */
export function multiStepLr(options: Every & { milestones: readonly number[]; gamma?: number }): Schedule {
  const { gamma = 0.1, every = 'epoch' } = options;
  const milestones = [...options.milestones];
  checkMilestones('optim.multiStepLr: milestones', milestones);
  checkHyper('optim.multiStepLr: gamma', gamma);
  return closedForm(
    'multiStepLr',
    every,
    (t, base) => base * gamma ** milestones.filter((at) => at <= t).length,
  );
}

/**
 * η·gammaᵗ. Throws a HeddleError `usage` for a gamma that is not a finite number ≥ 0.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html
 */
export function exponentialLr(options: Every & { gamma: number }): Schedule {
  const { gamma, every = 'epoch' } = options;
  checkHyper('optim.exponentialLr: gamma', gamma);
  return closedForm('exponentialLr', every, (t, base) => base * gamma ** t);
}

/**
 * η·(1 - t / totalIters)ᵖᵒʷᵉʳ, and 0 from totalIters on. Throws a HeddleError `usage` for iterations that are no whole number
 * ≥ 1, or a power that is not a finite number ≥ 0.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.PolynomialLR.html
 */
export function polynomialLr(options: Every & { totalIters?: number; power?: number } = {}): Schedule {
  const { totalIters = 5, power = 1, every = 'epoch' } = options;
  checkCount('optim.polynomialLr: totalIters', totalIters);
  checkHyper('optim.polynomialLr: power', power);
  return closedForm(
    'polynomialLr',
    every,
    (t, base) => base * (1 - Math.min(t, totalIters) / totalIters) ** power,
  );
}

/** Half a cosine from `from` at share 0 to `to` at share 1. */
export function cosineBetween(from: number, to: number, share: number): number {
  return to + ((from - to) * (1 + Math.cos(Math.PI * share))) / 2;
}

/**
 * etaMin + (η - etaMin)·(1 + cos(π·t / tMax)) / 2: down to etaMin at t = tMax, and up again after it, as PyTorch's.
 * Throws a HeddleError `usage` for a tMax that is no whole number ≥ 1, or an etaMin that is not a finite number ≥ 0.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html
 */
export function cosineAnnealingLr(options: Every & { tMax: number; etaMin?: number }): Schedule {
  const { tMax, etaMin = 0, every = 'epoch' } = options;
  checkCount('optim.cosineAnnealingLr: tMax', tMax);
  checkHyper('optim.cosineAnnealingLr: etaMin', etaMin);
  return closedForm('cosineAnnealingLr', every, (t, base) => cosineBetween(base, etaMin, t / tMax));
}

/** Where count `t` lies in a row of cycles of which the first takes `first` and each other `times` the one before. */
function cycleOf(t: number, first: number, times: number): { within: number; length: number } {
  if (times === 1) return { within: t % first, length: first };
  let [within, length] = [t, first];
  while (within >= length) {
    within -= length;
    length *= times;
  }
  return { within, length };
}

/**
 * Cosine annealing that starts again from η: etaMin + (η - etaMin)·(1 + cos(π·u / T)) / 2, u counted from the last restart.
 * The first cycle takes T = t0, each other tMult times the one before. Throws a HeddleError `usage` for a t0 or tMult that
 * is no whole number ≥ 1, or an etaMin that is not a finite number ≥ 0.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.html
 */
export function cosineAnnealingWarmRestarts(
  options: Every & { t0: number; tMult?: number; etaMin?: number },
): Schedule {
  const { t0, tMult = 1, etaMin = 0, every = 'epoch' } = options;
  checkCount('optim.cosineAnnealingWarmRestarts: t0', t0);
  checkCount('optim.cosineAnnealingWarmRestarts: tMult', tMult);
  checkHyper('optim.cosineAnnealingWarmRestarts: etaMin', etaMin);
  return closedForm('cosineAnnealingWarmRestarts', every, (t, base) => {
    const { within, length } = cycleOf(t, t0, tMult);
    return cosineBetween(base, etaMin, within / length);
  });
}
