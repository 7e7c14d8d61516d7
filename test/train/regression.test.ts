// The README's regression: a curve learned from the caller's own arrays.

import { expect, it } from 'vitest';
import {
  createTrainer,
  dataLoader,
  fromArrays,
  manualSeed,
  nn,
  optim,
  randomSplit,
} from '../../src/index.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();

it('learns a curve from arrays, and tells how far off it is', async () => {
  manualSeed(0);
  const x = Float32Array.from({ length: 1024 }, (_, i) => i / 512 - 1);
  const y = x.map((v) => Math.sin(3 * v));
  const data = fromArrays({ inputs: x, inputShape: [1], targets: y, targetShape: [1] });
  const [train, test] = randomSplit(data, [0.8, 0.2], { seed: 0 });
  if (train === undefined || test === undefined) throw new Error('no split');

  const model = nn.sequential(nn.linear(1, 32), nn.tanh(), nn.linear(32, 32), nn.tanh(), nn.linear(32, 1));
  const trainer = await createTrainer(device(), {
    model,
    loss: nn.mseLoss(),
    optimizer: optim.adam({ lr: 1e-2 }),
    batchSize: 64,
  });
  const before = await trainer.evaluate(dataLoader(test, { batchSize: 64 }));
  for await (const event of trainer.fit(dataLoader(train, { batchSize: 64, shuffle: true }), {
    epochs: 40,
  })) {
    if (event.type === 'epoch') expect(event.train.loss).toBeLessThan(1);
  }
  const after = await trainer.evaluate(dataLoader(test, { batchSize: 64 }));
  trainer.destroy();
  // sin's mean square here is about a half; a straight line leaves some 0.1 of it.
  expect(before.loss).toBeGreaterThan(0.1);
  expect(after.loss).toBeLessThan(0.005);
  expect(after).toMatchObject({ accuracy: Number.NaN, confusion: [], ranks: [] });
});
