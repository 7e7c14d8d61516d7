// ONNX files in a runtime that is not ours: every kind of layer computes there what float64 says it should. Whole models are
// held against the GPU in test/train/onnx.node.test.ts.

import { fromBinary } from '@bufbuild/protobuf';
import { type ModelProto, ModelProtoSchema } from 'onnx-buf';
import { describe, expect, it } from 'vitest';
import { manualSeed, nn } from '../../src/index.ts';
import { encodeOnnx } from '../../src/io/onnx.ts';
import type { Layer } from '../../src/nn/index.ts';
import { namedBuffers, namedParameters } from '../../src/nn/parameters.ts';
import * as reference from '../../src/ops/reference.ts';
import { expectWithin } from '../support/compare.ts';
import { hostForward, makeNetwork, type Spec } from '../support/conv-network.ts';
import { floats } from '../support/data.ts';
import { runOnnx } from '../support/onnx.ts';

const { u } = reference;
const count = 3;
const size = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);

/** A model's initial weights by key. */
const weightsIn = (model: Layer, prefix = '') =>
  new Map(
    [...namedParameters(model, prefix), ...namedBuffers(model, prefix)].map(([key, { data }]) => [key, data]),
  );

/** Other numbers than ones and zeros in all of a layer's arrays; variances are positive. */
function scramble(layer: Layer): Readonly<Record<string, Float32Array>> {
  const all = [...layer.parameters, ...(layer.buffers ?? [])];
  all.forEach(({ name, data }, i) => {
    if (name !== 'num_batches_tracked')
      data.set(floats(data.length, 50 + i, name === 'running_var' ? 0.2 : -1, 2));
  });
  return Object.fromEntries(all.map(({ name, data }) => [name, data]));
}

/** Expects ONNX Runtime to make of rows what the reference says, for another number of rows too. */
async function expectSame(
  name: string,
  model: Layer,
  inputShape: readonly number[],
  expected: (x: Float32Array, rows: number) => reference.Bounded[],
): Promise<void> {
  const file = await encodeOnnx(model, weightsIn(model), { inputShape });
  for (const rows of [count, 1]) {
    const x = floats(rows * size(inputShape), 7 + rows, -2, 2);
    const found = await runOnnx(file, x, [rows, ...inputShape]);
    expect(found).toMatchObject({ name: 'logits', shape: [rows, ...model.outputShape(inputShape)] });
    expectWithin(`onnx ${name}`, found.data, expected(x, rows));
  }
}

describe('layers of windows and sums are those of float64', () => {
  it.each<[Spec, number[]]>([
    ['flatten', [2, 3, 4]],
    ['relu', [5]],
    [{ linear: [7, 5] }, [7]],
    [{ conv: [3, 4, 3] }, [3, 6, 7]],
    [{ conv: [1, 2, [2, 3], { bias: false, stride: [2, 1], padding: [1, 2] }] }, [1, 5, 6]],
    [{ conv: [2, 3, [3, 2], { dilation: [2, 3], padding: 1 }] }, [2, 8, 9]],
    [{ conv: [2, 2, [4, 3], { padding: 'same' }] }, [2, 6, 5]],
    [{ conv: [2, 2, [2, 4], { padding: 'same', dilation: [3, 1] }] }, [2, 6, 5]],
    [{ conv: [4, 3, 1] }, [4, 2, 3]],
    [{ maxPool: [2] }, [2, 5, 6]],
    [{ maxPool: [[3, 2], { stride: [2, 1], padding: [1, 0] }] }, [2, 7, 5]],
    [{ avgPool: [2] }, [2, 5, 6]],
    [{ avgPool: [[2, 3], { stride: [1, 2], padding: [1, 1] }] }, [2, 4, 6]],
    [{ residual: [{ linear: [4, 4] }, 'relu'] }, [4]],
    [{ residual: [{ conv: [2, 2, 3, { padding: 1 }] }, 'relu', { residual: ['relu'] }] }, [2, 4, 4]],
  ])('%j', async (spec, inputShape) => {
    manualSeed(1);
    const { model, host } = makeNetwork([spec]);
    const [layer] = host;
    if (layer === undefined) throw new Error('no layer');
    await expectSame(JSON.stringify(spec), model, inputShape, (x, rows) => {
      const dy = new Float32Array(rows * size(model.outputShape(inputShape)));
      return hostForward(layer, [...x], [rows, ...inputShape], [...dy]).y;
    });
  });

  it('a linear layer without bias', async () => {
    const layer = nn.linear(6, 4, { bias: false });
    const { weight } = scramble(layer);
    await expectSame('linear without bias', layer, [6], (x, rows) =>
      reference.matmul(reference.matrix(x, rows, 6), reference.matrix(weight ?? [], 6, 4, true)),
    );
  });
});

