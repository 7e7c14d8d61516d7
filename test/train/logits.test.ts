// What a model gives for rows: against float64, for any number of rows, bytes and floats, in evaluation form.

import { describe, expect, it } from 'vitest';
import { createTrainer, dataLoader, fromArrays, manualSeed, nn, optim } from '../../src/index.ts';
import { expectWithin } from '../support/compare.ts';
import { floats, integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import { type HostLinear, hostLogits } from '../support/network.ts';

const device = useDevice();
const ways = [
  { way: 'plain', plain: true },
  { way: 'fused', plain: false },
];
const [features, hidden, classes, batchSize] = [20, 17, 5, 16];

const rowsOf = (data: ArrayLike<number>, size: number): number[][] =>
  Array.from({ length: data.length / size }, (_, r) =>
    Array.from({ length: size }, (__, i) => data[r * size + i] as number),
  );
const linearOf = (weight: ArrayLike<number>, bias: ArrayLike<number>): HostLinear => ({
  weight,
  bias,
  outputs: bias.length,
  inputs: weight.length / bias.length,
});
/** Rows without anything to be learnt. */
const rows = (inputs: Uint8Array | Float32Array, inputShape: readonly number[], count: number) =>
  fromArrays({ inputs, inputShape, targets: new Uint8Array(count) });

function perceptron(plain: boolean) {
  manualSeed(5);
  const model = nn.sequential(nn.linear(features, hidden), nn.relu(), nn.linear(hidden, classes));
  const optimizer = optim.sgd({ lr: 0.1 });
  return createTrainer(device(), { model, loss: nn.crossEntropyLoss(), optimizer, batchSize, plain });
}

describe.each(ways)('$way', ({ way, plain }) => {
  it('are those of the network in float64, row by row', async () => {
    const before = device().bytes;
    const trainer = await perceptron(plain);
    const state = await trainer.parameters();
    const at = (key: string) => state.get(key) as Float32Array;
    const layers = [linearOf(at('0.weight'), at('0.bias')), linearOf(at('2.weight'), at('2.bias'))];
    for (const count of [1, 3, batchSize + 1]) {
      const numbers = floats(count * features, count);
      const bytes = Uint8Array.from(integers(count * features, count, 256));
      for (const inputs of [numbers, bytes]) {
        const loader = dataLoader(rows(inputs, [features], count), { batchSize });
        const found = await trainer.logits(loader);
        expect(found).toHaveLength(count * classes);
        const x = inputs === bytes ? Float64Array.from(bytes, (byte) => byte / 255) : inputs;
        // A byte's share of 255 is itself rounded.
        expectWithin(`${way} logits`, found, hostLogits(layers, rowsOf(x, features), 4));
        expect(await trainer.logits(loader)).toEqual(found);
      }
    }
    expect(await trainer.parameters()).toEqual(state);
    trainer.destroy();
    expect(device().bytes).toBe(before);
  });

  it('come in the order of the loader’s epoch 0, and many chunks of them', async () => {
    const trainer = await perceptron(plain);
    const count = 70 * batchSize + 5;
    const data = rows(floats(count * features, 3), [features], count);
    const inOrder = await trainer.logits(dataLoader(data, { batchSize }));
    const loader = dataLoader(data, { batchSize, shuffle: true, dropLast: true });
    const shuffled = await trainer.logits(loader);
    expect(shuffled).toHaveLength(70 * batchSize * classes);
    const byInput = new Map(
      rowsOf(data.inputs, features).map((row, r) => [
        row.join(),
        [...inOrder.subarray(r * classes, (r + 1) * classes)],
      ]),
    );
    let row = 0;
    for (const batch of loader.epoch(0))
      for (const input of rowsOf(batch.inputs, features)) {
        expect([...shuffled.subarray(row * classes, (row + 1) * classes)]).toEqual(byInput.get(input.join()));
        row++;
      }
    trainer.destroy();
  });

  it('use running statistics and drop nothing', async () => {
    manualSeed(6);
    const model = nn.sequential(
      nn.linear(features, hidden),
      nn.batchNorm1d(hidden),
      nn.relu(),
      nn.dropout(0.5),
      nn.linear(hidden, classes),
    );
    const optimizer = optim.sgd({ lr: 0.1 });
    const loss = nn.crossEntropyLoss();
    const trainer = await createTrainer(device(), { model, loss, optimizer, batchSize, plain });
    const count = 3 * batchSize;
    const inputs = floats(count * features, 8);
    const targets = Uint8Array.from(integers(count, 9, classes));
    const train = fromArrays({ inputs, inputShape: [features], targets });
    for await (const _ of trainer.fit(dataLoader(train, { batchSize }), { epochs: 2 }));

    const state = await trainer.state();
    const at = (key: string) => state.get(key) as Float32Array;
    const scale = [...at('1.weight')].map((w, i) => w / Math.sqrt((at('1.running_var')[i] as number) + 1e-5));
    const first = linearOf(
      [...at('0.weight')].map((w, i) => w * (scale[Math.floor(i / features)] as number)),
      [...at('0.bias')].map(
        (b, i) =>
          (b - (at('1.running_mean')[i] as number)) * (scale[i] as number) + (at('1.bias')[i] as number),
      ),
    );
    const found = await trainer.logits(dataLoader(train, { batchSize }));
    const host = hostLogits([first, linearOf(at('4.weight'), at('4.bias'))], rowsOf(inputs, features), 64);
    expectWithin(`${way} logits after batch norm`, found, host);
    expect(await trainer.state()).toEqual(state);
    trainer.destroy();
  });

  it('are images in PyTorch’s layout where the model gives images', async () => {
    const outputs: Float32Array[] = [];
    for (const flat of [true, false]) {
      manualSeed(2);
      const layers = [nn.conv2d(2, 3, 3), nn.relu(), nn.conv2d(3, 4, 2), ...(flat ? [nn.flatten()] : [])];
      const trainer = await createTrainer(device(), {
        model: nn.sequential(...layers),
        loss: nn.mseLoss(),
        optimizer: optim.sgd({ lr: 0.1 }),
        batchSize: 4,
        plain,
      });
      const targetShape = flat ? [4 * 3 * 2] : [4, 3, 2];
      const images = fromArrays({
        inputs: floats(6 * 2 * 6 * 5, 4),
        inputShape: [2, 6, 5],
        targets: new Float32Array(6 * 24),
        targetShape,
      });
      outputs.push(await trainer.logits(dataLoader(images, { batchSize: 4 })));
      trainer.destroy();
    }
    const [flattened, images] = outputs as [Float32Array, Float32Array];
    expect(new Set(flattened).size).toBeGreaterThan(100);
    expect(images).toEqual(flattened);
  });
});

it('of a busy or destroyed trainer, or of other rows, are refused', async () => {
  const trainer = await perceptron(false);
  const loader = dataLoader(rows(floats(features, 1), [features], 1), { batchSize: 1 });
  const wide = dataLoader(rows(floats(21, 1), [21], 1), { batchSize: 1 });
  await expect(trainer.logits(wide)).rejects.toMatchObject({ code: 'shape' });
  const pending = trainer.logits(loader);
  await expect(trainer.logits(loader)).rejects.toMatchObject({ code: 'usage' });
  await pending;
  trainer.destroy();
  await expect(trainer.logits(loader)).rejects.toMatchObject({ code: 'destroyed' });
});
