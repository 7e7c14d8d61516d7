// Cross-entropy of logits, https://pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html

import { HeddleError } from '../errors.ts';
import { crossEntropy } from '../ops/cross_entropy.ts';
import {
  canFuseLinearCrossEntropy,
  linearCrossEntropy,
  linearCrossEntropyKernel,
} from '../ops/linear_cross_entropy.ts';
import { logSoftmax } from '../ops/log_softmax.ts';
import { logSoftmaxBackward } from '../ops/log_softmax_backward.ts';
import { nllLoss } from '../ops/nll_loss.ts';
import { nllLossBackward } from '../ops/nll_loss_backward.ts';
import { softCrossEntropy } from '../ops/soft_cross_entropy.ts';
import { type ClassLossOptions, classLossParts } from './class_loss.ts';
import type { ForwardContext, Gradient, Value } from './layer.ts';
import { type Loss, type LossBatch, reduceRows } from './loss.ts';

/** Options of `crossEntropyLoss`, PyTorch's. */
export interface CrossEntropyOptions extends ClassLossOptions {
  /** How much of each target is spread over all classes alike, 0 … 1. Default 0. */
  readonly labelSmoothing?: number | undefined;
}

/**
 * log-softmax and negative log-likelihood in one, of targets that are class indices, or probabilities of the classes as
 * float32 rows (PyTorch's mean of those is over the rows). A mean over a batch in which nothing has weight is 0, with
 * gradient 0, where PyTorch's is NaN. `ignoreIndex` takes class indices alone, as in PyTorch.
 * Throws a HeddleError `usage` for options that make no sense.
 */
export function crossEntropyLoss(options: CrossEntropyOptions = {}): Loss {
  const name = 'nn.crossEntropyLoss';
  const { labelSmoothing: smoothing = 0 } = options;
  const { reduction, weight, ignoreIndex, scale, check } = classLossParts(name, options);
  if (!(smoothing >= 0 && smoothing <= 1))
    throw new HeddleError(
      'usage',
      `${name}: labelSmoothing ${smoothing}: expected a number from 0 to 1, such as 0.1`,
    );
  const plainTargets = weight === undefined && ignoreIndex === undefined && smoothing === 0;
  const isPlain = ({ targets }: LossBatch) => plainTargets && targets.dtype !== 'f32';

  return {
    kind: 'cross_entropy',
    reduction,
    targets: ignoreIndex === undefined ? 'either' : 'classes',
    ignoreIndex,
    scale,
    check,
    forward(context, logits, batch, gradient) {
      if (isPlain(batch)) return plainForward(context, logits, batch, gradient);
      const { recorder, fused } = context;
      const { targets, step, rowLosses } = batch;
      const label = 'loss';
      const x = fused
        ? logits.tensor
        : logSoftmax(recorder, { label: `${label}.log_softmax`, x: logits.tensor });
      const { rowLoss, dx } = softCrossEntropy(recorder, {
        label: `${label}.soft_cross_entropy`,
        x,
        targets,
        weight: weight && recorder.constant(`${label}.weight`, weight),
        smoothing,
        ignoreIndex,
        log: !fused,
        step,
        gradient,
        rowLoss: rowLosses,
      });
      reduceRows(recorder, rowLoss, batch);
      return () => {
        if (fused) return { tensor: dx, masked: false };
        const backward = { label: `${label}.log_softmax.backward`, dy: dx, y: x };
        return { tensor: logSoftmaxBackward(recorder, backward), masked: false };
      };
    },
    forwardLinear(context, { label, x, weight: matrix, bias }, batch, gradient) {
      if (!isPlain(batch) || batch.rowLosses !== undefined) return undefined;
      const kernel = linearCrossEntropyKernel(context.recorder.device);
      if (kernel === undefined || !canFuseLinearCrossEntropy(x, matrix)) return undefined;
      const { logits, dLogits } = linearCrossEntropy(context.recorder, {
        label: `${label}.cross_entropy`,
        x,
        weight: matrix,
        bias,
        ...batch,
        gradient,
      });
      return { logits, pullback: () => ({ tensor: dLogits, masked: false }) };
    },
  };
}

/** Class indices that all count the same, in the kernels made for them. */
function plainForward(
  context: ForwardContext,
  logits: Value,
  batch: LossBatch,
  gradient: boolean,
): () => Gradient {
  const { recorder } = context;
  const { targets, step, rowLosses: rowLoss } = batch;
  const label = 'loss';
  if (context.fused) {
    const made = crossEntropy(recorder, {
      label: `${label}.cross_entropy`,
      logits: logits.tensor,
      targets,
      step,
      gradient,
      rowLoss,
    });
    reduceRows(recorder, made.rowLoss, batch);
    return () => ({ tensor: made.dLogits, masked: false });
  }
  const logProbability = logSoftmax(recorder, { label: `${label}.log_softmax`, x: logits.tensor });
  reduceRows(
    recorder,
    nllLoss(recorder, { label: `${label}.nll`, logProbability, targets, step, rowLoss }),
    batch,
  );
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
}
