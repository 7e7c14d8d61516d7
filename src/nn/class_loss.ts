// What the losses that tell classes apart have in common: their options, and the scale that makes a mean of a sum.

import { HeddleError } from '../errors.ts';
import {
  checkReduction,
  checkWeightCount,
  checkWeights,
  type HostTargets,
  type Loss,
  type Reduction,
} from './loss.ts';

/** Options of losses that tell classes apart. */
export interface ClassLossOptions {
  /** Default `mean`: over the batch's rows that count, each by the weight of its class. */
  readonly reduction?: Reduction | undefined;
  /** How much each class counts, finite and not below 0, [classes]. Default: all the same, 1. */
  readonly weight?: ArrayLike<number> | undefined;
  /**
   * A target that says: leave this row out. It need be no class; -100 is PyTorch's. Default: none, and a target that is no
   * class is refused.
   */
  readonly ignoreIndex?: number | undefined;
}

/** Options that have been checked, and what of a loss follows from them. */
export interface ClassLossParts {
  readonly reduction: Reduction;
  readonly weight: Float32Array<ArrayBuffer> | undefined;
  readonly ignoreIndex: number | undefined;
  readonly scale: Loss['scale'];
  check(output: readonly number[]): void;
}

/** Checks the options that the losses have in common. Throws a HeddleError `usage` for what makes no sense. */
export function classLossParts(name: string, options: ClassLossOptions): ClassLossParts {
  const { reduction = 'mean', ignoreIndex } = options;
  checkReduction(name, reduction);
  const weight = checkWeights(`${name}: weight`, options.weight);
  if (ignoreIndex !== undefined && !(Number.isInteger(ignoreIndex) && Math.abs(ignoreIndex) < 2 ** 31))
    throw new HeddleError(
      'usage',
      `${name}: ignoreIndex ${ignoreIndex}: expected a whole number, such as PyTorch's -100`,
    );
  return {
    reduction,
    weight,
    ignoreIndex,
    scale: (batch) => (reduction === 'mean' ? meanScale(batch, weight, ignoreIndex) : 1),
    check(output) {
      if (output.length !== 1)
        throw new HeddleError(
          'shape',
          `${name}: the model gives rows of [${output.join(', ')}]: expected rows of one number a class`,
        );
      checkWeightCount(`${name}: weight`, weight, output);
    },
  };
}

/**
 * 1 / Σ weights of the targets' classes over the rows that count. Of probabilities PyTorch takes the mean over the rows,
 * whatever the weights. A batch without weight, all of whose rows are left out for instance, has loss 0 and gradient 0,
 * where PyTorch has NaN, which would end the run.
 */
function meanScale(
  { rows, targets }: HostTargets,
  weight: Float32Array | undefined,
  ignoreIndex: number | undefined,
): number {
  if (targets instanceof Float32Array || (weight === undefined && ignoreIndex === undefined)) return 1 / rows;
  let total = 0;
  for (const target of targets.subarray(0, rows))
    if (target !== ignoreIndex) total += weight === undefined ? 1 : (weight[target] as number);
  return total === 0 ? 0 : 1 / total;
}
