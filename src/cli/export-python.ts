// What a user types into Python to have an exported model there.

import type { nn } from '../index.ts';

type Layer = ReturnType<typeof nn.sequential>;

const numbered = (children: Layer['children']) => children.every(([name], i) => name === String(i));

/** A layer as PyTorch's constructor makes it; ours are described in its words. */
function built(layer: Layer, indent: string): string {
  if (layer.spec?.kind !== 'sequential') return `nn.${layer.description}`;
  const inner = `${indent}    `;
  const lines = layer.children.map(([name, child]) =>
    numbered(layer.children)
      ? `${inner}${built(child, inner)},\n`
      : `${inner}(${JSON.stringify(name)}, ${built(child, inner)}),\n`,
  );
  return numbered(layer.children)
    ? `nn.Sequential(\n${lines.join('')}${indent})`
    : `nn.Sequential(OrderedDict([\n${lines.join('')}${indent}]))`;
}

/** Python that builds a model of the layers of `--model`, and loads its weights from a safetensors file. */
export function pythonLines(model: Layer, file: string, tutorial: boolean): string {
  const own = tutorial
    ? '# or, with the class of PyTorch’s quickstart tutorial: model = NeuralNetwork()\n'
    : '';
  return (
    'from collections import OrderedDict\nfrom safetensors.torch import load_file\nfrom torch import nn\n\n' +
    `${own}model = ${built(model, '')}\n` +
    `model.load_state_dict(load_file(${JSON.stringify(file)}))\nmodel.eval()  # takes images as ToTensor makes them\n`
  );
}
