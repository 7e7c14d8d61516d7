// Softmax and its logarithm over the classes of a row, https://pytorch.org/docs/stable/generated/torch.nn.Softmax.html with
// dim=1. crossEntropyLoss takes logits: it needs neither.

import { HeddleError } from '../errors.ts';
import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { logSoftmax as logSoftmaxOp } from '../ops/log_softmax.ts';
import { logSoftmaxBackward } from '../ops/log_softmax_backward.ts';
import { softmax as softmaxOp } from '../ops/softmax.ts';
import { softmaxBackward } from '../ops/softmax_backward.ts';
import { asFloat, type Layer } from './layer.ts';

interface Ops {
  forward(recorder: Recorder, options: { label: string; x: Tensor }): Tensor;
  backward(recorder: Recorder, options: { label: string; dy: Tensor; y: Tensor }): Tensor;
}

function layerOf(
  name: string,
  kind: 'softmax' | 'log_softmax',
  description: string,
  ops: Ops,
): Layer<never, never> {
  return {
    kind,
    description,
    spec: { kind },
    parameters: [],
    children: [],
    outputShape(input) {
      if (input.length !== 1) {
        const found = `rows are [${input.join(', ')}]`;
        throw new HeddleError(
          'shape',
          `nn.${name}: ${found}, expected rows of one dimension, the classes. Put nn.flatten() before it?`,
        );
      }
      return input;
    },
    forward(context, input, path) {
      const x = asFloat(context, input, path);
      const { recorder } = context;
      const y = ops.forward(recorder, { label: `${path}.${kind}`, x: x.tensor });
      return {
        y: { ...x, tensor: y, maskable: false },
        pullback(dy) {
          if (!x.needsGradient) return undefined;
          const dx = ops.backward(recorder, { label: `${path}.${kind}.backward`, dy: dy.tensor, y });
          return { tensor: dx, masked: false };
        },
      };
    },
  };
}

/** exp(x) over its sum in each row. Rows have one dimension. */
export const softmax = (): Layer<never, never> =>
  layerOf('softmax', 'softmax', 'Softmax(dim=1)', { forward: softmaxOp, backward: softmaxBackward });

/** The logarithm of softmax, computed without it: finite where a probability would be 0. Rows have one dimension. */
export const logSoftmax = (): Layer<never, never> =>
  layerOf('logSoftmax', 'log_softmax', 'LogSoftmax(dim=1)', {
    forward: logSoftmaxOp,
    backward: logSoftmaxBackward,
  });
