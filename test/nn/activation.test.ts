// What activation, softmax and linear layers say of themselves, and what they refuse. What they compute is tested in
// test/ops/activation.test.ts and test/train/activations.test.ts.

import { expect, it } from 'vitest';
import { HeddleError, nn } from '../../src/index.ts';

it('layers describe themselves as PyTorch does', () => {
  const layers = [
    nn.leakyRelu(),
    nn.leakyRelu({ negativeSlope: 0.2 }),
    nn.gelu(),
    nn.gelu({ approximate: 'tanh' }),
    nn.sigmoid(),
    nn.tanh(),
    nn.silu(),
    nn.softmax(),
    nn.logSoftmax(),
    nn.linear(3, 2, { bias: false }),
  ];
  expect(layers.map(({ description }) => description)).toEqual([
    'LeakyReLU(negative_slope=0.01)',
    'LeakyReLU(negative_slope=0.2)',
    "GELU(approximate='none')",
    "GELU(approximate='tanh')",
    'Sigmoid()',
    'Tanh()',
    'SiLU()',
    'Softmax(dim=1)',
    'LogSoftmax(dim=1)',
    'Linear(3, 2, bias=False)',
  ]);
});

it('activations keep the shape of a row, softmax asks for one dimension', () => {
  for (const layer of [nn.leakyRelu(), nn.gelu(), nn.sigmoid(), nn.tanh(), nn.silu()]) {
    expect(layer.outputShape([3, 5, 5])).toEqual([3, 5, 5]);
  }
  for (const layer of [nn.softmax(), nn.logSoftmax()]) {
    expect(layer.outputShape([10])).toEqual([10]);
    expect(() => layer.outputShape([3, 5, 5])).toThrow(/rows are \[3, 5, 5\].*the classes.*nn\.flatten\(\)/s);
  }
});

it('options that make no sense are refused', () => {
  expect(() => nn.leakyRelu({ negativeSlope: Number.NaN })).toThrow(HeddleError);
  expect(() => nn.leakyRelu({ negativeSlope: Number.POSITIVE_INFINITY })).toThrow(/negativeSlope Infinity/);
  expect(() => nn.gelu({ approximate: 'erf' as 'none' })).toThrow(/'erf': expected 'none' or 'tanh'/);
});

it('a linear layer without a bias has a weight alone', () => {
  const { parameters } = nn.linear(3, 2, { bias: false });
  expect(parameters.map(({ name, shape }) => [name, shape])).toEqual([['weight', [2, 3]]]);
});
