// Stochastic gradient descent, https://pytorch.org/docs/stable/generated/torch.optim.SGD.html

import { sgd as sgdOp } from '../ops/sgd.ts';
import { checkHyper, type Optimizer, type ParameterGroup } from './optimizer.ts';

/** θ ← θ - lr·∇θ. Throws a HeddleError `usage` for a learning rate that is not a finite number ≥ 0. */
export function sgd(options: { lr: number }): Optimizer {
  checkHyper('optim.sgd: lr', options.lr);
  const group: ParameterGroup = { lr: options.lr };
  return {
    kind: 'sgd',
    plainStep: true,
    get lr() {
      return group.lr;
    },
    set lr(lr) {
      group.lr = lr;
    },
    groups: [group],
    state: {},
    writeHyper() {}, // the learning rate is in the step record
    record(recorder, _group, { value, gradient, losses, step }) {
      sgdOp(recorder, { label: 'optimizer.sgd', value, gradient, losses, step });
    },
  };
}
