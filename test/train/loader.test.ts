// What a loader makes of a data set's rows is what the trainer is fed with.

import { expect, it } from 'vitest';
import { createTrainer, dataLoader, fromArrays, manualSeed, nn, optim, transforms } from '../../src/index.ts';
import { floats, integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();

const images = () =>
  fromArrays({
    inputs: Uint8Array.from(integers(20 * 32, 1, 256)),
    inputShape: [2, 4, 4],
    targets: Uint8Array.from(integers(20, 2, 3)),
    classes: ['a', 'b', 'c'],
  });

function trainerOf(inFeatures: number, loss = nn.crossEntropyLoss()) {
  manualSeed(7);
  const model = nn.sequential(nn.flatten(), nn.linear(inFeatures, 3));
  const optimizer = optim.sgd({ lr: 0.1 });
  return createTrainer(device(), { model, loss, optimizer, batchSize: 8 });
}

it('rows may have another shape and another type after their transforms', async () => {
  const normalize = transforms.normalize([0.5, 0.4], [0.25, 0.2]);
  const crop = transforms.randomCrop(3);
  const trainer = await trainerOf(18);
  const train = dataLoader(images(), { batchSize: 8, shuffle: true, transforms: [crop, normalize] });
  const losses: number[] = [];
  for await (const event of trainer.fit(train, { epochs: 3, logEvery: 1 }))
    if (event.type === 'step') losses.push(event.loss);
  expect(losses).toHaveLength(9);
  expect(losses.every(Number.isFinite)).toBe(true);
  trainer.destroy();
});

it('normalising by nothing changes nothing but who divides by 255', async () => {
  const trainer = await trainerOf(32);
  const plain = await trainer.evaluate(dataLoader(images(), { batchSize: 8 }));
  const normalize = transforms.normalize([0], [1]);
  const same = await trainer.evaluate(dataLoader(images(), { batchSize: 8, transforms: [normalize] }));
  expect(same.loss).toBeCloseTo(plain.loss, 5);
  expect(same.confusion).toEqual(plain.confusion);
  trainer.destroy();
});

it('a loss of classes refuses real-valued targets, with both sides named', async () => {
  const trainer = await trainerOf(2, nn.nllLoss());
  const rows = { inputs: floats(8, 1), inputShape: [2] };
  const values = fromArrays({ ...rows, targets: floats(12, 2), targetShape: [3] });
  const refused = trainer.fit(dataLoader(values, { batchSize: 2 }), { epochs: 1 }).next();
  await expect(refused).rejects.toMatchObject({
    code: 'shape',
    message: expect.stringMatching(/the targets are rows of \[3\] real values; it takes class indices/),
  });
  trainer.destroy();
});
