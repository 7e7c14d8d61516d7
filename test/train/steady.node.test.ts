// A long run costs no more than a short one: after the first epochs nothing is created on the GPU, and memory stays flat.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { createTrainer, dataLoader, fromArrays, manualSeed, nn, optim } from '../../src/index.ts';
import { floats, integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();
const [rows, features, batchSize] = [800, 16, 8];
const perEpoch = rows / batchSize;

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

const memory = () => {
  collectGarbage();
  return process.memoryUsage().rss;
};

it('3,000 steps create nothing on the GPU and leave memory as it was, within 5 %', async () => {
  manualSeed(1);
  const data = fromArrays({
    inputs: floats(rows * features, 1),
    targets: Int32Array.from(integers(rows, 2, 4)),
    inputShape: [features],
  });
  const trainer = await createTrainer(device(), {
    model: nn.sequential(nn.linear(features, 32), nn.relu(), nn.dropout(0.1), nn.linear(32, 4)),
    loss: nn.crossEntropyLoss(),
    optimizer: optim.adam(),
    batchSize,
  });
  const train = dataLoader(data, { batchSize, shuffle: true });
  const run = async (epochs: number) => {
    for await (const event of trainer.fit(train, { epochs, validate: train, logEvery: 1 }))
      if (event.type === 'step') expect(event.loss).toBeGreaterThan(0);
  };
  await run(3000 / perEpoch); // V8's heap finds its size
  const before = { memory: memory(), bytes: device().bytes };

  const { gpu } = device();
  const created: string[] = [];
  for (const name of ['createBindGroup', 'createComputePipeline', 'createComputePipelineAsync'] as const) {
    const real = gpu[name].bind(gpu) as (...args: unknown[]) => unknown;
    Object.defineProperty(gpu, name, {
      configurable: true,
      value: (...args: unknown[]) => {
        created.push(name);
        return real(...args);
      },
    });
  }
  const steps = trainer.steps;
  await run(3000 / perEpoch);
  expect(trainer.steps - steps).toBe(3000);
  expect(created).toEqual([]);
  expect(device().bytes).toBe(before.bytes);
  expect(memory() / before.memory).toBeLessThan(1.05);

  const alive = device().bytes;
  trainer.destroy();
  trainer.destroy();
  expect(device().bytes).toBeLessThan(alive);
  expect(() => trainer.zeroGrad()).toThrow(expect.objectContaining({ code: 'destroyed' }));
});
