// A model's weights out of what somebody has kept: all of them, and of the shapes that the model has.

import { HeddleError } from '../errors.ts';
import type { Layer } from '../nn/layer.ts';
import { namedBuffers, namedParameters } from '../nn/parameters.ts';
import { optimizerPrefix } from './checkpoint.ts';
import type { NamedTensor } from './safetensors.ts';

/** Values by PyTorch key: as `trainer.state()` gives them, or as a safetensors file holds them. */
export type WeightSource = ReadonlyMap<string, Float32Array | NamedTensor>;

/** Counts batches in PyTorch's batch norms, as int64; what a model computes does not depend on it. */
const counter = 'num_batches_tracked';

/**
 * The model's parameters, then its buffers, by key. What an optimizer keeps beside them is passed over, and a counter of
 * batches may be missing. Throws a HeddleError `shape` that lists every other difference.
 */
export function weightsOf(model: Layer, source: WeightSource, prefix = ''): Map<string, NamedTensor> {
  const own = [...namedParameters(model, prefix), ...namedBuffers(model, prefix)];
  const weights = new Map<string, NamedTensor>();
  const differences: string[] = [];
  for (const [key, { name, shape }] of own) {
    const given = source.get(key);
    const expected = `[${shape.join(', ')}]`;
    if (given === undefined) {
      if (name !== counter) differences.push(`${key} ${expected} is missing`);
      continue;
    }
    const data = given instanceof Float32Array ? given : given.data;
    const found = given instanceof Float32Array ? `${data.length} elements` : `[${given.shape.join(', ')}]`;
    const fits = data.length === shape.reduce((a, b) => a * b, 1);
    if (!fits || (found !== expected && !(given instanceof Float32Array)))
      differences.push(`${key} is ${found}, expected ${expected}`);
    weights.set(key, { shape, data, ...(name === counter ? { dtype: 'I64' } : {}) });
  }
  const known = new Set(own.map(([key]) => key));
  for (const key of source.keys())
    if (!known.has(key) && !key.startsWith(optimizerPrefix)) differences.push(`${key} is not in the model`);
  if (differences.length > 0)
    throw new HeddleError('shape', `these weights do not fit the model: ${differences.join('; ')}`);
  return weights;
}
