// Elementwise activations: https://pytorch.org/docs/stable/nn.html#non-linear-activations-weighted-sum-nonlinearity
// ReLU is in relu.ts, as linear layers can do it themselves.

import { HeddleError } from '../errors.ts';
import { type ActivationKind, activation } from '../ops/activation.ts';
import { activationBackward } from '../ops/activation_backward.ts';
import { asFloat, type Layer } from './layer.ts';
import type { LayerSpec } from './spec.ts';

function layerOf(spec: LayerSpec, description: string, kind: ActivationKind, slope = 0): Layer<never, never> {
  const name = spec.kind;
  return {
    kind: name,
    description,
    spec,
    parameters: [],
    children: [],
    outputShape: (input) => input,
    forward(context, input, path) {
      const x = asFloat(context, input, path);
      const { recorder } = context;
      const label = `${path}.${name}`;
      const y = activation(recorder, { label, kind, x: x.tensor, slope });
      return {
        y: { ...x, tensor: y, maskable: false },
        pullback(dy) {
          if (!x.needsGradient) return undefined;
          const of = { kind, dy: dy.tensor, x: x.tensor, y, slope };
          return {
            tensor: activationBackward(recorder, { label: `${label}.backward`, ...of }),
            masked: false,
          };
        },
      };
    },
  };
}

/**
 * x where x > 0, else negativeSlope · x, which is the gradient at 0 too.
 * Throws a HeddleError `usage` for a slope that is no finite number.
 */
export function leakyRelu(options: { negativeSlope?: number } = {}): Layer<never, never> {
  const { negativeSlope = 0.01 } = options;
  if (!Number.isFinite(negativeSlope))
    throw new HeddleError(
      'usage',
      `nn.leakyRelu: negativeSlope ${negativeSlope}: expected a finite number, such as 0.01`,
    );
  const spec = { kind: 'leaky_relu', negativeSlope } as const;
  return layerOf(spec, `LeakyReLU(negative_slope=${negativeSlope})`, 'leakyRelu', negativeSlope);
}

/**
 * x · Φ(x), with Φ the normal distribution; `approximate: 'tanh'` takes its approximation by tanh.
 * Throws a HeddleError `usage` for any other approximation.
 */
export function gelu(options: { approximate?: 'none' | 'tanh' } = {}): Layer<never, never> {
  const { approximate = 'none' } = options;
  if (approximate !== 'none' && approximate !== 'tanh')
    throw new HeddleError('usage', `nn.gelu: approximate '${approximate}': expected 'none' or 'tanh'`);
  const spec = { kind: 'gelu', approximate } as const;
  return layerOf(spec, `GELU(approximate='${approximate}')`, approximate === 'none' ? 'gelu' : 'geluTanh');
}

/** σ(x) = 1 / (1 + exp(-x)). */
export const sigmoid = (): Layer<never, never> => layerOf({ kind: 'sigmoid' }, 'Sigmoid()', 'sigmoid');

/** The hyperbolic tangent. */
export const tanh = (): Layer<never, never> => layerOf({ kind: 'tanh' }, 'Tanh()', 'tanh');

/** x · σ(x), also called swish. */
export const silu = (): Layer<never, never> => layerOf({ kind: 'silu' }, 'SiLU()', 'silu');
