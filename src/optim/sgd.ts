// Stochastic gradient descent, https://pytorch.org/docs/stable/generated/torch.optim.SGD.html

import { HeddleError } from '../errors.ts';
import { sgdMomentumHyper } from '../ops/kernels.generated.ts';
import { sgd as sgdOp } from '../ops/sgd.ts';
import { sgdMomentum } from '../ops/sgd_momentum.ts';
import { type GroupedOptions, groupsOf, type HyperOf, type OptimizerOf, optimizerOf } from './groups.ts';
import { checkHyper, type ParameterGroup, refuseLateMomentum } from './optimizer.ts';

/** A group's hyper-parameters. */
export interface SgdGroup extends ParameterGroup {
  /** How much of the last steps goes into the next. Default 0; then none of it is kept. */
  momentum: number;
  /** By how much less the gradient goes into the momentum, from the second step on. Default 0. */
  dampening: number;
  /** Nesterov's momentum. */
  nesterov: boolean;
  /** Added to the gradient, times the parameter. Default 0. */
  weightDecay: number;
  /** Goes up the gradient instead of down. */
  maximize: boolean;
}

/** Options of `sgd`. */
export type SgdOptions = GroupedOptions<SgdGroup> & { readonly lr: number } & (
    | { readonly nesterov?: false }
    | { readonly nesterov: true; readonly momentum: number; readonly dampening?: 0 }
  );

function check(what: string, hyper: HyperOf<SgdGroup>): void {
  const { lr, momentum, dampening, nesterov, weightDecay } = hyper;
  checkHyper(`${what}: lr`, lr);
  checkHyper(`${what}: momentum`, momentum);
  checkHyper(`${what}: dampening`, dampening);
  checkHyper(`${what}: weightDecay`, weightDecay);
  if (nesterov && (momentum === 0 || dampening !== 0))
    throw new HeddleError(
      'usage',
      `${what}: nesterov with momentum ${momentum}, dampening ${dampening}: expected momentum > 0 and no dampening`,
    );
}

/** Whether a group's step is value -= lr · gradient. */
const isPlain = ({ momentum, weightDecay, maximize }: SgdGroup) =>
  momentum === 0 && weightDecay === 0 && !maximize;

/** The kernel without any of the options; the learning rate is in the step record. */
function plainSgd(group: SgdGroup): OptimizerOf<SgdGroup> {
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
    writeHyper() {
      if (isPlain(group)) return;
      throw new HeddleError(
        'usage',
        'optim.sgd: momentum, weightDecay or maximize was changed after the training began without any of them; give the optimizer what it is to start with',
      );
    },
    record(recorder, _group, { value, gradient, losses, step }) {
      sgdOp(recorder, { label: 'optimizer.sgd', value, gradient, losses, step });
    },
  };
}

/**
 * Stochastic gradient descent, with momentum and weight decay where they are asked for. Throws a HeddleError `usage` for
 * what PyTorch refuses.
 */
export function sgd(options: SgdOptions): OptimizerOf<SgdGroup> {
  const defaults = {
    lr: options.lr,
    momentum: 0,
    dampening: 0,
    nesterov: false,
    weightDecay: 0,
    maximize: false,
  };
  const groups = groupsOf<SgdGroup>('optim.sgd', defaults, options, check);
  const [first] = groups as [SgdGroup];
  if (groups.length === 1 && isPlain(first)) return plainSgd(first);
  const momentum = groups.some((group) => group.momentum > 0);
  return optimizerOf<SgdGroup, keyof typeof sgdMomentumHyper.fields>({
    kind: 'sgd',
    groups,
    state: momentum ? { momentum_buffer: 0 } : {},
    layout: sgdMomentumHyper,
    hyper: {
      lr: ({ lr }) => lr,
      weight_decay: ({ weightDecay }) => weightDecay,
      direction: ({ maximize }) => (maximize ? -1 : 1),
      // Without momentum the buffer stays as it is, and the gradient alone counts.
      momentum(group) {
        refuseLateMomentum('optim.sgd', group.momentum, momentum);
        return group.momentum === 0 ? 1 : group.momentum;
      },
      undampened: (group, number) => (group.momentum === 0 ? 0 : number === 1 ? 1 : 1 - group.dampening),
      gradient_share: (group) => (group.momentum === 0 || group.nesterov ? 1 : 0),
      buffer_share: (group) => (group.momentum === 0 ? 0 : group.nesterov ? group.momentum : 1),
    },
    record: (recorder, tensors) => sgdMomentum(recorder, { ...tensors, momentum }),
  });
}
