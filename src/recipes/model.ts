// The networks that the command line and the page train: the tutorial's multilayer perceptron, with its parameter names, and those of
// networks.ts.

import { HeddleError, nn } from '../index.ts';
import { type ImageSize, networks } from './networks.ts';
import { bytesText, count } from './units.ts';

/** What `--model` takes. */
export const modelNames = ['mlp', 'lenet', 'cnn'] as const;
/** One of them. */
export type ModelName = (typeof modelNames)[number];

/** A network, by its name and sizes. */
export interface Shape {
  readonly model: ModelName;
  /** Of a row of the data: [channels, height, width], or anything for the mlp. */
  readonly input: readonly number[];
  /** Of the mlp; the others have sizes of their own. */
  readonly hidden: readonly number[];
  readonly classes: number;
}

const sizesOf = ({ input, hidden, classes }: Shape) => [
  input.reduce((size, one) => size * one, 1),
  ...hidden,
  classes,
];

/** The images that a convolutional network is for. Throws `shape` for rows that are none, or too small for its two pools. */
function imagesOf({ model, input }: Shape): ImageSize {
  const [channels, height, width] = input;
  const fits =
    input.length === 3 && height !== undefined && width !== undefined && Math.min(height, width) >= 12;
  if (channels === undefined || !fits)
    throw new HeddleError(
      'shape',
      `--model ${model}: rows are [${input.join(', ')}], expected images [channels, height, width] of at least 12 × 12. Use --model mlp`,
    );
  return { channels, height, width };
}

/** A model in short: `784-512-512-10`, `cnn`. */
export function modelText(shape: Shape): string {
  return shape.model === 'mlp' ? sizesOf(shape).join('-') : shape.model;
}

/** Weights and biases of a model, counted without making it. */
export function countParameters(shape: Shape): number {
  if (shape.model !== 'mlp') return networks[shape.model].parameters(imagesOf(shape), shape.classes);
  const sizes = sizesOf(shape);
  return sizes.slice(1).reduce((sum, size, i) => sum + size * ((sizes[i] as number) + 1), 0);
}

/**
 * The network, its weights drawn in PyTorch's order: weights, then biases, layer by layer. The mlp: flatten, then linear
 * layers with ReLU between them, named as in the tutorial's class: `linear_relu_stack.0.weight` and so on.
 */
export function buildModel(shape: Shape) {
  if (shape.model !== 'mlp') return networks[shape.model].make(imagesOf(shape), shape.classes);
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
