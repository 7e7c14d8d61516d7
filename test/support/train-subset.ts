// A program for the determinism test: two shuffled epochs of the tutorial's network on a few FashionMNIST rows; prints the
// SHA-256 of the weights it ends with, and of those it began with.

import { createHash } from 'node:crypto';
import {
  createTrainer,
  dataLoader,
  datasets,
  manualSeed,
  nn,
  openDevice,
  optim,
  take,
} from '../../src/index.ts';

const batchSize = 64;
const rows = 8 * batchSize - 24; // the last batch is not full

manualSeed(0);
const device = await openDevice();
const model = nn.sequential(
  nn.flatten(),
  nn.linear(28 * 28, 512),
  nn.relu(),
  nn.linear(512, 512),
  nn.relu(),
  nn.linear(512, 10),
);
const trainer = await createTrainer(device, {
  model,
  loss: nn.crossEntropyLoss(),
  optimizer: optim.sgd({ lr: 0.05 }),
  batchSize,
});
const digest = async () =>
  createHash('sha256')
    .update(await trainer.save())
    .digest('hex');
const before = await digest();
const train = dataLoader(take(await datasets.fashionMnist('train'), rows), { batchSize, shuffle: true });
for await (const event of trainer.fit(train, { epochs: 2 })) {
  if (event.type === 'done') break;
}
console.log(JSON.stringify({ before, after: await digest(), adapter: device.info.description }));
trainer.destroy();
device.destroy();
