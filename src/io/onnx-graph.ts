// A model as the nodes of an ONNX graph, https://onnx.ai/onnx/operators/, of operator set 17: the first with LayerNormalization,
// which all runtimes of the last years know. Knows nothing of how a file holds it.

import { HeddleError } from '../errors.ts';
import type { WindowSizes } from '../nn/images.ts';
import type { Layer } from '../nn/layer.ts';
import type { NamedTensor } from './safetensors.ts';

/** The version of the default operator set that the nodes are of. */
export const opset = 17;

/** A node's attribute. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] };

/** An operator applied to values by name; it has one output, whose name is the node's as well. */
export interface OnnxNode {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Nodes in an order that they can be computed in, and the constants that they take. */
export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly constants: ReadonlyMap<string, NamedTensor>;
}

/** A graph on its way. */
interface Builder {
  /** Adds a node, named after `path`; returns its output. */
  node(op: string, path: string, inputs: readonly string[], attributes?: OnnxNode['attributes']): string;
  /** The name of a constant. */
  constant(name: string, value: NamedTensor): string;
  /** The name of a number for operators that take two values. */
  scalar(value: number): string;
  /** The name of a parameter or buffer of the layer at `path`; undefined where it has none. */
  weight(path: string, name: string): string | undefined;
}

const pathOf = (path: string, name: string) => (path === '' ? name : `${path}.${name}`);

/**
 * The nodes that make `output` of `input` as the model does in an evaluation. `weights` are as `weightsOf` gives them. Throws
 * a HeddleError `usage` for a layer that does not say what it computes.
 */
export function onnxGraph(
  model: Layer,
  weights: ReadonlyMap<string, NamedTensor>,
  {
    prefix = '',
    input,
    output,
  }: { readonly prefix?: string; readonly input: string; readonly output: string },
): OnnxGraph {
  const nodes: OnnxNode[] = [];
  const constants = new Map<string, NamedTensor>();
  const taken = new Set([input, output, ...weights.keys()]);
  const builder: Builder = {
    node(op, path, inputs, attributes = {}) {
      const plain = `${path}/${op}`;
      let name = plain;
      for (let n = 2; taken.has(name); n++) name = `${plain}_${n}`;
      taken.add(name);
      nodes.push({ op, inputs, output: name, attributes });
      return name;
    },
    constant(name, value) {
      taken.add(name);
      constants.set(name, value);
      return name;
    },
    scalar: (value) => builder.constant(`/${value}`, { shape: [], data: Float32Array.of(value) }),
    weight(path, name) {
      const key = `${prefix}${pathOf(path, name)}`;
      const value = weights.get(key);
      return value === undefined ? undefined : builder.constant(key, value);
    },
  };
  const last = layerNodes(builder, model, input, '');
  // A graph's output is not its input, and has its name from nobody else.
  if (last === input)
    return { nodes: [{ op: 'Identity', inputs: [input], output, attributes: {} }], constants };
  const renamed = (name: string) => (name === last ? output : name);
  const ends = nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(renamed),
    output: renamed(node.output),
  }));
  return { nodes: ends, constants };
}

/** Adds the nodes of a layer; returns the name of what it makes of `x`. */
function layerNodes(graph: Builder, layer: Layer, x: string, path: string): string {
  const { spec, children } = layer;
  const node = (op: string, inputs: readonly string[], attributes?: OnnxNode['attributes']) =>
    graph.node(op, path, inputs, attributes);
  const inner = () =>
    children.reduce((value, [name, child]) => layerNodes(graph, child, value, pathOf(path, name)), x);
  const own = (name: string) => graph.weight(path, name);
  const affine = () => ['weight', 'bias'].map(own).filter((name) => name !== undefined);
  const filled = (name: string, length: number, value: number) =>
    graph.constant(`${path}/${name}`, { shape: [length], data: new Float32Array(length).fill(value) });
  if (spec === undefined)
    throw new HeddleError(
      'usage',
      `ONNX: layer ${path || layer.kind}, ${layer.description}, has no spec: expected it to say what it computes`,
    );
  switch (spec.kind) {
    case 'sequential':
      return inner();
    case 'residual':
      return node('Add', [x, inner()]);
    case 'dropout':
      return x;
    case 'linear':
      return node('Gemm', [x, ...affine()], { transB: { int: 1 } });
    case 'conv2d':
      return node('Conv', [x, ...affine()], { ...windows(spec), dilations: { ints: spec.dilation } });
    case 'max_pool2d':
      return node('MaxPool', [x], windows(spec));
    case 'avg_pool2d':
      return node('AveragePool', [x], { ...windows(spec), count_include_pad: { int: 1 } });
    case 'batch_norm': {
      const { features, eps } = spec;
      const scale = own('weight') ?? filled('ones', features, 1);
      const shift = own('bias') ?? filled('zeros', features, 0);
      const statistics = ['running_mean', 'running_var'].map(own).filter((name) => name !== undefined);
      return node('BatchNormalization', [x, scale, shift, ...statistics], { epsilon: { float: eps } });
    }
    case 'layer_norm': {
      const [scale = filled('ones', spec.features, 1), ...shift] = affine();
      const attributes = { axis: { int: -1 }, epsilon: { float: spec.eps } };
      return node('LayerNormalization', [x, scale, ...shift], attributes);
    }
    case 'flatten':
      return node('Flatten', [x], { axis: { int: 1 } });
    case 'relu':
      return node('Relu', [x]);
    case 'leaky_relu':
      return node('LeakyRelu', [x], { alpha: { float: spec.negativeSlope } });
    case 'sigmoid':
      return node('Sigmoid', [x]);
    case 'tanh':
      return node('Tanh', [x]);
    case 'silu':
      return node('Mul', [x, node('Sigmoid', [x])]);
    case 'gelu': {
      // x · (1 + erf(x / √2)) / 2, or with tanh(√(2/π) · (x + 0.044715 · x³)) for erf: Gelu is an operator from set 20 on.
      const inside =
        spec.approximate === 'none'
          ? node('Erf', [node('Mul', [x, graph.scalar(Math.SQRT1_2)])])
          : node('Tanh', [tanhArgument(graph, x, path)]);
      const twice = node('Mul', [x, node('Add', [inside, graph.scalar(1)])]);
      return node('Mul', [twice, graph.scalar(0.5)]);
    }
    case 'softmax':
      return node('Softmax', [x], { axis: { int: 1 } });
    case 'log_softmax':
      return node('LogSoftmax', [x], { axis: { int: 1 } });
  }
}

function tanhArgument(graph: Builder, x: string, path: string): string {
  const times = (a: string, b: string) => graph.node('Mul', path, [a, b]);
  const cubic = times(graph.scalar(0.044715), times(x, times(x, x)));
  return times(graph.scalar(Math.sqrt(2 / Math.PI)), graph.node('Add', path, [x, cubic]));
}

/** Windows as ONNX has them: padding before and after along each axis. */
function windows({ kernel, stride, padding, dilation }: WindowSizes): OnnxNode['attributes'] {
  const around = [0, 1].map((axis) => {
    if (padding !== 'same') return [padding[axis], padding[axis]];
    const extent = (dilation[axis] as number) * ((kernel[axis] as number) - 1);
    return [Math.floor(extent / 2), Math.ceil(extent / 2)];
  }) as [[number, number], [number, number]];
  const [[top, bottom], [left, right]] = around;
  return {
    kernel_shape: { ints: kernel },
    strides: { ints: stride },
    pads: { ints: [top, left, bottom, right] },
  };
}
