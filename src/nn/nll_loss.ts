// Negative log-likelihood of log-probabilities, https://pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html

import { softCrossEntropy } from '../ops/soft_cross_entropy.ts';
import { type ClassLossOptions, classLossParts } from './class_loss.ts';
import { type Loss, reduceRows } from './loss.ts';

/**
 * Minus the log-probability of each row's class, weighted: what stands behind a log-softmax. A log-probability that is not
 * finite makes the loss NaN, whichever class it is of. A mean over a batch in which nothing has weight is 0, with gradient
 * 0, where PyTorch's is NaN. Throws a HeddleError `usage` for options that make no sense.
 */
export function nllLoss(options: ClassLossOptions = {}): Loss {
  const { reduction, weight, ignoreIndex, scale, check } = classLossParts('nn.nllLoss', options);
  return {
    kind: 'nll',
    reduction,
    targets: 'classes',
    ignoreIndex,
    scale,
    check,
    forward({ recorder }, logProbability, batch, gradient) {
      const label = 'loss';
      const { rowLoss, dx } = softCrossEntropy(recorder, {
        label: `${label}.nll`,
        x: logProbability.tensor,
        targets: batch.targets,
        weight: weight && recorder.constant(`${label}.weight`, weight),
        ignoreIndex,
        log: true,
        step: batch.step,
        gradient,
        rowLoss: batch.rowLosses,
      });
      reduceRows(recorder, rowLoss, batch);
      return () => ({ tensor: dx, masked: false });
    },
  };
}
