// y = x + f(x), the connection of https://arxiv.org/abs/1512.03385.

import { HeddleError } from '../errors.ts';
import { add } from '../ops/add.ts';
import { imagesOf, relaid } from './images.ts';
import type { LayerOf } from './keys.ts';
import { asFloat, type Layer } from './layer.ts';
import { sequential } from './sequential.ts';

/**
 * Adds its input to what layers in a row make of it; they are named 0, 1, 2, … as in a `sequential`. `outputShape` throws a
 * HeddleError `shape` when they change its shape.
 */
export function residual<const Layers extends readonly Layer[]>(...layers: Layers): LayerOf<Layers>;
export function residual(...layers: readonly Layer[]): Layer {
  const inner = sequential(...layers);
  return {
    kind: 'residual',
    description: `Residual(${layers.map(({ description }) => description).join(', ')})`,
    spec: { kind: 'residual' },
    parameters: [],
    children: inner.children,
    outputShape(input) {
      const output = inner.outputShape(input);
      if (output.length !== input.length || output.some((size, i) => size !== input[i])) {
        throw new HeddleError(
          'shape',
          `nn.residual: its layers make [${output.join(', ')}] of [${input.join(', ')}]; expected the same shape, to add both. ` +
            'Does a convolution lack padding?',
        );
      }
      return output;
    },
    forward(context, given, path) {
      const { recorder } = context;
      const input = asFloat(context, given, path);
      // Two gradients by the input are added up: what one of them is masked with must not be missing in the other.
      const x = { ...input, maskable: false };
      const { y: f, pullback } = inner.forward(context, x, path);
      const otherLayout = f.channelsLast !== x.channelsLast;
      const skipped = otherLayout
        ? relaid(context, `${path}.residual.layout`, x.tensor, imagesOf(x))
        : x.tensor;
      const y = add(recorder, { label: `${path}.residual.add`, a: skipped, b: f.tensor });
      return {
        y: { ...f, tensor: y, needsGradient: x.needsGradient || f.needsGradient, maskable: false },
        pullback(dy) {
          const through = f.needsGradient ? pullback(dy) : undefined;
          if (!x.needsGradient) return undefined;
          const around = otherLayout
            ? relaid(
                context,
                `${path}.residual.backward.layout`,
                dy.tensor,
                imagesOf({ ...f, tensor: dy.tensor }),
              )
            : dy.tensor;
          if (through === undefined) return { tensor: around, masked: false };
          const label = `${path}.residual.backward.add`;
          return { tensor: add(recorder, { label, a: around, b: through.tensor }), masked: false };
        },
      };
    },
  };
}
