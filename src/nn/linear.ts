// y = x·Wᵀ + b, https://pytorch.org/docs/stable/generated/torch.nn.Linear.html

import { HeddleError } from '../errors.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { biasAdd } from '../ops/bias_add.ts';
import { canFuseLinearBackward, linearBackward, prefersLinearBackward } from '../ops/linear_backward.ts';
import { matmul } from '../ops/matmul.ts';
import { reluBackward } from '../ops/relu_backward.ts';
import { defaultGenerator } from '../random/generator.ts';
import { linearInit } from '../random/init.ts';
import { initialise, type PerhapsBias, refuseBiasInit, type WithBias, type WithoutBias } from './init.ts';
import {
  asFloat,
  checkSize,
  type Forward,
  type ForwardContext,
  type Gradient,
  type Layer,
  type LossForward,
  type LossHead,
  lossBehind,
  needsGradient,
  type Parameter,
  rowsOf,
  type Value,
} from './layer.ts';
import { weightGradient } from './weight_gradient.ts';

/** What a linear layer may be told. */
export type LinearOptions = WithBias | PerhapsBias;

/**
 * A fully connected layer: rows of `inFeatures` become rows of `outFeatures`. Draws its initial values from the default
 * generator, weight then bias, byte for byte as `torch.nn.Linear` does; then those of `init`.
 * Parameters: `weight` [outFeatures, inFeatures], `bias` [outFeatures] unless `bias: false`.
 * Throws a HeddleError `usage` for sizes that are no positive integers, and where there is no bias to initialise.
 */
export function linear(inFeatures: number, outFeatures: number, options: WithoutBias): Layer<'weight', never>;
export function linear(
  inFeatures: number,
  outFeatures: number,
  options?: WithBias,
): Layer<'weight' | 'bias', never>;
export function linear(inFeatures: number, outFeatures: number, options: LinearOptions): Layer<string, never>;
export function linear(
  inFeatures: number,
  outFeatures: number,
  options: LinearOptions = {},
): Layer<'weight' | 'bias', never> {
  const { bias: hasBias = true, init = {} } = options;
  checkSize('nn.linear: inFeatures', inFeatures);
  checkSize('nn.linear: outFeatures', outFeatures);
  refuseBiasInit('nn.linear', hasBias, init);
  const own = linearInit(defaultGenerator, inFeatures, outFeatures, { bias: hasBias });
  const weight: Parameter = { name: 'weight', shape: [outFeatures, inFeatures], data: own.weight };
  const bias: Parameter | undefined = hasBias
    ? { name: 'bias', shape: [outFeatures], data: own.bias }
    : undefined;
  const layer = layerOf(weight, bias, false);
  initialise(layer.parameters, init, defaultGenerator);
  return layer;
}

function layerOf(
  weight: Parameter,
  bias: Parameter | undefined,
  relu: boolean,
): Layer<'weight' | 'bias', never> {
  const [outFeatures, inFeatures] = weight.shape as [number, number];
  return {
    kind: 'linear',
    description: `Linear(${inFeatures}, ${outFeatures}${bias === undefined ? ', bias=False' : ''})`,
    parameters: bias === undefined ? [weight] : [weight, bias],
    children: [],
    outputShape(input) {
      if (input.length !== 1 || input[0] !== inFeatures) {
        const hint =
          input.length > 1 ? 'Put nn.flatten() before it?' : 'Did a layer get the wrong inFeatures?';
        throw new HeddleError(
          'shape',
          `nn.linear: rows are [${input.join(', ')}], expected [${inFeatures}]. ${hint}`,
        );
      }
      return [outFeatures];
    },
    forward: (context, x, path) =>
      (context.fused ? fused : plain)(context, x, `${path}.linear`, weight, bias, relu),
    ...(relu
      ? {}
      : {
          spec: { kind: 'linear' },
          fuse: (next: Layer) => (next.kind === 'relu' ? layerOf(weight, bias, true) : undefined),
          // The kernel that makes logits and their loss together adds a bias.
          ...(bias === undefined
            ? {}
            : {
                forwardLoss: (context, x, path, head) =>
                  withLoss(context, x, `${path}.linear`, weight, bias, head),
              }),
        }),
  };
}

