// The host's forward pass of one image against the library's logits on the GPU, for the page's networks with trained weights.

import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  createTrainer,
  type Device,
  dataLoader,
  datasets,
  decodeWeights,
  manualSeed,
  nn,
  openDevice,
  optim,
} from '../../src/index.ts';
import { buildModel, type ModelName } from '../../src/recipes/model.ts';
import { activationsOf } from '../../src/web/training/forward.ts';

/** Float32 sums of at most 1568 products against float64: far from it for logits of about 10. */
const tolerance = 1e-4;

let device: Device;
beforeAll(async () => {
  device = await openDevice();
});
afterAll(() => device.destroy());

test.each<[ModelName, string[]]>([
  ['mlp', ['flatten 784', 'linear_relu_stack.0 24', 'linear_relu_stack.1 24', 'linear_relu_stack.2 10']],
  [
    'lenet',
    [
      ...[
        'conv1 6×28×28',
        'relu1 6×28×28',
        'pool1 6×14×14',
        'conv2 16×10×10',
        'relu2 16×10×10',
        'pool2 16×5×5',
      ],
      ...['flatten 400', 'fc1 120', 'relu3 120', 'fc2 84', 'relu4 84', 'fc3 10'],
    ],
  ],
  [
    'cnn',
    [
      ...['features.0 16×28×28', 'features.1 16×28×28', 'features.2 16×28×28', 'features.3 16×14×14'],
      ...['features.4 32×14×14', 'features.5 32×14×14', 'features.6 32×14×14', 'features.7 32×7×7'],
      ...['flatten 1568', 'classifier.0 128', 'classifier.1 128', 'classifier.2 10'],
    ],
  ],
])('%s', async (name, layers) => {
  manualSeed(0);
  const model = buildModel({ model: name, input: [1, 28, 28], hidden: [24], classes: 10 });
  const trainer = await createTrainer(device, {
    model,
    loss: nn.crossEntropyLoss(),
    optimizer: optim.adam({ lr: 0.01 }),
    batchSize: 32,
    input: { shape: [1, 28, 28], dtype: 'u8' },
  });
  try {
    const data = await datasets.synthetic('train', { limit: 96 });
    const loader = dataLoader(data, { batchSize: 32 });
    for await (const _ of trainer.fit(loader, { epochs: 2 }));
    const logits = await trainer.logits(loader);
    const weights = decodeWeights(await trainer.save());
    for (const image of [0, 31, 95]) {
      const row = data.inputs.subarray(784 * image, 784 * (image + 1));
      const made = activationsOf(model, weights, row, [1, 28, 28]);
      expect(made.map(({ path, shape }) => `${path} ${shape.join('×')}`)).toEqual(layers);
      for (const { shape, values } of made) expect(values).toHaveLength(shape.reduce((a, b) => a * b, 1));
      const expected = logits.subarray(10 * image, 10 * (image + 1));
      const found = made.at(-1)?.values as Float64Array;
      const apart = Math.max(...found.map((value, i) => Math.abs(value - (expected[i] as number))));
      process.stdout.write(
        `  ${name}, image ${image}: ${(apart / tolerance).toExponential(1)} of the tolerance\n`,
      );
      expect(apart).toBeLessThan(tolerance);
    }
  } finally {
    trainer.destroy();
  }
});

test('a layer that no network here has is refused by name', () => {
  const model = nn.sequential(nn.flatten(), nn.linear(4, 2), nn.gelu());
  const weights = new Map([
    ['1.weight', new Float32Array(8)],
    ['1.bias', new Float32Array(2)],
  ]);
  expect(() => activationsOf(model, weights, new Uint8Array(4), [1, 2, 2])).toThrow(/GELU.*cannot look into/);
});
