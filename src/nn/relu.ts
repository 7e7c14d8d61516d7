// y = max(x, 0), https://pytorch.org/docs/stable/generated/torch.nn.ReLU.html; the gradient at 0 is 0.

import { relu as reluOp } from '../ops/relu.ts';
import { reluBackward } from '../ops/relu_backward.ts';
import { asFloat, type Layer } from './layer.ts';

/** The rectifier, elementwise; a NaN stays a NaN. */
export function relu(): Layer<never, never> {
  return {
    kind: 'relu',
    description: 'ReLU()',
    spec: { kind: 'relu' },
    parameters: [],
    children: [],
    outputShape: (input) => input,
    forward(context, input, path) {
      const x = asFloat(context, input, path);
      const y = reluOp(context.recorder, { label: `${path}.relu`, x: x.tensor });
      return {
        y: { ...x, tensor: y, maskable: false },
        pullback(dy) {
          if (!x.needsGradient) return undefined;
          const dx = reluBackward(context.recorder, { label: `${path}.relu.backward`, dy: dy.tensor, y });
          return { tensor: dx, masked: false };
        },
      };
    },
  };
}
