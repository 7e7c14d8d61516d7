// What each layer of a network makes of one image, computed on the host in float64 from what the layers say of themselves
// (see LayerSpec): to look into a model while the GPU is busy training it. Knows no GPU.

import { HeddleError, type WeightSource } from '../../index.ts';
import { weightsOf } from '../../io/weights.ts';
import { windowsOver } from '../../nn/images.ts';
import type { Layer } from '../../nn/layer.ts';
import type { LayerSpec } from '../../nn/spec.ts';

/** What one layer made. */
export interface Made {
  /** The layer's place in the model, such as `linear_relu_stack.0`, and its PyTorch-style description. */
  readonly path: string;
  readonly description: string;
  /** Without the batch: [channels, height, width], or [features]. */
  readonly shape: readonly number[];
  readonly values: Float64Array;
}

type Spec<Kind extends LayerSpec['kind']> = Extract<LayerSpec, { readonly kind: Kind }>;
type Array1 = ArrayLike<number>;

const pathOf = (path: string, name: string) => (path === '' ? name : `${path}.${name}`);

/**
 * The outputs of all layers that hold no others, in order; the last is the model's. `row` is as the data set has it: bytes are
 * scaled by 1/255. Throws a HeddleError `shape` for weights that do not fit, `usage` for a layer that is of no network here.
 */
export function activationsOf(
  model: Layer,
  weights: WeightSource,
  row: Uint8Array | Float32Array,
  inputShape: readonly number[],
): Made[] {
  const all = weightsOf(model, weights);
  const scale = row instanceof Uint8Array ? 255 : 1;
  const made: Made[] = [];
  const run = (layer: Layer, x: Float64Array, shape: readonly number[], path: string): Float64Array => {
    if (layer.spec?.kind === 'sequential') {
      let [value, its] = [x, shape];
      for (const [name, child] of layer.children) {
        value = run(child, value, its, pathOf(path, name));
        its = child.outputShape(its);
      }
      return value;
    }
    const own = (name: string) => all.get(pathOf(path, name))?.data;
    const out = layer.outputShape(shape);
    const values = compute(layer, x, { shape, out, own });
    made.push({ path, description: layer.description, shape: out, values });
    return values;
  };
  run(
    model,
    Float64Array.from(row, (value) => value / scale),
    inputShape,
    '',
  );
  return made;
}

interface Place {
  readonly shape: readonly number[];
  readonly out: readonly number[];
  own(name: string): Array1 | undefined;
}

function compute({ spec, description }: Layer, x: Float64Array, place: Place): Float64Array {
  switch (spec?.kind) {
    case 'linear':
      return linear(x, place);
    case 'conv2d':
      return conv2d(spec, x, place);
    case 'max_pool2d':
      return maxPool2d(spec, x, place);
    case 'batch_norm':
      return batchNorm(spec, x, place);
    case 'relu':
      return x.map((value) => Math.max(0, value));
    case 'flatten':
    case 'dropout':
      return x;
    default:
      throw new HeddleError('usage', `${description}: the page cannot look into such a layer`);
  }
}

function linear(x: Float64Array, { own, out }: Place): Float64Array {
  const [weight, bias] = [own('weight') as Array1, own('bias')];
  const y = new Float64Array(out[0] as number);
  for (let o = 0; o < y.length; o++) {
    let sum = bias?.[o] ?? 0;
    for (let i = 0; i < x.length; i++) sum += (x[i] as number) * (weight[o * x.length + i] as number);
    y[o] = sum;
  }
  return y;
}

/** Calls `visit` with each pixel's index under each window of an image, and where that pixel is in the window. */
function eachPixel(
  spec: Spec<'conv2d'> | Spec<'max_pool2d'>,
  [, height = 0, width = 0]: readonly number[],
  visit: (window: number, pixel: number, tap: number) => void,
): void {
  const { kernel, stride, padding, dilation, out } = windowsOver(spec.kind, { height, width }, spec);
  for (let row = 0; row < out[0]; row++)
    for (let column = 0; column < out[1]; column++)
      for (let u = 0; u < kernel[0]; u++)
        for (let v = 0; v < kernel[1]; v++) {
          const i = row * stride[0] - padding[0] + u * dilation[0];
          const j = column * stride[1] - padding[1] + v * dilation[1];
          if (i < 0 || j < 0 || i >= height || j >= width) continue;
          visit(row * out[1] + column, i * width + j, u * kernel[1] + v);
        }
}

function conv2d(spec: Spec<'conv2d'>, x: Float64Array, { shape, out, own }: Place): Float64Array {
  const [weight, bias] = [own('weight') as Array1, own('bias')];
  const [channels = 0, height = 0, width = 0] = shape;
  const [filters = 0, rows = 0, columns = 0] = out;
  const [image, map, taps] = [height * width, rows * columns, spec.kernel[0] * spec.kernel[1]];
  const y = new Float64Array(filters * map);
  for (let f = 0; f < filters; f++) y.fill(bias?.[f] ?? 0, f * map, (f + 1) * map);
  eachPixel(spec, shape, (window, pixel, tap) => {
    for (let c = 0; c < channels; c++) {
      const value = x[c * image + pixel] as number;
      if (value === 0) continue;
      for (let f = 0; f < filters; f++)
        (y[f * map + window] as number) += value * (weight[(f * channels + c) * taps + tap] as number);
    }
  });
  return y;
}

function maxPool2d(spec: Spec<'max_pool2d'>, x: Float64Array, { shape, out }: Place): Float64Array {
  const [channels = 0, height = 0, width = 0] = shape;
  const [image, map] = [height * width, (out[1] as number) * (out[2] as number)];
  const y = new Float64Array(channels * map).fill(Number.NEGATIVE_INFINITY);
  eachPixel(spec, shape, (window, pixel) => {
    for (let c = 0; c < channels; c++) {
      const at = c * map + window;
      y[at] = Math.max(y[at] as number, x[c * image + pixel] as number);
    }
  });
  return y;
}

/** As in an evaluation: by the running statistics. */
function batchNorm({ features, eps }: Spec<'batch_norm'>, x: Float64Array, { own }: Place): Float64Array {
  const [mean, variance] = [own('running_mean') as Array1, own('running_var') as Array1];
  const [weight, bias] = [own('weight'), own('bias')];
  const each = x.length / features;
  return x.map((value, i) => {
    const f = Math.floor(i / each);
    const normal = (value - (mean[f] as number)) / Math.sqrt((variance[f] as number) + eps);
    return normal * (weight?.[f] ?? 1) + (bias?.[f] ?? 0);
  });
}
