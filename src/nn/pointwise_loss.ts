// Losses that compare element by element with real-valued targets of the predictions' shape, and are averaged over all
// elements or summed: https://pytorch.org/docs/stable/nn.html#loss-functions

import { HeddleError } from '../errors.ts';
import { type PointwiseKind, pointwiseLoss } from '../ops/pointwise_loss.ts';
import {
  checkReduction,
  checkWeightCount,
  checkWeights,
  type Loss,
  type Reduction,
  reduceRows,
} from './loss.ts';

/** Options of losses that compare element by element. */
export interface PointwiseLossOptions {
  /** Default `mean`: over all elements of the batch. */
  readonly reduction?: Reduction | undefined;
}

interface Parts extends PointwiseLossOptions {
  readonly kind: PointwiseKind;
  readonly edge?: number;
  readonly weight?: Float32Array | undefined;
}

function lossOf(name: string, kindName: string, { kind, edge, weight, reduction = 'mean' }: Parts): Loss {
  checkReduction(name, reduction);
  return {
    kind: kindName,
    reduction,
    targets: 'values',
    scale: ({ targets }) => (reduction === 'mean' ? 1 / targets.length : 1),
    check: (output) => checkWeightCount(`${name}: posWeight`, weight, output),
    forward({ recorder }, predictions, batch, gradient) {
      const label = 'loss';
      const { targets, step, rowLosses } = batch;
      const { rowLoss, dx } = pointwiseLoss(recorder, {
        label: `${label}.${kindName}`,
        kind,
        x: predictions.tensor,
        targets,
        weight: weight && recorder.constant(`${label}.pos_weight`, weight),
        step,
        gradient,
        mean: rowLosses !== undefined,
        rowLoss: rowLosses,
        ...(edge === undefined ? {} : { edge }),
      });
      reduceRows(recorder, rowLoss, batch);
      return () => ({ tensor: dx, masked: false });
    },
  };
}

/** (x - target)². */
export const mseLoss = (options: PointwiseLossOptions = {}): Loss =>
  lossOf('nn.mseLoss', 'mse', { ...options, kind: 'mse' });

/** |x - target|; the gradient at 0 is 0. */
export const l1Loss = (options: PointwiseLossOptions = {}): Loss =>
  lossOf('nn.l1Loss', 'l1', { ...options, kind: 'l1' });

/**
 * d² / (2 · beta) where |d| < beta, else |d| - beta / 2, with d = x - target. `beta`, default 1, may be 0, which is L1.
 * Throws a HeddleError `usage` for one below 0 or not finite.
 */
export function smoothL1Loss(options: PointwiseLossOptions & { readonly beta?: number } = {}): Loss {
  const { beta = 1, reduction } = options;
  const edge = Math.fround(beta);
  if (!(edge >= 0 && Number.isFinite(edge)))
    throw new HeddleError(
      'usage',
      `nn.smoothL1Loss: beta ${beta}: expected a finite number of 0 or more, such as 1`,
    );
  const kind = edge < smallestNormal ? 'l1' : 'smoothL1';
  return lossOf('nn.smoothL1Loss', 'smooth_l1', { reduction, kind, edge });
}

/** What is smaller a GPU may take for 0. */
const smallestNormal = 2 ** -126;

/**
 * d² / 2 where |d| < delta, else delta · (|d| - delta / 2), with d = x - target. Default delta: 1.
 * Throws a HeddleError `usage` for one that is not above 0 and finite.
 */
export function huberLoss(options: PointwiseLossOptions & { readonly delta?: number } = {}): Loss {
  const { delta = 1, reduction } = options;
  const edge = Math.fround(delta);
  if (!(edge >= smallestNormal && Number.isFinite(edge)))
    throw new HeddleError(
      'usage',
      `nn.huberLoss: delta ${delta}: expected a finite number above 0, such as 1`,
    );
  return lossOf('nn.huberLoss', 'huber', { reduction, kind: 'huber', edge });
}

/**
 * Binary cross-entropy of logits against probabilities. `posWeight` says how much the positive class counts, for each
 * number in a row of the model's output; default 1.
 * Throws a HeddleError `usage` for weights that are not finite or below 0.
 */
export function bceWithLogitsLoss(
  options: PointwiseLossOptions & { readonly posWeight?: ArrayLike<number> | undefined } = {},
): Loss {
  const name = 'nn.bceWithLogitsLoss';
  const { posWeight, reduction } = options;
  const weight = checkWeights(`${name}: posWeight`, posWeight);
  return lossOf(name, 'bce_with_logits', { reduction, kind: 'bceWithLogits', weight });
}