/** In one kernel with the loss where there is one. */
function withLoss(
  context: ForwardContext,
  x: Value,
  path: string,
  weight: Parameter,
  bias: Parameter,
  head: LossHead,
): LossForward {
  const map = { label: path, x: x.tensor, weight: context.value(weight), bias: context.value(bias) };
  const both = context.fused ? head.ofLinear(map) : undefined;
  if (both === undefined) {
    const forward = context.fused ? fused : plain;
    return lossBehind(forward(context, x, path, weight, bias, false), head);
  }
  const { logits, pullback } = both;
  return { logits, backward: () => backward(context, x, pullback(), path, weight, bias) };
}

function plain(
  context: ForwardContext,
  input: Value,
  path: string,
  weight: Parameter,
  bias: Parameter | undefined,
): Forward {
  const { recorder } = context;
  const x = asFloat(context, input, path);
  const w = context.value(weight);
  const product = matmul(recorder, { label: `${path}.matmul`, a: x.tensor, b: w, bTransposed: true });
  const y =
    bias === undefined
      ? product
      : biasAdd(recorder, { label: `${path}.bias_add`, x: product, bias: context.value(bias) });
  return {
    y: { ...x, tensor: y, needsGradient: needsGradient(context, x, [weight, bias]), maskable: false },
    pullback: (dy) => backward(context, x, dy, path, weight, bias),
  };
}

/** One kernel forward; u8 input is read as it is. */
function fused(
  context: ForwardContext,
  input: Value,
  path: string,
  weight: Parameter,
  bias: Parameter | undefined,
  relu: boolean,
): Forward {
  const { recorder } = context;
  // Rows of bytes must start on whole words.
  const x = rowsOf(input.tensor)[1] % 4 === 0 ? input : asFloat(context, input, path);
  const y = matmul(recorder, {
    label: `${path}.matmul`,
    a: x.tensor,
    b: context.value(weight),
    bTransposed: true,
    ...(bias === undefined ? {} : { bias: context.value(bias) }),
    relu,
  });
  const passesOn = needsGradient(context, x, [weight, bias]);
  return {
    y: { ...x, tensor: y, needsGradient: passesOn, maskable: relu },
    pullback(dy) {
      if (!relu || dy.masked) return backward(context, x, dy, path, weight, bias);
      const dz = reluBackward(recorder, { label: `${path}.backward.relu`, dy: dy.tensor, y });
      return backward(context, x, { tensor: dz, masked: true }, path, weight, bias);
    },
  };
}

/** dX = dY·W (masked where the input is a fused ReLU's output), and the gradients of the parameters. */
function backward(
  context: ForwardContext,
  x: Value,
  dy: Gradient,
  path: string,
  weight: Parameter,
  bias: Parameter | undefined,
): Gradient | undefined {
  if (mayMakeAllGradients(context, x, weight)) return allGradients(context, x, dy, path, weight, bias);
  const dx = x.needsGradient ? inputGradient(context, x, dy, path, context.value(weight)) : undefined;
  weightGradient(context, { path, dy: dy.tensor, x: x.tensor, weight, bias });
  return dx;
}

/** Whether one kernel makes the gradients by input and weight, and all of them are wanted. */
function mayMakeAllGradients(context: ForwardContext, x: Value, weight: Parameter): boolean {
  const { fused, recorder } = context;
  return (
    fused &&
    x.needsGradient &&
    context.trains(weight) &&
    canFuseLinearBackward(recorder.device, x.tensor, context.value(weight)) &&
    prefersLinearBackward(recorder.device, x.tensor)
  );
}

function allGradients(
  context: ForwardContext,
  x: Value,
  dy: Gradient,
  path: string,
  weight: Parameter,
  bias: Parameter | undefined,
): Gradient {
  const { recorder, accumulate, update } = context;
  const trained = bias !== undefined && context.trains(bias) ? [bias] : [];
  const into = (parameter: Parameter) =>
    update === undefined ? context.gradient(parameter) : context.value(parameter);
  const label = `${path}.backward${update === undefined ? '' : '.update'}`;
  const tensor = linearBackward(recorder, {
    label,
    x: x.tensor,
    dy: dy.tensor,
    weight: context.value(weight),
    mask: x.maskable,
    dWeight: into(weight),
    dBias: trained.map(into)[0],
    accumulate: update === undefined && accumulate,
    sgd: update,
  });
  update?.done(weight, ...trained);
  return { tensor, masked: x.maskable };
}

function inputGradient(
  context: ForwardContext,
  x: Value,
  dy: Gradient,
  path: string,
  weight: Tensor,
): Gradient {
  const tensor = matmul(context.recorder, {
    label: `${path}.backward.dx`,
    a: dy.tensor,
    b: weight,
    ...(x.maskable ? { mask: x.tensor } : {}),
  });
  return { tensor, masked: x.maskable };
}
