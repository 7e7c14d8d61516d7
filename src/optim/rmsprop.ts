// RMSprop, https://pytorch.org/docs/stable/generated/torch.optim.RMSprop.html

import { rmspropHyper } from '../ops/kernels.generated.ts';
import { rmsprop as rmspropOp } from '../ops/rmsprop.ts';
import { type GroupedOptions, groupsOf, type HyperOf, type OptimizerOf, optimizerOf } from './groups.ts';
import { checkHyper, type ParameterGroup, refuseLateMomentum } from './optimizer.ts';

/** A group's hyper-parameters. */
export interface RmspropGroup extends ParameterGroup {
  /** Decay rate of the running mean of the gradient's square. Default 0.99. */
  alpha: number;
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** Added to the gradient, times the parameter. Default 0. */
  weightDecay: number;
  /** How much of the last steps goes into the next. Default 0; then none of it is kept. */
  momentum: number;
  /** Goes up the gradient instead of down. */
  maximize: boolean;
}

/** Options of `rmsprop`. */
export type RmspropOptions = GroupedOptions<RmspropGroup> & {
  /** Divides by an estimate of the gradient's standard deviation instead of its root mean square. */
  readonly centered?: boolean;
};

function check(what: string, hyper: HyperOf<RmspropGroup>): void {
  for (const name of ['lr', 'alpha', 'eps', 'weightDecay', 'momentum'] as const)
    checkHyper(`${what}: ${name}`, hyper[name]);
}

/**
 * RMSprop: lr 1e-2 unless given. Where rounding makes the variance of `centered` less than 0 it counts as 0; PyTorch's step
 * is a NaN there. Throws a HeddleError `usage` for what PyTorch refuses.
 */
export function rmsprop(options: RmspropOptions = {}): OptimizerOf<RmspropGroup> {
  const defaults = { lr: 1e-2, alpha: 0.99, eps: 1e-8, weightDecay: 0, momentum: 0, maximize: false };
  const groups = groupsOf<RmspropGroup>('optim.rmsprop', defaults, options, check);
  const { centered = false } = options;
  const momentum = groups.some((group) => group.momentum > 0);
  return optimizerOf<RmspropGroup, keyof typeof rmspropHyper.fields>({
    kind: 'rmsprop',
    groups,
    state: {
      square_avg: 0,
      ...(momentum ? { momentum_buffer: 0 } : {}),
      ...(centered ? { grad_avg: 0 } : {}),
    },
    layout: rmspropHyper,
    hyper: {
      lr: ({ lr }) => lr,
      weight_decay: ({ weightDecay }) => weightDecay,
      direction: ({ maximize }) => (maximize ? -1 : 1),
      alpha: ({ alpha }) => alpha,
      one_minus_alpha: ({ alpha }) => 1 - alpha,
      eps: ({ eps }) => eps,
      momentum(group) {
        refuseLateMomentum('optim.rmsprop', group.momentum, momentum);
        return group.momentum;
      },
    },
    record: (recorder, tensors) => rmspropOp(recorder, { ...tensors, centered, momentum }),
  });
}
