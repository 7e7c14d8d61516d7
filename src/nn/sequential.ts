// Layers one after the other, https://pytorch.org/docs/stable/generated/torch.nn.Sequential.html

import { HeddleError } from '../errors.ts';
import type { LayerOf } from './keys.ts';
import {
  type Forward,
  type ForwardContext,
  forwardLoss,
  type Gradient,
  type Layer,
  type Value,
} from './layer.ts';

/**
 * Layers in a row, named 0, 1, 2, … as PyTorch names them, or by the keys of a record (PyTorch's `OrderedDict` form):
 * `nn.sequential({ flatten: nn.flatten(), linear_relu_stack: nn.sequential(…) })`.
 * Throws a HeddleError `usage` for no layers, or names that hold a dot.
 */
export function sequential<const Layers extends readonly Layer[]>(...layers: Layers): LayerOf<Layers>;
export function sequential<const Layers extends Readonly<Record<string, Layer>>>(
  layers: Layers,
): LayerOf<Layers>;
export function sequential(...layers: readonly Layer[] | readonly [Readonly<Record<string, Layer>>]): Layer {
  const children = namedLayers(layers);
  if (children.length === 0) throw new HeddleError('usage', 'nn.sequential: expected at least one layer');
  for (const [name] of children) {
    if (name === '' || name.includes('.'))
      throw new HeddleError(
        'usage',
        `nn.sequential: '${name}' is no layer name: it must not be empty or hold a dot`,
      );
  }
  return {
    kind: 'sequential',
    description: `Sequential(${children.map(([, layer]) => layer.description).join(', ')})`,
    spec: { kind: 'sequential' },
    parameters: [],
    children,
    outputShape: (input) =>
      children.reduce((shape, [name, layer]) => outputShapeAt(name, layer, shape), input),
    forward: (context, x, path) => chain(units(children, context.fused), context, x, path),
    forwardLoss(context, x, path, head) {
      const all = units(children, context.fused);
      const [name, last] = all.pop() as NamedLayer;
      const before = chain(all, context, x, path);
      const { logits, backward } = forwardLoss(last, context, before.y, pathOf(path, name), head);
      return {
        logits,
        backward() {
          const gradient = backward();
          return gradient === undefined ? undefined : before.pullback(gradient);
        },
      };
    },
  };
}

type NamedLayer = readonly [name: string, layer: Layer];

const pathOf = (path: string, name: string) => (path === '' ? name : `${path}.${name}`);

/** The layers as they are recorded: one that is fused with the next goes by its own name. */
function units(children: readonly NamedLayer[], fused: boolean): NamedLayer[] {
  const all: NamedLayer[] = [];
  for (let i = 0; i < children.length; i++) {
    const [name, layer] = children[i] as NamedLayer;
    const next = children[i + 1]?.[1];
    const both = fused && next !== undefined ? layer.fuse?.(next) : undefined;
    if (both !== undefined) i++; // `next` is done with
    all.push([name, both ?? layer]);
  }
  return all;
}

/** Records layers one after the other. */
function chain(layers: readonly NamedLayer[], context: ForwardContext, x: Value, path: string): Forward {
  const pullbacks: Forward['pullback'][] = [];
  let value = x;
  for (const [name, layer] of layers) {
    const { y, pullback } = layer.forward(context, value, pathOf(path, name));
    value = y;
    pullbacks.push(pullback);
  }
  return {
    y: value,
    pullback(dy) {
      let gradient: Gradient | undefined = dy;
      for (const pullback of pullbacks.toReversed()) {
        if (gradient === undefined) return undefined;
        gradient = pullback(gradient);
      }
      return gradient;
    },
  };
}

function namedLayers(
  layers: readonly Layer[] | readonly [Readonly<Record<string, Layer>>],
): [string, Layer][] {
  const [first] = layers;
  if (layers.length === 1 && first !== undefined && !isLayer(first)) return Object.entries(first);
  return (layers as readonly Layer[]).map((layer, i) => [String(i), layer]);
}

function isLayer(value: Layer | Readonly<Record<string, Layer>>): value is Layer {
  return typeof value.forward === 'function';
}

function outputShapeAt(name: string, layer: Layer, shape: readonly number[]): readonly number[] {
  try {
    return layer.outputShape(shape);
  } catch (error) {
    if (!(error instanceof HeddleError)) throw error;
    throw new HeddleError(error.code, `layer ${name}: ${error.message}`, { cause: error });
  }
}
