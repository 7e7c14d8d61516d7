// Weights and activations as images. Pure functions.

import type { Layer } from '../../nn/layer.ts';
import { namedParameters } from '../../nn/parameters.ts';
import type { Tiles } from '../../recipes/protocol.ts';
import type { Made } from './forward.ts';

const mostFilters = 64;

/**
 * The first layer's weights: rows of a linear layer as images of the input's size, kernels of a convolution as they are.
 * Undefined where the first layer's rows are no images.
 */
export function filtersOf(
  model: Layer,
  parameters: ReadonlyMap<string, Float32Array>,
  [, height = 1, width = 1]: readonly number[],
): Tiles | undefined {
  const [first] = namedParameters(model);
  if (first === undefined) return undefined;
  const [label, { shape }] = first;
  const values = parameters.get(label);
  const [rows = 0, channels = 0, ...kernel] = shape;
  const [h, w] = kernel.length === 2 ? (kernel as [number, number]) : [height, width];
  const size = h * w;
  const whole = kernel.length === 2 ? rows * channels : rows;
  if (values === undefined || values.length !== whole * size) return undefined;
  const count = Math.min(whole, mostFilters);
  return { label, count, height: h, width: w, values: values.slice(0, count * size) };
}

/** What a layer made: an image a channel, or one row of numbers. */
export function tilesOf({ path, description, shape, values }: Made): Tiles {
  const [count, height, width] =
    shape.length === 3 ? (shape as [number, number, number]) : [1, 1, values.length];
  return { label: `${path} ${description}`, count, height, width, values: Float32Array.from(values) };
}
