// The parameters of a model under the names PyTorch gives them.

import type { Layer, Parameter } from './layer.ts';

/** Every parameter of a model with its PyTorch key (`1.weight`, `linear_relu_stack.0.bias`), in PyTorch's order. */
export function namedParameters(model: Layer, prefix = ''): [string, Parameter][] {
  const own = model.parameters.map((parameter): [string, Parameter] => [
    `${prefix}${parameter.name}`,
    parameter,
  ]);
  const inner = model.children.flatMap(([name, layer]) => namedParameters(layer, `${prefix}${name}.`));
  return [...own, ...inner];
}
