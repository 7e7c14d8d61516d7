// Batch norm, https://arxiv.org/abs/1502.03167: each channel shifted and scaled by the mean and variance of the batch, or in
// an evaluation by what was kept of those of the training. Of images the channels come last, so that all are rows × channels.

import { HeddleError } from '../errors.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { batchNorm } from '../ops/batch_norm.ts';
import { batchNormBackward } from '../ops/batch_norm_backward.ts';
import { batchNormBackwardSums } from '../ops/batch_norm_backward_sums.ts';
import { batchNormStatistics } from '../ops/batch_norm_statistics.ts';
import { columnSum } from '../ops/column_sum.ts';
import { checkImages, imagesOf, relaid } from './images.ts';
import {
  asFloat,
  checkSize,
  type Forward,
  type ForwardContext,
  type Layer,
  needsGradient,
  type Parameter,
  reshape,
  type Value,
} from './layer.ts';

/** Options of `batchNorm1d` and `batchNorm2d`, as PyTorch's. */
export interface BatchNormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** How far each batch moves the running statistics towards its own, from 0 to 1. Default 0.1. */
  readonly momentum?: number;
  /** Whether to scale by `weight` and shift by `bias` afterwards. Default true. */
  readonly affine?: boolean;
}

/** The keys of what a batch norm keeps of the batches it has seen. */
type Running = 'running_mean' | 'running_var' | 'num_batches_tracked';

/** A batch norm's arrays and numbers. */
interface Norm {
  readonly affine: { readonly weight: Parameter; readonly bias: Parameter } | undefined;
  readonly running: { readonly mean: Parameter; readonly variance: Parameter; readonly batches: Parameter };
  readonly eps: number;
  readonly momentum: number;
}

/**
 * Normalizes each of the `features` columns of a batch of rows. Parameters: `weight` and `bias` [features], from 1 and 0 on;
 * no random numbers are drawn. Buffers: `running_mean`, `running_var` [features], `num_batches_tracked` [], which counts to 2²⁴.
 * A batch of a single row has no variance (PyTorch refuses it): it becomes `bias`, and counts as a variance of 0.
 * Throws a HeddleError `usage` for features that are no positive integer, eps that is negative, or momentum outside 0 … 1.
 */
export function batchNorm1d(
  features: number,
  options: BatchNormOptions & { readonly affine: false },
): Layer<never, Running>;
export function batchNorm1d(
  features: number,
  options?: BatchNormOptions & { readonly affine?: true },
): Layer<'weight' | 'bias', Running>;
export function batchNorm1d(features: number, options: BatchNormOptions): Layer<string, Running>;
export function batchNorm1d(
  features: number,
  options: BatchNormOptions = {},
): Layer<'weight' | 'bias', Running> {
  return layerOf('nn.batchNorm1d', 'BatchNorm1d', features, options, {
    outputShape(input) {
      if (input.length !== 1 || input[0] !== features) {
        const hint =
          input.length === 3
            ? 'Images take nn.batchNorm2d.'
            : 'Did a layer get the wrong number of features?';
        throw new HeddleError(
          'shape',
          `nn.batchNorm1d: rows are [${input.join(', ')}], expected [${features}]. ${hint}`,
        );
      }
      return input;
    },
    forward(context, input, path, norm) {
      const x = asFloat(context, input, path);
      const { y, pullback } = forwardRows(context, x, x.tensor, 1, path, norm);
      return { y: { ...x, ...y }, pullback: (dy) => withTensor(pullback(dy.tensor)) };
    },
  });
}

/**
 * Normalizes each of the `features` channels of a batch of images, over all pixels; otherwise as `batchNorm1d`. Throws as it
 * does. What it makes lies channels-last.
 */
export function batchNorm2d(
  features: number,
  options: BatchNormOptions & { readonly affine: false },
): Layer<never, Running>;
export function batchNorm2d(
  features: number,
  options?: BatchNormOptions & { readonly affine?: true },
): Layer<'weight' | 'bias', Running>;
export function batchNorm2d(features: number, options: BatchNormOptions): Layer<string, Running>;
export function batchNorm2d(
  features: number,
  options: BatchNormOptions = {},
): Layer<'weight' | 'bias', Running> {
  return layerOf('nn.batchNorm2d', 'BatchNorm2d', features, options, {
    outputShape(input) {
      checkImages('nn.batchNorm2d', input, features);
      return input;
    },
    forward(context, input, path, norm) {
      const x = asFloat(context, input, path);
      const images = imagesOf(x);
      const { count, channels, height, width, channelsLast } = images;
      const pixels = height * width;
      const laid = channelsLast ? x.tensor : relaid(context, `${path}.layout`, x.tensor, images);
      const rows = reshape(laid, [count * pixels, channels]);
      const { y, pullback } = forwardRows(context, x, rows, pixels, path, norm);
      return {
        y: { ...x, ...y, tensor: reshape(y.tensor, laid.shape), channelsLast: true },
        pullback(dy) {
          const dx = pullback(reshape(dy.tensor, rows.shape));
          if (dx === undefined) return undefined;
          const shaped = reshape(dx, laid.shape);
          if (channelsLast) return withTensor(shaped);
          const label = `${path}.backward.layout`;
          return withTensor(relaid(context, label, shaped, { ...images, channelsLast: true }));
        },
      };
    },
  });
}