describe('norms are those of float64', () => {
  // ONNX Runtime makes a factor and a term of the four numbers of a feature first, so that x and mean may cancel in the end.
  it.each([
    { affine: true, pixels: [] },
    { affine: false, pixels: [] },
    { affine: true, pixels: [4, 2] },
    { affine: false, pixels: [4, 2] },
  ])('batch norms, %o', async ({ affine, pixels }) => {
    const [features, eps] = [5, 1e-3];
    const layer = (pixels.length === 0 ? nn.batchNorm1d : nn.batchNorm2d)(features, { affine, eps });
    const arrays = scramble(layer);
    await expectSame(`batch norm [${pixels}]`, layer, [features, ...pixels], (x) =>
      Array.from(x, (v, i) => {
        const j = Math.floor(i / size(pixels)) % features;
        const of = (name: string, otherwise: number) => arrays[name]?.[j] ?? otherwise;
        const factor = of('weight', 1) / Math.sqrt(of('running_var', 1) + eps);
        const [mean, bias] = [of('running_mean', 0), of('bias', 0)];
        const magnitude = (Math.abs(v) + Math.abs(mean)) * Math.abs(factor) + Math.abs(bias);
        return { value: (v - mean) * factor + bias, bound: 16 * u * magnitude };
      }),
    );
  });

  it.each([true, false])('layerNorm, affine: %s', async (affine) => {
    const layer = nn.layerNorm(6, { affine, eps: 1e-4 });
    const { weight = [], bias = [] } = scramble(layer);
    const given = affine ? { weight, bias } : undefined;
    await expectSame('layerNorm', layer, [6], (x) => reference.layerNorm(x, 6, 1e-4, given).y);
  });
});

