// Rows of any shape become rows of numbers, https://pytorch.org/docs/stable/generated/torch.nn.Flatten.html

import { elementCount } from '../gpu/tensor.ts';
import { imagesOf, relaid } from './images.ts';
import { type Layer, reshape } from './layer.ts';

/** Flattens each row. Records nothing where the elements lie in PyTorch's order already, as those of channels-last images do not. */
export function flatten(): Layer<never, never> {
  return {
    kind: 'flatten',
    description: 'Flatten()',
    spec: { kind: 'flatten' },
    parameters: [],
    children: [],
    outputShape: (input) => [elementCount(input)],
    forward(context, x, path) {
      const { shape } = x.tensor;
      const [rows = 1, ...rest] = shape;
      const flat = [rows, elementCount(rest)];
      if (!x.channelsLast) {
        return {
          y: { ...x, tensor: reshape(x.tensor, flat) },
          pullback: (dy) => ({ ...dy, tensor: reshape(dy.tensor, shape) }),
        };
      }
      const images = imagesOf(x);
      const inOrder = { ...images, channelsLast: false };
      const y = relaid(context, `${path}.flatten`, x.tensor, images);
      return {
        y: { ...x, tensor: reshape(y, flat), channelsLast: false },
        pullback: (dy) => ({
          ...dy,
          tensor: relaid(context, `${path}.flatten.backward`, dy.tensor, inOrder),
        }),
      };
    },
  };
}
