// Leaves out some of the activations, at random, in training: https://pytorch.org/docs/stable/generated/torch.nn.Dropout.html

import { HeddleError } from '../errors.ts';
import { dropout as dropoutOp } from '../ops/dropout.ts';
import { asFloat, type Layer } from './layer.ts';

/**
 * In training every element becomes 0 with probability `p` (default 0.5), or else is divided by 1 - p; an evaluation lets
 * everything pass. What is dropped follows from the trainer's seed, the layer's place among the layers that draw, and how
 * many batches came before, alone: the same on every driver, and after a resume. They are not PyTorch's random numbers.
 * Throws a HeddleError `usage` for a p that is not between 0 and 1.
 */
export function dropout(p = 0.5): Layer<never, never> {
  if (!(p >= 0 && p <= 1))
    throw new HeddleError('usage', `nn.dropout: p ${p}: expected a number from 0 to 1`);
  return {
    kind: 'dropout',
    description: `Dropout(p=${p})`,
    spec: { kind: 'dropout', p },
    parameters: [],
    children: [],
    outputShape: (input) => input,
    forward(context, input, path) {
      const { recorder, step, training } = context;
      const random = context.randomStream(); // also where nothing is drawn, so that later layers' streams stay theirs
      if (!training || p === 0) return { y: input, pullback: (dy) => dy };
      const x = asFloat(context, input, path);
      const label = `${path}.dropout`;
      const y = dropoutOp(recorder, { label, x: x.tensor, step, p, ...random });
      return {
        // A ReLU's mask can be told from y as well: what was 0 still is, and what has become 0 gets no gradient anyway.
        y: { ...x, tensor: y },
        pullback(dy) {
          if (!x.needsGradient) return undefined;
          const dx = dropoutOp(recorder, { label: `${label}.backward`, x: dy.tensor, step, p, ...random });
          return { ...dy, tensor: dx };
        },
      };
    },
  };
}
