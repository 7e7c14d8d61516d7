// Cross-entropy of logits against class indices, https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html

import type { Tensor } from '../gpu/tensor.ts';
import { crossEntropy } from '../ops/cross_entropy.ts';
import { canFuseLinearCrossEntropy, linearCrossEntropy } from '../ops/linear_cross_entropy.ts';
import { logSoftmax } from '../ops/log_softmax.ts';
import { logSoftmaxBackward } from '../ops/log_softmax_backward.ts';
import { meanLoss } from '../ops/mean_loss.ts';
import { nllLoss } from '../ops/nll_loss.ts';
import { nllLossBackward } from '../ops/nll_loss_backward.ts';
import type { Loss } from './loss.ts';

/** log-softmax and negative log-likelihood in one, averaged over the batch: PyTorch's defaults. */
export function crossEntropyLoss(): Loss {
  return {
    kind: 'cross_entropy',
    targets: 'classes',
    scale: ({ rows }) => 1 / rows,
    forward(context, logits, { targets, step, losses }, gradient) {
      const { recorder } = context;
      const label = 'loss';
      const mean = (rowLoss: Tensor) =>
        meanLoss(recorder, { label: `${label}.mean`, rowLoss, out: losses, step });
      if (context.fused) {
        const { rowLoss, dLogits } = crossEntropy(recorder, {
          label: `${label}.cross_entropy`,
          logits: logits.tensor,
          targets,
          step,
          gradient,
        });
        mean(rowLoss);
        return () => ({ tensor: dLogits, masked: false });
      }
      const logProbability = logSoftmax(recorder, { label: `${label}.log_softmax`, x: logits.tensor });
      mean(nllLoss(recorder, { label: `${label}.nll`, logProbability, targets, step }));
      return () => {
        const columns = logits.tensor.shape[1] as number;
        const dy = nllLossBackward(recorder, { label: `${label}.nll.backward`, targets, columns, step });
        const dx = logSoftmaxBackward(recorder, {
          label: `${label}.log_softmax.backward`,
          dy,
          y: logProbability,
        });
        return { tensor: dx, masked: false };
      };
    },
    forwardLinear(context, { label, x, weight, bias }, batch, gradient) {
      const { avoided } = context.recorder.device;
      if (avoided.has('linear_cross_entropy') || !canFuseLinearCrossEntropy(x, weight)) return undefined;
      const { logits, dLogits } = linearCrossEntropy(context.recorder, {
        label: `${label}.cross_entropy`,
        x,
        weight,
        bias,
        ...batch,
        gradient,
      });
      return { logits, pullback: () => ({ tensor: dLogits, masked: false }) };
    },
  };
}
