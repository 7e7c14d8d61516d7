// Normalises each row, https://pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html (over the last dimension)

import { HeddleError } from '../errors.ts';
import { columnSum } from '../ops/column_sum.ts';
import { layerNorm as layerNormOp } from '../ops/layer_norm.ts';
import { layerNormBackward } from '../ops/layer_norm_backward.ts';
import { asFloat, checkSize, type Layer, needsGradient, type Parameter } from './layer.ts';

/** Options of `layerNorm`; PyTorch calls `affine` elementwise_affine. */
export interface LayerNormOptions {
  /** Added to variances. Default 1e-5. */
  readonly eps?: number;
  /** Whether there are a weight and a bias for each column. Default true. */
  readonly affine?: boolean;
}

/**
 * Normalises rows of `features` by their own mean and variance. Parameters: `weight` (ones) and `bias` (zeros) [features].
 * Throws a HeddleError `usage` for options that are none.
 */
export function layerNorm(
  features: number,
  options: LayerNormOptions & { readonly affine: false },
): Layer<never, never>;
export function layerNorm(
  features: number,
  options?: LayerNormOptions & { readonly affine?: true },
): Layer<'weight' | 'bias', never>;
export function layerNorm(features: number, options: LayerNormOptions): Layer<string, never>;
export function layerNorm(features: number, options: LayerNormOptions = {}): Layer<'weight' | 'bias', never> {
  const { eps = 1e-5, affine: isAffine = true } = options;
  checkSize('nn.layerNorm: features', features);
  if (!(eps >= 0 && eps < Number.POSITIVE_INFINITY))
    throw new HeddleError('usage', `nn.layerNorm: eps ${eps}: expected a finite number of at least 0`);
  const filled = (name: string, value: number): Parameter => ({
    name,
    shape: [features],
    data: new Float32Array(features).fill(value),
  });
  const own = isAffine ? { weight: filled('weight', 1), bias: filled('bias', 0) } : undefined;
  return {
    kind: 'layer_norm',
    description: `LayerNorm((${features},), eps=${eps}, elementwise_affine=${isAffine ? 'True' : 'False'})`,
    spec: { kind: 'layer_norm', features, eps },
    parameters: Object.values(own ?? {}),
    children: [],
    outputShape(input) {
      if (input.length !== 1 || input[0] !== features) {
        throw new HeddleError(
          'shape',
          `nn.layerNorm: rows are [${input.join(', ')}], expected [${features}]. Did a layer get the wrong features?`,
        );
      }
      return input;
    },
    forward(context, input, path) {
      const { recorder, accumulate } = context;
      const x = asFloat(context, input, path);
      const label = `${path}.layer_norm`;
      const affine = own && { weight: context.value(own.weight), bias: context.value(own.bias) };
      const trains = (parameter: Parameter | undefined): parameter is Parameter =>
        parameter !== undefined && context.trains(parameter);
      const { y, ...statistics } = layerNormOp(recorder, { label, x: x.tensor, affine, eps });
      return {
        y: {
          ...x,
          tensor: y,
          needsGradient: needsGradient(context, x, [own?.weight, own?.bias]),
          maskable: false,
        },
        pullback(dy) {
          const sum = (name: string, parameter: Parameter, rows: typeof dy.tensor) =>
            columnSum(recorder, {
              label: `${label}.backward.${name}`,
              x: rows,
              out: context.gradient(parameter),
              accumulate,
            });
          if (trains(own?.bias)) sum('dbias', own.bias, dy.tensor);
          const weightTerms = trains(own?.weight);
          if (!x.needsGradient && !weightTerms) return undefined;
          const { dx, terms } = layerNormBackward(recorder, {
            label: `${label}.backward.dx`,
            x: x.tensor,
            dy: dy.tensor,
            statistics,
            weight: affine?.weight,
            weightTerms,
          });
          if (trains(own?.weight) && terms !== undefined) sum('dweight', own.weight, terms);
          return x.needsGradient ? { tensor: dx, masked: false } : undefined;
        },
      };
    },
  };
}
