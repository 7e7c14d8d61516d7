// What a layer is: a value whose `forward` records work and returns its pullback, the closure that records the way back.
// Saved activations are the closure's variables. No tape, no classes.

import { HeddleError } from '../errors.ts';
import type { Recorder } from '../gpu/plan.ts';
import type { Tensor } from '../gpu/tensor.ts';
import { unpackU8 } from '../ops/unpack_u8.ts';
import type { Keyed } from './keys.ts';
import type { LayerSpec } from './spec.ts';

/** An array that a layer keeps, trained or not: its initial values on the host, drawn when the layer was made. */
export interface Parameter {
  /** PyTorch's name within its layer: `weight`, `bias`. */
  readonly name: string;
  readonly shape: readonly number[];
  /** Initial values, row-major; weights are `[out, in]`. */
  readonly data: Float32Array;
}

/** An activation on its way forward. */
export interface Value {
  readonly tensor: Tensor;
  /** Whether anybody needs the gradient by this value; false for the model's input. */
  readonly needsGradient: boolean;
  /** True for the output of a fused ReLU: who makes the gradient by this value may mask it while storing it. */
  readonly maskable: boolean;
  /** True when a logical [rows, C, H, W] lies as [rows, H, W, C] in memory: tensor.shape is then [rows, H, W, C]. */
  readonly channelsLast: boolean;
}

/** The gradient of the loss by some value, on its way back. */
export interface Gradient {
  readonly tensor: Tensor;
  /** True when the ReLU mask of a `maskable` value has been applied. */
  readonly masked: boolean;
}

/** The output of a layer, and the closure that records how the gradient by it becomes the gradient by the input. */
export interface Forward {
  readonly y: Value;
  /** Also records the gradients of the layer's parameters. Undefined when the input needs no gradient. */
  readonly pullback: (dy: Gradient) => Gradient | undefined;
}

/** Where a layer records, and where its parameters live. */
export interface ForwardContext {
  readonly recorder: Recorder;
  /** True for the fast plan: epilogues do what the plain plan does with kernels of its own. */
  readonly fused: boolean;
  /** Whether parameter gradients are added to what the arena holds. */
  readonly accumulate: boolean;
  /** False when an evaluation is recorded: dropout lets everything pass, batch norm uses its running statistics. */
  readonly training: boolean;
  /** The step record: how many rows of the batch hold data, and the number that random numbers are drawn by. */
  readonly step: Tensor;
  /** A parameter or buffer as it is now. */
  value(parameter: Parameter): Tensor;
  /** Where a parameter's gradient goes; only of one that `trains`. */
  gradient(parameter: Parameter): Tensor;
  /** False for a frozen parameter: its gradient is not to be recorded. */
  trains(parameter: Parameter): boolean;
  /**
   * A stream of random numbers that nobody else has: the trainer's seed, and another u32 at each call; the same ones, in
   * the same order, each time a model is recorded.
   */
  randomStream(): { readonly seed: number; readonly stream: number };
  /**
   * Given in a fused plan whose gradients nobody asked for: a kernel that makes the gradients of some parameters may take
   * the optimizer's step itself, and then says so by `done`.
   */
  readonly update?: Update;
}

/** An SGD step in the epilogue of the kernel that makes a gradient. */
export interface Update {
  /** What is not finite is reported here, in the step's slot. */
  readonly losses: Tensor;
  readonly step: Tensor;
  /** Says of which parameters the step has been recorded. */
  done(...parameters: Parameter[]): void;
}

/** x·weightᵀ + bias: x [rows, in], weight [out, in], bias [out]; `label` is for what is recorded. */
export interface LinearMap {
  readonly label: string;
  readonly x: Tensor;
  readonly weight: Tensor;
  readonly bias: Tensor;
}

/** The logits of a linear map whose loss has been recorded with it. */
export interface LinearLoss {
  readonly logits: Tensor;
  /** Gives the gradient by the logits. */
  readonly pullback: () => Gradient;
}

