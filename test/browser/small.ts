// The least that trains: one linear layer. The test measures how large this is in a bundle.

import { createTrainer, dataLoader, fromArrays, nn, openDevice, optim } from 'heddle';

const device = await openDevice();
const points = fromArrays({ inputs: new Float32Array([0, 1, 1, 0]), targets: [0, 1], inputShape: [2] });
const trainer = await createTrainer(device, {
  model: nn.linear(2, 2),
  loss: nn.crossEntropyLoss(),
  optimizer: optim.sgd({ lr: 0.1 }),
  batchSize: 2,
});
for await (const event of trainer.fit(dataLoader(points, { batchSize: 2 }), { epochs: 1 })) {
  if (event.type === 'step') document.title = String(event.loss);
}
