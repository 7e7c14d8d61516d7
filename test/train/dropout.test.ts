// Dropout in a model: in training only, other elements at each pass, the same from the same seed, fused as plain.

import { expect, it } from 'vitest';
import {
  createTrainer,
  dataLoader,
  fromArrays,
  HeddleError,
  manualSeed,
  nn,
  optim,
} from '../../src/index.ts';
import { floats, integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();
const [rows, features, classes] = [40, 6, 3];
const data = fromArrays({
  inputs: floats(rows * features, 1),
  targets: Int32Array.from(integers(rows, 2, classes)),
  inputShape: [features],
});

async function trainer(options: { p?: number; seed?: number; plain?: boolean; lr?: number }) {
  const { p = 0.5, seed, plain = false, lr = 0.1 } = options;
  manualSeed(3);
  return createTrainer(device(), {
    model: nn.sequential(nn.linear(features, 32), nn.relu(), nn.dropout(p), nn.linear(32, classes)),
    loss: nn.crossEntropyLoss(),
    optimizer: optim.sgd({ lr }),
    batchSize: 16,
    plain,
    ...(seed === undefined ? {} : { seed }),
  });
}

async function trained(options: Parameters<typeof trainer>[0]) {
  const one = await trainer(options);
  for await (const _ of one.fit(dataLoader(data, { batchSize: 16 }), { epochs: 2 }));
  const weights = [...(await one.parameters()).values()].flatMap((values) => [...values]);
  one.destroy();
  return weights;
}

it('gives the same weights from the same seed, and others from another', async () => {
  const first = await trained({ seed: 7 });
  expect(await trained({ seed: 7 })).toEqual(first);
  expect(await trained({ seed: 8 })).not.toEqual(first);
  expect(await trained({ p: 0 })).not.toEqual(first);
  expect(await trained({})).toEqual(await trained({ seed: 3 })); // that of manualSeed
});

it('drops the same in the plain plan as in the fused one', async () => {
  const [plain, fused] = [await trained({ plain: true }), await trained({})];
  plain.forEach((v, i) => {
    expect(Math.abs(v - (fused[i] as number))).toBeLessThan(1e-5);
  });
});

it('drops others at each pass, and nothing in an evaluation', async () => {
  const still = await trainer({ lr: 0 });
  const [batch] = dataLoader(data, { batchSize: 16 }).epoch(0);
  if (batch === undefined) throw new Error('no batch');
  const losses: number[] = [];
  for (let i = 0; i < 4; i++) {
    still.step(batch);
    losses.push(await still.loss());
  }
  expect(new Set(losses).size).toBe(4);
  const loader = dataLoader(data, { batchSize: 16 });
  const evaluations = [await still.evaluate(loader), await still.evaluate(loader)];
  const without = await trainer({ p: 0, lr: 0 });
  expect(evaluations).toEqual(Array.from({ length: 2 }, () => evaluations[0]));
  expect(await without.evaluate(loader)).toEqual(evaluations[0]);
  for (const one of [still, without]) one.destroy();
});

it('gradients are those of the mask that the loss was made with', async () => {
  // A loss is linear along its gradient for a small enough change, if both passes dropped the same; `draw` counts passes,
  // so two new trainers are at the same draw.
  const [batch] = dataLoader(data, { batchSize: 16 }).epoch(0);
  if (batch === undefined) throw new Error('no batch');
  const at = await trainer({});
  at.zeroGrad();
  at.backward(batch);
  const [loss, gradients, weights] = [await at.loss(), await at.gradients(), await at.parameters()];
  const square = [...gradients.values()].reduce((sum, g) => sum + g.reduce((s, v) => s + v * v, 0), 0);
  const size = 1e-2;
  const moved = await trainer({});
  await moved.load(
    new Map(
      [...weights].map(([key, w]) => [key, w.map((v, i) => v - size * (gradients.get(key)?.[i] ?? 0))]),
    ),
  );
  moved.backward(batch);
  const change = (await moved.loss()) - loss;
  // The curvature's share is of the order of size²·|g|²; a mask that differed would change the loss by far more.
  expect(change / (-size * square)).toBeGreaterThan(0.9);
  expect(change / (-size * square)).toBeLessThan(1.1);
  for (const one of [at, moved]) one.destroy();
});

it.each([-0.1, 1.5, Number.NaN])('refuses p = %d', (p) => {
  expect(() => nn.dropout(p)).toThrow(HeddleError);
});