/** A gradient that no mask has been applied to: the kernel has no binding left for one. */
const withTensor = (tensor: Tensor | undefined) =>
  tensor === undefined ? undefined : { tensor, masked: false };

function layerOf(
  what: string,
  name: string,
  features: number,
  { eps = 1e-5, momentum = 0.1, affine = true }: BatchNormOptions,
  of: {
    outputShape: Layer['outputShape'];
    forward(context: ForwardContext, x: Value, path: string, norm: Norm): Forward;
  },
): Layer<'weight' | 'bias', Running> {
  checkSize(`${what}: features`, features);
  if (!Number.isFinite(eps) || eps < 0)
    throw new HeddleError('usage', `${what}: eps: found ${eps}, expected a finite number of at least 0`);
  if (!(momentum >= 0 && momentum <= 1))
    throw new HeddleError('usage', `${what}: momentum: found ${momentum}, expected a number from 0 to 1`);
  const array = (key: string, value: number, shape: readonly number[] = [features]): Parameter => ({
    name: key,
    shape,
    data: new Float32Array(shape.length === 0 ? 1 : features).fill(value),
  });
  const norm: Norm = {
    affine: affine ? { weight: array('weight', 1), bias: array('bias', 0) } : undefined,
    running: {
      mean: array('running_mean', 0),
      variance: array('running_var', 1),
      batches: array('num_batches_tracked', 0, []),
    },
    eps,
    momentum,
  };
  const { mean, variance, batches } = norm.running;
  const parts = [features, `eps=${eps}`, `momentum=${momentum}`, `affine=${affine ? 'True' : 'False'}`];
  const kind = name === 'BatchNorm1d' ? 'batch_norm1d' : 'batch_norm2d';
  return {
    kind,
    description: `${name}(${parts.join(', ')})`,
    parameters: norm.affine === undefined ? [] : [norm.affine.weight, norm.affine.bias],
    spec: { kind: 'batch_norm', features, eps },
    buffers: [mean, variance, batches],
    children: [],
    outputShape: of.outputShape,
    forward: (context, x, path) => of.forward(context, x, `${path}.${kind}`, norm),
  };
}

interface RowsForward {
  readonly y: Pick<Value, 'tensor' | 'needsGradient' | 'maskable'>;
  readonly pullback: (dy: Tensor) => Tensor | undefined;
}

/** The way forward and back of rows [rows, channels], `sample` of them to each of the batch's. */
function forwardRows(
  context: ForwardContext,
  input: Value,
  x: Tensor,
  sample: number,
  path: string,
  norm: Norm,
): RowsForward {
  const { recorder, step } = context;
  const { eps, momentum } = norm;
  const affine = norm.affine && {
    weight: context.value(norm.affine.weight),
    bias: context.value(norm.affine.bias),
  };
  const running = {
    mean: context.value(norm.running.mean),
    variance: context.value(norm.running.variance),
    batches: context.value(norm.running.batches),
  };
  const rows = { x, sample, step };
  if (!context.training) {
    const spread = { variance: running.variance, eps };
    const y = batchNorm(recorder, { label: path, ...rows, mean: running.mean, spread, affine });
    // Nobody goes back through an evaluation.
    return { y: { tensor: y, needsGradient: false, maskable: false }, pullback: () => undefined };
  }
  const statistics = { label: `${path}.statistics`, ...rows, running, eps, momentum };
  const { mean, inverse } = batchNormStatistics(recorder, statistics);
  const y = batchNorm(recorder, { label: path, ...rows, mean, spread: { inverse }, affine });
  const parameters = norm.affine === undefined ? [] : [norm.affine.weight, norm.affine.bias];
  const needed = needsGradient(context, input, parameters);
  return {
    y: { tensor: y, needsGradient: needed, maskable: false },
    pullback(dy) {
      if (!needed) return undefined;
      const label = `${path}.backward`;
      const of = { ...rows, dy, mean, inverse };
      const parts = batchNormBackwardSums(recorder, { label: `${label}.sums`, ...of });
      const wanted = input.needsGradient;
      const dySum = sumOf(context, `${label}.dbias`, parts.dySum, norm.affine?.bias, wanted);
      const dyxSum = sumOf(context, `${label}.dweight`, parts.dyxSum, norm.affine?.weight, wanted);
      if (dySum === undefined || dyxSum === undefined) return undefined;
      const sums = { dySum, dyxSum };
      return batchNormBackward(recorder, { label: `${label}.dx`, ...of, weight: affine?.weight, ...sums });
    },
  };
}

/**
 * The sum of parts, which is a parameter's gradient where that is trained. Given back when `wanted` for itself: where the
 * arena has other batches' in it, it is made once more.
 */
function sumOf(
  { recorder, accumulate, trains, gradient }: ForwardContext,
  label: string,
  parts: Tensor,
  parameter: Parameter | undefined,
  wanted: boolean,
): Tensor | undefined {
  if (parameter !== undefined && trains(parameter)) {
    const out = columnSum(recorder, { label, x: parts, out: gradient(parameter), accumulate });
    if (!wanted || !accumulate) return wanted ? out : undefined;
  }
  return wanted ? columnSum(recorder, { label: `${label}.sum`, x: parts }) : undefined;
}