/** Records the loss behind a model's last layer. What its functions return gives the gradient by the logits. */
export interface LossHead {
  /** Records the loss of logits. */
  of(logits: Value): () => Gradient;
  /** Undefined, with nothing recorded, where no kernel makes such logits and their loss together. */
  ofLinear(linear: LinearMap): LinearLoss | undefined;
}

/** The logits of a model whose loss has been recorded, and the closure that records the way back through all of it. */
export interface LossForward {
  readonly logits: Tensor;
  /** Also records the gradients of the parameters. */
  readonly backward: () => Gradient | undefined;
}

/**
 * A layer: plain data and functions. Shapes leave the batch out. `Parameters` and `Buffers` are the keys of its arrays and of
 * those inside it, where its type says them; `never` where it has none.
 */
export interface Layer<Parameters extends string = string, Buffers extends string = string>
  extends Keyed<Parameters, Buffers> {
  /** `linear`, `relu`, …; part of the labels of what it records. */
  readonly kind: string;
  /** PyTorch-style description, e.g. `Linear(784, 512)`. */
  readonly description: string;
  /** What it computes, as data. Layers that have none train all the same; they cannot be written as ONNX. */
  readonly spec?: LayerSpec;
  readonly parameters: readonly Parameter[];
  /** What is kept beside the parameters and not trained, such as running statistics: part of the saved state. */
  readonly buffers?: readonly Parameter[];
  /** The layers inside, by PyTorch's name; parameter keys follow from it. */
  readonly children: readonly (readonly [string, Layer])[];
  /** Shape of a row of the output for a row of the input. Throws a HeddleError `shape` when the input does not fit. */
  outputShape(input: readonly number[]): readonly number[];
  /** Records the way forward; labels start with `path`. */
  forward(context: ForwardContext, x: Value, path: string): Forward;
  /** One layer that does this and then `next` in fewer kernels, where there is one. */
  fuse?(next: Layer): Layer | undefined;
  /** Records the way forward and the loss behind it, for layers that can take part in a kernel of the loss. */
  forwardLoss?(context: ForwardContext, x: Value, path: string, head: LossHead): LossForward;
}

/** Records a layer and the loss behind it, together where they can be. */
export function forwardLoss(
  layer: Layer,
  context: ForwardContext,
  x: Value,
  path: string,
  head: LossHead,
): LossForward {
  return layer.forwardLoss?.(context, x, path, head) ?? lossBehind(layer.forward(context, x, path), head);
}

/** Records a loss behind what a layer has recorded. */
export function lossBehind({ y, pullback }: Forward, head: LossHead): LossForward {
  const gradient = head.of(y);
  return { logits: y.tensor, backward: () => pullback(gradient()) };
}

/** Whether anybody has use for the gradient by what a layer makes of x: x itself, or one of the layer's parameters. */
export function needsGradient(
  context: ForwardContext,
  x: Value,
  parameters: readonly (Parameter | undefined)[],
): boolean {
  return x.needsGradient || parameters.some((one) => one !== undefined && context.trains(one));
}

/** The value as f32, unpacking u8 pixels when needed. */
export function asFloat(context: ForwardContext, x: Value, path: string): Value {
  if (x.tensor.dtype !== 'u8') return x;
  return { ...x, tensor: unpackU8(context.recorder, { label: `${path}.unpack`, x: x.tensor }) };
}

/** The same elements under another shape. */
export function reshape(tensor: Tensor, shape: readonly number[]): Tensor {
  return { ...tensor, shape };
}

/** Rows of a value and the size of one. */
export function rowsOf(tensor: Tensor): [number, number] {
  const [rows = 1, ...rest] = tensor.shape;
  return [rows, rest.reduce((a, b) => a * b, 1)];
}

/** Checks a size given by the user. Throws a HeddleError `usage`. */
export function checkSize(what: string, size: number): void {
  if (!Number.isInteger(size) || size < 1) {
    throw new HeddleError('usage', `${what}: found ${size}, expected a positive integer`);
  }
}
