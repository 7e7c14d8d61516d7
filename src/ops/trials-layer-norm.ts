// Trials of the kernels of layer norm.

import * as reference from './reference.ts';
import { nothing, type Trials } from './trial.ts';

/** Trials of the kernels of layer norm. */
export const layerNormTrials: Trials<'layer_norm' | 'layer_norm_backward'> = {
  layer_norm({ params, on, count, floats }) {
    const { rows, columns, eps } = params as Record<'rows' | 'columns' | 'eps', number>;
    const [x, weight, bias] = [floats(count('x'), 1, 3), floats(columns), floats(columns)];
    const affine = on('AFFINE') ? { weight, bias } : undefined;
    const expected = reference.layerNorm(x, columns, Math.fround(eps), affine);
    const outputs = { y: nothing(x.length), mean: nothing(rows), inverse: nothing(rows) };
    return [{ inputs: { x, weight, bias, ...outputs }, expected: { ...expected } }];
  },

  layer_norm_backward({ params, on, count, floats }) {
    const { rows, columns } = params as { rows: number; columns: number };
    const [x, dy, weight] = [floats(count('x')), floats(count('x')), floats(columns)];
    const [mean, inverse] = [floats(rows), floats(rows, 0.5, 2)];
    const given = { mean, inverse, weight: on('AFFINE') ? weight : undefined };
    const { dx, terms } = reference.layerNormBackward(x, dy, columns, given);
    const outputs = { dx: nothing(x.length), terms: nothing(on('TERMS') ? x.length : 4) };
    return [
      {
        inputs: { x, dy, mean, inverse, weight, ...outputs },
        expected: on('TERMS') ? { dx, terms } : { dx },
      },
    ];
  },
};
