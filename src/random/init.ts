// Initial parameters, number for number as PyTorch's reset_parameters draws them.

import { HeddleError } from '../errors.ts';
import type { Generator } from './generator.ts';

/** Initial values of a linear layer: `weight` is `[outFeatures, inFeatures]`, row-major, `bias` is `[outFeatures]` or empty. */
export interface LinearInit {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
}

/**
 * What `torch.nn.Linear(inFeatures, outFeatures)` starts from, drawn from `generator`: first the weight
 * (`kaiming_uniform_(a=√5)`), then the bias (uniform within 1/√inFeatures), unless it has none: then nothing is drawn for
 * it. Throws `usage` for sizes that are not positive integers.
 */
export function linearInit(
  generator: Generator,
  inFeatures: number,
  outFeatures: number,
  options: { bias?: boolean } = {},
): LinearInit {
  const { bias = true } = options;
  for (const size of [inFeatures, outFeatures]) {
    if (!Number.isSafeInteger(size) || size < 1) {
      const found = `inFeatures ${inFeatures}, outFeatures ${outFeatures}`;
      throw new HeddleError('usage', `linear: expected positive integer sizes, got ${found}.`);
    }
  }
  // The bound is 1/√inFeatures on paper; PyTorch takes this way round, and its roundings are part of the values.
  const slope = Math.sqrt(5);
  const gain = Math.sqrt(2 / (1 + slope * slope));
  const weightBound = Math.sqrt(3) * (gain / Math.sqrt(inFeatures));
  const biasBound = 1 / Math.sqrt(inFeatures);
  return {
    weight: generator.uniform(new Float32Array(outFeatures * inFeatures), -weightBound, weightBound),
    bias: generator.uniform(new Float32Array(bias ? outFeatures : 0), -biasBound, biasBound),
  };
}
