// Keys of parameters and buffers as types tell them: the compiler holds what stands here, and the values hold the types.

import { describe, expect, expectTypeOf, it } from 'vitest';
import { type Device, nn, optim, type Trainer, type TrainerOptions } from '../../src/index.ts';
import { namedBuffers, namedParameters } from '../../src/nn/parameters.ts';
import type { createTrainer } from '../../src/train/trainer.ts';

/** A value for each key of a type, no more and no fewer. */
type All<Keys extends string> = Readonly<Record<Keys, true>>;

const block = nn.residual(nn.linear(8, 8, { bias: false }), nn.batchNorm1d(8), nn.relu());
const model = nn.sequential({
  flatten: nn.flatten(),
  body: nn.sequential(nn.linear(16, 8), block, nn.dropout(), nn.layerNorm(8)),
  bare: nn.batchNorm1d(8, { affine: false }),
  head: nn.linear(8, 3),
});

describe('keys of a model', () => {
  it('are those of its parameters and buffers', () => {
    const parameters: All<nn.ParameterKeys<typeof model>> = {
      'body.0.weight': true,
      'body.0.bias': true,
      'body.1.0.weight': true,
      'body.1.1.weight': true,
      'body.1.1.bias': true,
      'body.3.weight': true,
      'body.3.bias': true,
      'head.weight': true,
      'head.bias': true,
    };
    const buffers: All<nn.BufferKeys<typeof model>> = {
      'body.1.1.running_mean': true,
      'body.1.1.running_var': true,
      'body.1.1.num_batches_tracked': true,
      'bare.running_mean': true,
      'bare.running_var': true,
      'bare.num_batches_tracked': true,
    };
    expect(Object.keys(parameters)).toEqual(namedParameters(model).map(([key]) => key));
    expect(Object.keys(buffers)).toEqual(namedBuffers(model).map(([key]) => key));
  });

  it('are any where the number of layers, their names, or a layer of one’s own is not known', () => {
    const row: nn.Layer[] = [nn.linear(3, 3)];
    const record: Record<string, nn.Layer> = { only: nn.linear(3, 3) };
    const own: nn.Layer = { ...nn.linear(3, 3), kind: 'own' };
    expectTypeOf<nn.ParameterKeys<ReturnType<typeof many>>>().toEqualTypeOf<string>();
    const many = () => nn.sequential(...row);
    const named = nn.sequential(record);
    expectTypeOf<nn.ParameterKeys<typeof named>>().toEqualTypeOf<string>();
    const mixed = nn.sequential(nn.relu(), own, nn.linear(3, 2));
    expectTypeOf<nn.ParameterKeys<typeof mixed>>().toEqualTypeOf<`1.${string}` | '2.weight' | '2.bias'>();
    expectTypeOf<nn.KnownKeys<nn.ParameterKeys<typeof mixed>>>().toEqualTypeOf<'2.weight' | '2.bias'>();
    expect(namedParameters(mixed).map(([key]) => key)).toEqual(['1.weight', '1.bias', '2.weight', '2.bias']);
  });

  it('are any where options leave open whether there is a bias', () => {
    const bias = Math.random() < 2;
    const affine = bias;
    const layers = [
      nn.linear(2, 2, { bias }),
      nn.conv2d(1, 1, 1, { bias }),
      nn.batchNorm1d(2, { affine }),
      nn.layerNorm(2, { affine }),
    ] as const;
    expectTypeOf<nn.ParameterKeys<(typeof layers)[0]>>().toEqualTypeOf<string>();
    expectTypeOf<nn.ParameterKeys<(typeof layers)[1]>>().toEqualTypeOf<string>();
    expectTypeOf<nn.ParameterKeys<(typeof layers)[2]>>().toEqualTypeOf<string>();
    expectTypeOf<nn.ParameterKeys<(typeof layers)[3]>>().toEqualTypeOf<string>();
    expectTypeOf<nn.BufferKeys<(typeof layers)[2]>>().toEqualTypeOf<
      'running_mean' | 'running_var' | 'num_batches_tracked'
    >();
    for (const layer of layers) expect(layer.parameters).toHaveLength(2);
    const numbered = nn.sequential({ 0: nn.linear(2, 2) });
    expectTypeOf<nn.ParameterKeys<typeof numbered>>().toEqualTypeOf<string>();
  });

  it('are none where a layer has no parameters', () => {
    for (const layer of [nn.relu(), nn.flatten(), nn.dropout(), nn.maxPool2d(2), nn.gelu(), nn.softmax()]) {
      expectTypeOf<nn.ParameterKeys<typeof layer>>().toBeNever();
      expect(layer.parameters).toEqual([]);
    }
  });
});

describe('a trainer', () => {
  const small = nn.sequential(nn.linear(4, 3), nn.batchNorm1d(3));
  // Only its types are looked at.
  const options = { model: small, loss: nn.crossEntropyLoss(), optimizer: optim.adam(), batchSize: 2 };
  type Made = Awaited<ReturnType<typeof make>>;
  const make = (create: typeof createTrainer, device: Device) =>
    create(device, { ...options, prefix: 'net.', frozen: ['net.0.weight', 'net.1.'] });

  it('gives arrays of keys that are known, and perhaps of others', () => {
    type Parameters = Awaited<ReturnType<Made['parameters']>>;
    type State = Awaited<ReturnType<Made['state']>>;
    const read = (parameters: Parameters, state: State, key: string) => {
      expectTypeOf(parameters.get('net.0.weight')).toEqualTypeOf<Float32Array>();
      expectTypeOf(state.get('net.1.running_mean')).toEqualTypeOf<Float32Array>();
      expectTypeOf(parameters.get('net.0.wieght')).toEqualTypeOf<Float32Array | undefined>();
      expectTypeOf(parameters.get(key)).toEqualTypeOf<Float32Array | undefined>();
      return parameters.get('net.0.weight');
    };
    const arrays = new Map([
      ['net.0.weight', new Float32Array(12)],
      ['net.1.running_mean', new Float32Array(3)],
    ]);
    expect(read(arrays as Parameters, arrays as State, 'net.0.weight')).toHaveLength(12);
    expectTypeOf<Made>().toExtend<Trainer>();
    type Any = Awaited<ReturnType<Trainer['parameters']>>;
    expectTypeOf<ReturnType<Any['get']>>().toEqualTypeOf<Float32Array | undefined>();
  });

  it('freezes what there is', () => {
    type Keys = 'net.0.weight' | 'net.1.bias';
    type Options = TrainerOptions<'0.weight' | '1.bias', never, 'net.'>;
    const frozen: Options['frozen'][] = [
      ['net.0.'],
      ['net.'],
      ['net.1.bias'],
      /bias$/,
      (key) => key.endsWith('bias'),
    ];
    // @ts-expect-error misspelt
    frozen.push(['net.0.wieght']);
    // @ts-expect-error without what stands in front
    frozen.push(['0.weight']);
    expectTypeOf<Extract<Options['frozen'], (key: never) => boolean>>().parameter(0).toEqualTypeOf<Keys>();
    expect(frozen).toHaveLength(7);
  });
});
