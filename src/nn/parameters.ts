// The parameters and buffers of a model under the names PyTorch gives them.

import type { Layer, Parameter } from './layer.ts';

function named(
  model: Layer,
  prefix: string,
  own: (layer: Layer) => readonly Parameter[],
): [string, Parameter][] {
  const here = own(model).map((parameter): [string, Parameter] => [`${prefix}${parameter.name}`, parameter]);
  const inner = model.children.flatMap(([name, layer]) => named(layer, `${prefix}${name}.`, own));
  return [...here, ...inner];
}

/** Every parameter of a model with its PyTorch key (`1.weight`, `linear_relu_stack.0.bias`), in PyTorch's order. */
export const namedParameters = (model: Layer, prefix = ''): [string, Parameter][] =>
  named(model, prefix, ({ parameters }) => parameters);

/** Likewise every buffer: `1.running_mean`. */
export const namedBuffers = (model: Layer, prefix = ''): [string, Parameter][] =>
  named(model, prefix, ({ buffers = [] }) => buffers);
