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
  return {
    weight: drawWeight(generator, outFeatures, inFeatures),
    bias: bias ? drawBias(generator, outFeatures, inFeatures) : new Float32Array(0),
  };
}

/** Initial values of a convolution: `weight` is `[outChannels, inChannels, kernelHeight, kernelWidth]`, row-major. */
export interface Conv2dInit {
  readonly weight: Float32Array;
  readonly bias: Float32Array | undefined;
}

/** What `torch.nn.Conv2d` starts from, as `linearInit` of as many inputs as a window has. Without `bias` none is drawn. */
export function conv2dInit(
  generator: Generator,
  inChannels: number,
  outChannels: number,
  [height, width]: readonly [number, number],
  bias: boolean,
): Conv2dInit {
  const inputs = inChannels * height * width;
  const weight = drawWeight(generator, outChannels, inputs);
  return { weight, bias: bias ? drawBias(generator, outChannels, inputs) : undefined };
}

/** `kaiming_uniform_(a=√5)` of `outputs` rows of `inputs`. */
function drawWeight(generator: Generator, outputs: number, inputs: number): Float32Array {
  // The bound is 1/√inputs on paper; PyTorch takes this way round, and its roundings are part of the values.
  const slope = Math.sqrt(5);
  const gain = Math.sqrt(2 / (1 + slope * slope));
  const bound = Math.sqrt(3) * (gain / Math.sqrt(inputs));
  return generator.uniform(new Float32Array(outputs * inputs), -bound, bound);
}

function drawBias(generator: Generator, outputs: number, inputs: number): Float32Array {
  const bound = 1 / Math.sqrt(inputs);
  return generator.uniform(new Float32Array(outputs), -bound, bound);
}
