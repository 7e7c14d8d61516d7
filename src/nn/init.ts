// The `nn.init` namespace: initial values by name, and how they get into layers.

import { HeddleError } from '../errors.ts';
import { defaultGenerator, type Generator } from '../random/generator.ts';
import type { Initializer } from '../random/initializers.ts';
import type { Layer, Parameter } from './layer.ts';

export {
  calculateGain,
  constant,
  type FanMode,
  type Initializer,
  type KaimingOptions,
  kaimingNormal,
  kaimingUniform,
  type Nonlinearity,
  normal,
  ones,
  uniform,
  xavierNormal,
  xavierUniform,
  zeros,
} from '../random/initializers.ts';

/** Initializers by a parameter's own name; parameters that are not named keep what they have. */
export type Inits = Readonly<Record<string, Initializer | undefined>>;

/**
 * Fills parameters anew, in their own order: `weight`, then `bias`. What the `init` options of layers do, once the layer's
 * own values have been drawn: `nn.linear(i, o, { init: { weight: nn.init.xavierNormal() } })` equals PyTorch's
 *
 *     layer = nn.Linear(i, o)
 *     nn.init.xavier_normal_(layer.weight)
 *
 * number for number, of the layer and of all that is drawn later.
 */
export function initialise(parameters: readonly Parameter[], inits: Inits, generator: Generator): void {
  for (const { name, shape, data } of parameters) inits[name]?.fill(generator, data, shape);
}

/** What a layer that has a bias, as it does by default, is told of its parameters. */
export interface WithBias {
  /** Default true. */
  readonly bias?: true | undefined;
  /** Other initial values, drawn after the layer's own: see `nn.init`. */
  readonly init?: { readonly weight?: Initializer | undefined; readonly bias?: Initializer | undefined };
}

/** What a layer is told that has a bias or not, as a variable says. */
export interface PerhapsBias {
  readonly bias: boolean;
  /** Other initial values, drawn after the layer's own: see `nn.init`. */
  readonly init?: { readonly weight?: Initializer | undefined; readonly bias?: undefined };
}

/** What a layer without a bias is told. */
export interface WithoutBias extends PerhapsBias {
  readonly bias: false;
}

/** Throws a HeddleError `usage` for initial values of a bias that a layer does not have. */
export function refuseBiasInit(what: string, hasBias: boolean, inits: Inits): void {
  if (!hasBias && inits.bias !== undefined)
    throw new HeddleError('usage', `${what}: init.bias is given for a layer with bias: false; leave one out`);
}

/**
 * Fills the parameters of a model anew, before a trainer is made of it, as `model.apply(f)` does with a function that
 * calls `torch.nn.init`: layer by layer, those inside a layer before it, each one's parameters in their own order.
 * `choose` says what is to be done to a layer, if anything. Returns the model.
 *
 *     nn.init.apply(model, (layer) => layer.kind === 'linear' ? { weight: nn.init.kaimingNormal(), bias: nn.init.zeros() } : {});
 */
export function apply<L extends Layer>(
  model: L,
  choose: (layer: Layer) => Inits,
  generator: Generator = defaultGenerator,
): L {
  for (const [, layer] of model.children) apply(layer, choose, generator);
  initialise(model.parameters, choose(model), generator);
  return model;
}
