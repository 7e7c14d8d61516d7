// Stochastic gradient descent, https://pytorch.org/docs/stable/generated/torch.optim.SGD.html

import { HeddleError } from '../errors.ts';
import { sgd as sgdOp } from '../ops/sgd.ts';
import type { Optimizer } from './optimizer.ts';

/** θ ← θ - lr·∇θ. Throws a HeddleError `usage` for a learning rate that is not a finite number ≥ 0. */
export function sgd(options: { lr: number }): Optimizer {
  const { lr } = options;
  if (!Number.isFinite(lr) || lr < 0)
    throw new HeddleError('usage', `optim.sgd: lr ${lr}: expected a finite number ≥ 0`);
  return {
    kind: 'sgd',
    plainStep: true,
    lr,
    record(recorder, { value, gradient, losses, step }) {
      sgdOp(recorder, { label: 'optimizer.sgd', value, gradient, losses, step });
    },
  };
}
