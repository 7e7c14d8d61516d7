// The networks that the command line trains: the tutorial's multilayer perceptron, with its parameter names, and those of
// networks.ts.

import { HeddleError, nn } from '../index.ts';
import { networks } from './networks.ts';
import { bytesText, count } from './table.ts';

/** What `--model` takes. */
export const modelNames = ['mlp', 'lenet', 'cnn'] as const;
/** One of them. */
export type ModelName = (typeof modelNames)[number];

/** A network, by its name and sizes. */
export interface Shape {
  readonly model: ModelName;
  readonly inputFeatures: number;
  /** Of the mlp; the others have sizes of their own. */
  readonly hidden: readonly number[];
  readonly classes: number;
}

const sizesOf = ({ inputFeatures, hidden, classes }: Shape) => [inputFeatures, ...hidden, classes];

/** A model in short: `784-512-512-10`, `cnn`. */
export function modelText(shape: Shape): string {
  return shape.model === 'mlp' ? sizesOf(shape).join('-') : shape.model;
}

/** Weights and biases of a model, counted without making it. */
export function countParameters(shape: Shape): number {
  if (shape.model !== 'mlp') return networks[shape.model].parameters(shape.classes);
  const sizes = sizesOf(shape);
  return sizes.slice(1).reduce((sum, size, i) => sum + size * ((sizes[i] as number) + 1), 0);
}

/**
 * The network, its weights drawn in PyTorch's order: weights, then biases, layer by layer. The mlp: flatten, then linear
 * layers with ReLU between them, named as in the tutorial's class: `linear_relu_stack.0.weight` and so on.
 */
export function buildModel(shape: Shape) {
  if (shape.model !== 'mlp') return networks[shape.model].make(shape.classes);
  const sizes = sizesOf(shape);
  const layers = sizes.slice(1).flatMap((size, i) => {
    const linear = nn.linear(sizes[i] as number, size);
    return i === 0 ? [linear] : [nn.relu(), linear];
  });
  return nn.sequential({ flatten: nn.flatten(), linear_relu_stack: nn.sequential(...layers) });
}

/** Throws `limit` for a model that no buffer of this device can hold: before the host draws gigabytes of weights for it. */
export function refuseTooLarge(shape: Shape, mostBytes: number): void {
  const parameters = countParameters(shape);
  if (4 * parameters <= mostBytes) return;
  const needed = `its ${count(parameters)} parameters take ${bytesText(4 * parameters)}`;
  throw new HeddleError(
    'limit',
    `the model ${modelText(shape)} does not fit: ${needed}, this adapter binds at most ${bytesText(mostBytes)} at once. Use a smaller --hidden.`,
  );
}
