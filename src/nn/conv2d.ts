// Convolution of images, https://pytorch.org/docs/stable/generated/torch.nn.Conv2d.html: a product of the images' windows
// and the weight. What it makes lies channels-last, as the product leaves it.

import { HeddleError } from '../errors.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { biasAdd } from '../ops/bias_add.ts';
import { col2im } from '../ops/col2im.ts';
import { im2col } from '../ops/im2col.ts';
import { matmul } from '../ops/matmul.ts';
import { reluBackward } from '../ops/relu_backward.ts';
import { type Images, imageShape, type Windows } from '../ops/windows.ts';
import { defaultGenerator } from '../random/generator.ts';
import { conv2dInit } from '../random/init.ts';
import { checkImages, imagesOf, pairOf, type Size, type WindowSizes, windowsOver } from './images.ts';
import { initialise, type PerhapsBias, refuseBiasInit, type WithBias, type WithoutBias } from './init.ts';
import {
  asFloat,
  checkSize,
  type Forward,
  type ForwardContext,
  type Gradient,
  type Layer,
  needsGradient,
  type Parameter,
  reshape,
  type Value,
} from './layer.ts';
import { weightGradient } from './weight_gradient.ts';

/** Zeros around the images, and how far apart the windows begin. */
interface Padded {
  /** Zeros on every side. Default 0. */
  readonly padding?: Size;
  /** Default 1. */
  readonly stride?: Size;
}

/** As many zeros as keep the images' size. */
interface SameSize {
  readonly padding: 'same';
  /** 1, if anything: other strides change the size. */
  readonly stride?: 1 | readonly [1, 1];
}

/** How the windows of a convolution lie. */
type WindowOptions = (Padded | SameSize) & {
  /** Distance between the elements of a window. Default 1. */
  readonly dilation?: Size;
};

/** Options of `conv2d`, as PyTorch's. */
export type Conv2dOptions = WindowOptions & (WithBias | PerhapsBias);

/** A convolution's parameters, and how its windows move. */
interface Convolution {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  readonly sizes: WindowSizes;
}

/**
 * A convolution: images of `inChannels` × height × width become images of `outChannels`. Draws its initial values from the
 * default generator, weight then bias, byte for byte as `torch.nn.Conv2d` does.
 * Parameters: `weight` [outChannels, inChannels, kernelHeight, kernelWidth], `bias` [outChannels].
 * Throws a HeddleError `usage` for sizes that are no positive integers, and for padding `same` with a stride.
 */
export function conv2d(
  inChannels: number,
  outChannels: number,
  kernelSize: Size,
  options: WindowOptions & WithoutBias,
): Layer<'weight', never>;
export function conv2d(
  inChannels: number,
  outChannels: number,
  kernelSize: Size,
  options?: WindowOptions & WithBias,
): Layer<'weight' | 'bias', never>;
export function conv2d(
  inChannels: number,
  outChannels: number,
  kernelSize: Size,
  options: Conv2dOptions,
): Layer<string, never>;
export function conv2d(
  inChannels: number,
  outChannels: number,
  kernelSize: Size,
  options: Conv2dOptions = {},
): Layer<'weight' | 'bias', never> {
  checkSize('nn.conv2d: inChannels', inChannels);
  checkSize('nn.conv2d: outChannels', outChannels);
  const { stride = 1, padding = 0, dilation = 1, bias = true } = options;
  const sizes: WindowSizes = {
    kernel: pairOf('nn.conv2d: kernelSize', kernelSize, 1),
    stride: pairOf('nn.conv2d: stride', stride, 1),
    padding: padding === 'same' ? padding : pairOf('nn.conv2d: padding', padding, 0),
    dilation: pairOf('nn.conv2d: dilation', dilation, 1),
  };
  if (padding === 'same' && sizes.stride.some((step) => step !== 1)) {
    throw new HeddleError(
      'usage',
      `nn.conv2d: padding 'same' with a stride of [${sizes.stride.join(', ')}], expected a stride of 1`,
    );
  }
  const { init = {} } = options;
  refuseBiasInit('nn.conv2d', bias, init);
  const own = conv2dInit(defaultGenerator, inChannels, outChannels, sizes.kernel, bias);
  const weight = { name: 'weight', shape: [outChannels, inChannels, ...sizes.kernel], data: own.weight };
  const biasOf = own.bias && { name: 'bias', shape: [outChannels], data: own.bias };
  const layer = layerOf({ weight, bias: biasOf, sizes }, false);
  initialise(layer.parameters, init, defaultGenerator);
  return layer;
}

