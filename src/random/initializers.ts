// Initial values by name, number for number as torch.nn.init draws them: https://pytorch.org/docs/stable/nn.init.html

import { HeddleError } from '../errors.ts';
import type { Generator } from './generator.ts';

/** A way to fill a parameter: a plain value, which may be used for any number of them. */
export interface Initializer {
  /** PyTorch's name without the underscore, `xavier_normal`. */
  readonly kind: string;
  /** Fills `data`, row-major of `shape`, with draws from `generator`. Throws a HeddleError `usage` for a shape without fans. */
  fill(generator: Generator, data: Float32Array, shape: readonly number[]): void;
}

/** Which of a weight's connections a variance is kept for: those into a unit (forward) or out of one (backward). */
export type FanMode = 'fan_in' | 'fan_out';

/** Nonlinearities that PyTorch knows a gain for. */
export type Nonlinearity = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'leaky_relu' | 'selu';

/** Options of the Kaiming initializers, with PyTorch's defaults. */
export interface KaimingOptions {
  /** Slope below 0 of the leaky ReLU behind the weight; 0 by default. */
  readonly a?: number;
  /** `fan_in` by default. */
  readonly mode?: FanMode;
  /** `leaky_relu` by default. */
  readonly nonlinearity?: Nonlinearity;
}

/**
 * Inputs and outputs of a unit: of a weight [out, in, …], `in` and `out` times the size of what follows, a convolution's
 * kernel. Throws a HeddleError `usage` for shapes of fewer than two dimensions.
 */
export function fansOf(shape: readonly number[]): Readonly<Record<FanMode, number>> {
  const [out, into, ...kernel] = shape;
  if (out === undefined || into === undefined)
    throw new HeddleError(
      'usage',
      `init: a parameter of shape [${shape.join(', ')}] has no fans, expected at least two dimensions. ` +
        'Take uniform, normal or constant for a bias?',
    );
  const size = kernel.reduce((a, b) => a * b, 1);
  return { fan_in: into * size, fan_out: out * size };
}

/** What `torch.nn.init.calculate_gain` recommends. `slope` is that of a leaky ReLU. Throws `usage` for an unknown name. */
export function calculateGain(nonlinearity: Nonlinearity, slope = 0.01): number {
  switch (nonlinearity) {
    case 'linear':
    case 'sigmoid':
      return 1;
    case 'tanh':
      return 5 / 3;
    case 'relu':
      return Math.sqrt(2);
    case 'leaky_relu':
      return Math.sqrt(2 / (1 + slope ** 2));
    case 'selu':
      return 3 / 4;
    default:
      throw new HeddleError(
        'usage',
        `init: nonlinearity '${String(nonlinearity)}': expected linear, sigmoid, tanh, relu, leaky_relu or selu`,
      );
  }
}

function checkNumbers(kind: string, numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!Number.isFinite(value))
      throw new HeddleError('usage', `init.${kind}: ${name} ${value}: expected a finite number`);
  }
}

/** Standard deviation by Kaiming He's rule, gain / √fan; its arithmetic is PyTorch's, whose roundings are part of the values. */
function kaiming(kind: string, { a = 0, mode = 'fan_in', nonlinearity = 'leaky_relu' }: KaimingOptions) {
  checkNumbers(kind, { a });
  const gain = calculateGain(nonlinearity, a);
  if (mode !== 'fan_in' && mode !== 'fan_out')
    throw new HeddleError('usage', `init.${kind}: mode '${String(mode)}': expected fan_in or fan_out`);
  return (shape: readonly number[]) => gain / Math.sqrt(fansOf(shape)[mode]);
}

/** Standard deviation by Xavier Glorot's rule. */
function xavier(kind: string, { gain = 1 }: { gain?: number }) {
  checkNumbers(kind, { gain });
  return (shape: readonly number[]) => {
    const { fan_in, fan_out } = fansOf(shape);
    return gain * Math.sqrt(2 / (fan_in + fan_out));
  };
}

type Spread = (shape: readonly number[]) => number;

/** Uniform numbers of a standard deviation. */
const uniformOf = (kind: string, std: Spread): Initializer => ({
  kind,
  fill(generator, data, shape) {
    const bound = Math.sqrt(3) * std(shape);
    generator.uniform(data, -bound, bound);
  },
});

const normalOf = (kind: string, std: Spread): Initializer => ({
  kind,
  fill: (generator, data, shape) => void generator.normal(data, 0, std(shape)),
});

/** `kaiming_uniform_`, for weights in front of a ReLU or leaky ReLU; uniform within √3 · gain / √fan. */
export const kaimingUniform = (options: KaimingOptions = {}): Initializer =>
  uniformOf('kaiming_uniform', kaiming('kaimingUniform', options));

/** `kaiming_normal_`: normal with standard deviation gain / √fan. */
export const kaimingNormal = (options: KaimingOptions = {}): Initializer =>
  normalOf('kaiming_normal', kaiming('kaimingNormal', options));

/** `xavier_uniform_`, for weights in front of a sigmoid or tanh; uniform within gain · √(6 / (fan_in + fan_out)). */
export const xavierUniform = (options: { gain?: number } = {}): Initializer =>
  uniformOf('xavier_uniform', xavier('xavierUniform', options));

/** `xavier_normal_`: normal with standard deviation gain · √(2 / (fan_in + fan_out)). */
export const xavierNormal = (options: { gain?: number } = {}): Initializer =>
  normalOf('xavier_normal', xavier('xavierNormal', options));

/** `uniform_(a, b)`: numbers from a up to b. */
export function uniform(a = 0, b = 1): Initializer {
  checkNumbers('uniform', { a, b });
  return { kind: 'uniform', fill: (generator, data) => void generator.uniform(data, a, b) };
}

/** `normal_(mean, std)`. */
export function normal(mean = 0, std = 1): Initializer {
  checkNumbers('normal', { mean, std });
  return { kind: 'normal', fill: (generator, data) => void generator.normal(data, mean, std) };
}

/** `constant_(value)`: draws nothing. */
export function constant(value: number): Initializer {
  checkNumbers('constant', { value });
  return { kind: 'constant', fill: (_generator, data) => void data.fill(value) };
}

/** `zeros_()`. */
export const zeros = (): Initializer => ({ ...constant(0), kind: 'zeros' });

/** `ones_()`. */
export const ones = (): Initializer => ({ ...constant(1), kind: 'ones' });
