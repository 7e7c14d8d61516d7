// Adagrad, https://pytorch.org/docs/stable/generated/torch.optim.Adagrad.html

import { adagrad as adagradOp } from '../ops/adagrad.ts';
import { adagradHyper } from '../ops/kernels.generated.ts';
import { type GroupedOptions, groupsOf, type HyperOf, type OptimizerOf, optimizerOf } from './groups.ts';
import { checkHyper, type ParameterGroup } from './optimizer.ts';

/** A group's hyper-parameters. */
export interface AdagradGroup extends ParameterGroup {
  /** In step t the learning rate is lr / (1 + (t - 1) · lrDecay). Default 0. */
  lrDecay: number;
  /** Added to the gradient, times the parameter. Default 0. */
  weightDecay: number;
  /** Added to the denominator. Default 1e-10. */
  eps: number;
  /** Goes up the gradient instead of down. */
  maximize: boolean;
}

/** Options of `adagrad`. */
export type AdagradOptions = GroupedOptions<AdagradGroup> & {
  /** What the sum of squares starts from. Default 0. */
  readonly initialAccumulatorValue?: number;
};

function check(what: string, hyper: HyperOf<AdagradGroup>): void {
  for (const name of ['lr', 'lrDecay', 'weightDecay', 'eps'] as const)
    checkHyper(`${what}: ${name}`, hyper[name]);
}

/** Adagrad: lr 1e-2 unless given. Throws a HeddleError `usage` for what PyTorch refuses. */
export function adagrad(options: AdagradOptions = {}): OptimizerOf<AdagradGroup> {
  const defaults = { lr: 1e-2, lrDecay: 0, weightDecay: 0, eps: 1e-10, maximize: false };
  const { initialAccumulatorValue = 0 } = options;
  checkHyper('optim.adagrad: initialAccumulatorValue', initialAccumulatorValue);
  return optimizerOf<AdagradGroup, keyof typeof adagradHyper.fields>({
    kind: 'adagrad',
    groups: groupsOf('optim.adagrad', defaults, options, check),
    state: { sum: initialAccumulatorValue },
    layout: adagradHyper,
    hyper: {
      rate: ({ lr, lrDecay }, number) => lr / (1 + (number - 1) * lrDecay),
      weight_decay: ({ weightDecay }) => weightDecay,
      direction: ({ maximize }) => (maximize ? -1 : 1),
      eps: ({ eps }) => eps,
    },
    record: adagradOp,
  });
}