function describe({ weight, bias, sizes: { kernel, stride, padding, dilation } }: Convolution): string {
  const [outChannels, inChannels] = weight.shape;
  const pair = ([y, x]: readonly [number, number]) => `(${y}, ${x})`;
  const parts = [`${inChannels}, ${outChannels}, kernel_size=${pair(kernel)}, stride=${pair(stride)}`];
  if (padding === 'same') parts.push('padding=same');
  else if (padding.some((n) => n !== 0)) parts.push(`padding=${pair(padding)}`);
  if (dilation.some((n) => n !== 1)) parts.push(`dilation=${pair(dilation)}`);
  if (bias === undefined) parts.push('bias=False');
  return `Conv2d(${parts.join(', ')})`;
}

function layerOf(convolution: Convolution, relu: boolean): Layer<'weight' | 'bias', never> {
  const { weight, bias, sizes } = convolution;
  const [outChannels, inChannels] = weight.shape as [number, number];
  return {
    kind: 'conv2d',
    description: describe(convolution),
    parameters: bias === undefined ? [weight] : [weight, bias],
    children: [],
    outputShape(input) {
      const images = checkImages('nn.conv2d', input, inChannels);
      return [outChannels, ...windowsOver('nn.conv2d', images, sizes).out];
    },
    forward: (context, x, path) => forward(context, x, `${path}.conv2d`, convolution, relu),
    ...(relu
      ? {}
      : {
          spec: { kind: 'conv2d', ...sizes },
          fuse: (next: Layer) => (next.kind === 'relu' ? layerOf(convolution, true) : undefined),
        }),
  };
}

/** Whether the pixels as they lie are the windows: none is larger than one, and all are taken. */
function isPixelwise({ channels, channelsLast }: Images, { kernel, stride, padding }: Windows): boolean {
  const unit = (pair: readonly [number, number], value: number) => pair.every((n) => n === value);
  return unit(kernel, 1) && unit(stride, 1) && unit(padding, 0) && (channelsLast || channels === 1);
}

/** The weight as [out, in·kernelHeight·kernelWidth]. */
const matrixOf = (weight: Tensor, columns: Tensor): Tensor =>
  reshape(weight, [weight.shape[0] as number, columns.shape[1] as number]);

function forward(
  context: ForwardContext,
  input: Value,
  path: string,
  convolution: Convolution,
  relu: boolean,
): Forward {
  const { recorder, fused } = context;
  const { weight, bias, sizes } = convolution;
  const images = imagesOf(input);
  const windows = windowsOver(path, images, sizes);
  const pixelwise = isPixelwise(images, windows);
  // Only im2col reads bytes wherever they begin.
  const x = fused && !pixelwise ? input : asFloat(context, input, path);
  const columns = pixelwise
    ? reshape(x.tensor, [images.count * images.height * images.width, images.channels])
    : im2col(recorder, { label: `${path}.im2col`, x: x.tensor, images, windows });
  const w = matrixOf(context.value(weight), columns);
  const epilogue = fused ? { ...(bias === undefined ? {} : { bias: context.value(bias) }), relu } : {};
  const product = matmul(recorder, {
    label: `${path}.matmul`,
    a: columns,
    b: w,
    bTransposed: true,
    ...epilogue,
  });
  const rows =
    fused || bias === undefined
      ? product
      : biasAdd(recorder, { label: `${path}.bias_add`, x: product, bias: context.value(bias) });
  const [height, width] = windows.out;
  const outChannels = weight.shape[0] as number;
  const y = reshape(rows, [images.count, height, width, outChannels]);
  return {
    y: {
      tensor: y,
      needsGradient: needsGradient(context, x, [weight, bias]),
      maskable: relu,
      channelsLast: true,
    },
    pullback(dy) {
      const masked =
        relu && !dy.masked
          ? reluBackward(recorder, { label: `${path}.backward.relu`, dy: dy.tensor, y })
          : dy.tensor;
      const dz = reshape(masked, rows.shape);
      const dx = x.needsGradient ? inputGradient(context, path, dz, w, x, windows, pixelwise) : undefined;
      weightGradient(context, { path, dy: dz, x: columns, weight, bias });
      return dx;
    },
  };
}

/** dX = dY·W, brought from the windows back to the images; masked where the input is a fused ReLU's output. */
function inputGradient(
  { recorder }: ForwardContext,
  path: string,
  dz: Tensor,
  w: Tensor,
  x: Value,
  windows: Windows,
  pixelwise: boolean,
): Gradient {
  const images = imagesOf(x);
  const mask = x.maskable ? { mask: x.tensor } : {};
  if (pixelwise) {
    const dx = matmul(recorder, { label: `${path}.backward.dx`, a: dz, b: w, ...mask });
    return { tensor: reshape(dx, imageShape(images)), masked: x.maskable };
  }
  const dcolumns = matmul(recorder, { label: `${path}.backward.dcolumns`, a: dz, b: w });
  const dx = col2im(recorder, { label: `${path}.backward.col2im`, dcolumns, images, windows, ...mask });
  return { tensor: dx, masked: x.maskable };
}