describe('activations are those of float64', () => {
  // erf and tanh are approximated within a few units of 1's last place in ONNX Runtime; a product and a sum round around them.
  const near = (value: number, x: number): reference.Bounded => ({
    value,
    bound: 16 * u * Math.max(1, Math.abs(x)),
  });
  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
  it.each<[string, Layer, (x: number) => number]>([
    ['leakyRelu', nn.leakyRelu({ negativeSlope: 0.125 }), (x) => (x > 0 ? x : 0.125 * x)],
    ['gelu', nn.gelu(), (x) => x * reference.normalDistribution(x)],
    [
      'gelu by tanh',
      nn.gelu({ approximate: 'tanh' }),
      (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    ],
    ['sigmoid', nn.sigmoid(), sigmoid],
    ['tanh', nn.tanh(), Math.tanh],
    ['silu', nn.silu(), (x) => x * sigmoid(x)],
    ['dropout', nn.dropout(0.9), (x) => x],
  ])('%s', async (name, layer, of) => {
    await expectSame(name, layer, [3, 40], (x) => Array.from(x, (v) => near(of(v), v)));
    await expectSame(
      `${name} inside`,
      nn.sequential(layer, nn.dropout(), nn.relu(), nn.dropout()),
      [40],
      (x) => Array.from(x, (v) => near(Math.max(0, of(v)), v)),
    );
  });

  it('softmax and logSoftmax', async () => {
    await expectSame('softmax', nn.softmax(), [9], (x, rows) => reference.softmax(x, rows, 9));
    await expectSame('logSoftmax', nn.logSoftmax(), [9], (x, rows) =>
      reference.within(reference.logSoftmax(x, rows, 9), reference.logSoftmaxBound(9, 2)),
    );
  });
});

const small = () => nn.sequential(nn.flatten(), nn.linear(4, 3), nn.dropout());
const parsed = async (...args: Parameters<typeof encodeOnnx>): Promise<ModelProto> =>
  fromBinary(ModelProtoSchema, await encodeOnnx(...args));

describe('a file', () => {
  it('says what it takes, what it gives and who wrote it', async () => {
    const model = small();
    const options = { inputShape: [1, 2, 2], classes: ['a', 'ß', '"'], producerVersion: '1.2.3' };
    const file = await parsed(model, weightsIn(model), options);
    expect(file).toMatchObject({ irVersion: 8n, producerName: 'heddle', producerVersion: '1.2.3' });
    expect(file.opsetImport).toMatchObject([{ domain: '', version: 17n }]);
    expect(file.docString).toMatch(/divided by 255/);
    const metadata = Object.fromEntries(file.metadataProps.map(({ key, value }) => [key, value]));
    expect(metadata).toEqual({ input: expect.stringMatching(/divided by 255/), classes: '["a","ß","\\""]' });
    const shapeOf = (value: NonNullable<typeof file.graph>['input'][0] | undefined) => {
      const type = value?.type?.value;
      if (type?.case !== 'tensorType') throw new Error('no tensor');
      return [
        value?.name,
        type.value.elemType,
        ...(type.value.shape?.dim ?? []).map(({ value: of }) => of.value),
      ];
    };
    expect(shapeOf(file.graph?.input[0])).toEqual(['input', 1, 'batch', 1n, 2n, 2n]);
    expect(shapeOf(file.graph?.output[0])).toEqual(['logits', 1, 'batch', 3n]);
    expect(file.graph?.node.map(({ opType, input, output }) => [opType, input, output])).toEqual([
      ['Flatten', ['input'], ['0/Flatten']],
      ['Gemm', ['0/Flatten', '1.weight', '1.bias'], ['logits']],
    ]);
    expect(file.graph?.initializer.map(({ name, dims }) => [name, dims])).toEqual([
      ['1.weight', [3n, 4n]],
      ['1.bias', [3n]],
    ]);
  });

  it('is the same for the same model, and names its output as asked', async () => {
    const model = small();
    const options = { inputShape: [4], output: 'y', prefix: 'net.' };
    const weights = weightsIn(model, 'net.');
    const [first, second] = [
      await encodeOnnx(model, weights, options),
      await encodeOnnx(model, weights, options),
    ];
    expect(second).toEqual(first);
    expect(await runOnnx(first, new Float32Array(4), [1, 4])).toMatchObject({ name: 'y', shape: [1, 3] });
  });

  it('computes with layers whose names are those of values', async () => {
    const names = {
      input: nn.linear(2, 2),
      logits: nn.sequential({ 'a/Gemm': nn.linear(2, 2) }),
      a: nn.linear(2, 2),
    };
    const model = nn.sequential(names);
    const x = Float32Array.of(0.5, -1);
    const { data } = await runOnnx(await encodeOnnx(model, weightsIn(model), { inputShape: [2] }), x, [1, 2]);
    const arrays = weightsIn(model);
    const y = ['input', 'logits.a/Gemm', 'a'].reduce<readonly number[]>(
      (row, key) => {
        const [w, b] = [arrays.get(`${key}.weight`) ?? [], arrays.get(`${key}.bias`) ?? []];
        return [0, 1].map(
          (o) => (b[o] ?? 0) + (w[2 * o] ?? 0) * (row[0] ?? 0) + (w[2 * o + 1] ?? 0) * (row[1] ?? 0),
        );
      },
      [...x],
    );
    // Three sums of three terms of at most 1.5 · √2 and so on: far less than 64 roundings of numbers below 4.
    y.forEach((value, i) => {
      expect(Math.abs(value - (data[i] as number))).toBeLessThan(64 * 4 * u);
    });
  });
});

describe('refused are', () => {
  it('weights of another model, with all that differs; not those of an optimizer', async () => {
    const model = nn.sequential(nn.linear(4, 3), nn.batchNorm1d(3));
    const weights = new Map<string, Float32Array | { shape: number[]; data: Float32Array }>(weightsIn(model));
    weights.set('optimizer/0.weight.exp_avg', new Float32Array(12));
    weights.delete('1.num_batches_tracked'); // older files of PyTorch have none
    await encodeOnnx(model, weights, { inputShape: [4] });
    weights.delete('0.bias');
    weights.set('0.weight', { shape: [4, 3], data: new Float32Array(12) });
    weights.set('1.weight', new Float32Array(4));
    weights.set('fc.weight', new Float32Array(1));
    await expect(encodeOnnx(model, weights, { inputShape: [4] })).rejects.toThrow(
      'these weights do not fit the model: 0.weight is [4, 3], expected [3, 4]; 0.bias [3] is missing; ' +
        '1.weight is 4 elements, expected [3]; fc.weight is not in the model',
    );
  });

  it('rows that do not fit', async () => {
    const model = nn.linear(4, 3);
    await expect(encodeOnnx(model, weightsIn(model), { inputShape: [5] })).rejects.toThrow(
      /rows are \[5\], expected \[4\]/,
    );
  });

  it('layers that do not say what they compute', async () => {
    const { spec: _, ...own } = nn.relu();
    const model = nn.sequential(nn.sequential({ mine: own }));
    await expect(encodeOnnx(model, new Map(), { inputShape: [5] })).rejects.toThrow(
      /layer 0\.mine, ReLU\(\), has no spec/,
    );
  });
});
