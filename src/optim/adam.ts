// Adam and AdamW, https://pytorch.org/docs/stable/generated/torch.optim.Adam.html and .../torch.optim.AdamW.html

import { adam as adamOp } from '../ops/adam.ts';
import { adamHyper } from '../ops/kernels.generated.ts';
import { type GroupedOptions, groupsOf, type HyperOf, type OptimizerOf, optimizerOf } from './groups.ts';
import { checkHyper, type ParameterGroup } from './optimizer.ts';

/** A group's hyper-parameters. */
export interface AdamGroup extends ParameterGroup {
  /** Decay rates of the running means of the gradient and of its square, each in [0, 1). Default (0.9, 0.999). */
  betas: readonly [number, number];
  /** Added to the denominator. Default 1e-8. */
  eps: number;
  /** Adam: added to the gradient, times the parameter. AdamW: what a parameter loses in a step, times lr. */
  weightDecay: number;
  /** Goes up the gradient instead of down. */
  maximize: boolean;
}

/** Options of `adam` and `adamw`. */
export type AdamOptions = GroupedOptions<AdamGroup> & {
  /** Divides by the largest mean square so far. */
  readonly amsgrad?: boolean;
};

function check(what: string, { lr, betas, eps, weightDecay }: HyperOf<AdamGroup>): void {
  checkHyper(`${what}: lr`, lr);
  checkHyper(`${what}: beta 1`, betas[0], { below: 1 });
  checkHyper(`${what}: beta 2`, betas[1], { below: 1 });
  checkHyper(`${what}: eps`, eps);
  checkHyper(`${what}: weightDecay`, weightDecay);
}

function make(kind: 'adam' | 'adamw', weightDecay: number, options: AdamOptions): OptimizerOf<AdamGroup> {
  const defaults = { lr: 1e-3, betas: [0.9, 0.999] as const, eps: 1e-8, weightDecay, maximize: false };
  const { amsgrad = false } = options;
  const decoupled = kind === 'adamw';
  return optimizerOf<AdamGroup, keyof typeof adamHyper.fields>({
    kind,
    groups: groupsOf(`optim.${kind}`, defaults, options, check),
    state: { exp_avg: 0, exp_avg_sq: 0, ...(amsgrad ? { max_exp_avg_sq: 0 } : {}) },
    layout: adamHyper,
    hyper: {
      step_size: ({ lr, betas: [beta1] }, number) => lr / (1 - beta1 ** number),
      keep: (group) => (decoupled ? 1 - group.lr * group.weightDecay : 1),
      weight_decay: (group) => (decoupled ? 0 : group.weightDecay),
      direction: ({ maximize }) => (maximize ? -1 : 1),
      beta1: ({ betas: [beta1] }) => beta1,
      one_minus_beta1: ({ betas: [beta1] }) => 1 - beta1,
      beta2: ({ betas: [, beta2] }) => beta2,
      one_minus_beta2: ({ betas: [, beta2] }) => 1 - beta2,
      bias_correction2_sqrt: ({ betas: [, beta2] }, number) => Math.sqrt(1 - beta2 ** number),
      eps: ({ eps }) => eps,
    },
    record: (recorder, tensors) => adamOp(recorder, { ...tensors, amsgrad }),
  });
}

/** Adam: lr 1e-3, no weight decay unless given. Throws a HeddleError `usage` for what PyTorch refuses. */
export const adam = (options: AdamOptions = {}): OptimizerOf<AdamGroup> => make('adam', 0, options);

/** Adam with decoupled weight decay: lr 1e-3, weightDecay 0.01 unless given. Throws a HeddleError `usage` for what PyTorch refuses. */
export const adamw = (options: AdamOptions = {}): OptimizerOf<AdamGroup> => make('adamw', 0.01, options);
