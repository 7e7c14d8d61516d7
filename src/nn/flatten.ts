// Rows of any shape become rows of numbers, https://pytorch.org/docs/stable/generated/torch.nn.Flatten.html

import { elementCount } from '../gpu/tensor.ts';
import { type Layer, reshape } from './layer.ts';

/** Flattens each row; records nothing, the elements lie in order already. */
export function flatten(): Layer {
  return {
    kind: 'flatten',
    description: 'Flatten()',
    parameters: [],
    children: [],
    outputShape: (input) => [elementCount(input)],
    forward(_context, x) {
      const [rows = 1, ...rest] = x.tensor.shape;
      return {
        y: { ...x, tensor: reshape(x.tensor, [rows, elementCount(rest)]) },
        pullback: (dy) => ({ ...dy, tensor: reshape(dy.tensor, x.tensor.shape) }),
      };
    },
  };
}
