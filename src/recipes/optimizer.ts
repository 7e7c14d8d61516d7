// The optimizer and the clipping of gradients that `heddle train` is asked for.

import { type ClipOptions, HeddleError, optim } from '../index.ts';
/** What `--optimizer` takes. */
export const optimizerNames = ['sgd', 'adam', 'adamw', 'rmsprop', 'adagrad'] as const;
type Kind = (typeof optimizerNames)[number];

/** The options that have to do with an optimizer. */
export interface OptimizerOptions {
  readonly optimizer: Kind;
  readonly lr?: number;
  readonly momentum?: number;
  readonly nesterov: boolean;
  readonly dampening?: number;
  readonly weightDecay?: number;
  readonly betas?: readonly [number, number];
  readonly alpha?: number;
  readonly eps?: number;
  readonly clipNorm?: number;
  readonly clipValue?: number;
}

/** What some optimizers take and others do not, by the names of both the library and its flag. */
const flags = {
  momentum: '--momentum',
  dampening: '--dampening',
  nesterov: '--nesterov',
  betas: '--betas',
  alpha: '--alpha',
  eps: '--eps',
  weightDecay: '--weight-decay',
} as const;
type Name = keyof typeof flags;

const takes: Readonly<Record<Kind, readonly Name[]>> = {
  sgd: ['momentum', 'dampening', 'nesterov', 'weightDecay'],
  adam: ['betas', 'eps', 'weightDecay'],
  adamw: ['betas', 'eps', 'weightDecay'],
  rmsprop: ['momentum', 'alpha', 'eps', 'weightDecay'],
  adagrad: ['eps', 'weightDecay'],
};

const given = (options: OptimizerOptions, name: Name) =>
  options[name] !== undefined && options[name] !== false;

/**
 * The optimizer that is asked for. Its learning rate is PyTorch's unless given; SGD, which has none there, takes the
 * tutorial's. Throws `usage` for an option that it does not take.
 */
export function optimizerFor(options: OptimizerOptions): optim.Optimizer {
  const { optimizer: kind, lr, momentum = 0, dampening = 0, nesterov } = options;
  const names = Object.keys(flags) as Name[];
  const stranger = names.find((name) => given(options, name) && !takes[kind].includes(name));
  if (stranger !== undefined) {
    const those = (Object.keys(takes) as Kind[]).filter((other) => takes[other].includes(stranger));
    throw new HeddleError(
      'usage',
      `${flags[stranger]}: found with the optimizer ${kind}, expected with ${those.join(' or ')}`,
    );
  }
  if (dampening > 0 && momentum === 0)
    throw new HeddleError('usage', '--dampening: found without momentum, expected with --momentum above 0');
  if (nesterov && (momentum === 0 || dampening > 0))
    throw new HeddleError(
      'usage',
      `--nesterov: found with momentum ${momentum} and dampening ${dampening}, expected with --momentum above 0 and no --dampening`,
    );
  const taken = names.filter((name) => given(options, name)).map((name) => [name, options[name]]);
  const own = { ...Object.fromEntries(taken), ...(lr === undefined ? {} : { lr }) };
  return kind === 'sgd' ? optim.sgd({ lr: 1e-3, ...own }) : optim[kind](own);
}

/** The trainer's options for clipping. Throws `usage` when both ways are asked for. */
export function clippingFor({ clipNorm, clipValue }: OptimizerOptions): ClipOptions {
  if (clipNorm !== undefined && clipValue !== undefined)
    throw new HeddleError('usage', '--clip-norm and --clip-value exclude each other: expected one of them');
  if (clipNorm !== undefined) return { clipGradNorm: clipNorm };
  return clipValue === undefined ? {} : { clipGradValue: clipValue };
}
