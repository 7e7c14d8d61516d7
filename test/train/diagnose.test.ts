// Which step and which tensor: training that becomes NaN for a known reason is done again, and the reason found.

import { expect, it } from 'vitest';
import {
  dataLoader,
  diagnosisText,
  fromArrays,
  type HeddleError,
  manualSeed,
  nn,
  optim,
} from '../../src/index.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { floats, integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();
const [rows, features, batchSize] = [40, 6, 8];

const targets = Int32Array.from(integers(rows, 2, 3));
const loaderOf = (inputs: Float32Array) =>
  dataLoader(fromArrays({ inputs, targets, inputShape: [features] }), { batchSize, shuffle: true });

async function begin(lr: number) {
  manualSeed(1);
  return createTrainer(device(), {
    model: nn.sequential(nn.linear(features, 4), nn.relu(), nn.linear(4, 3)),
    loss: nn.crossEntropyLoss(),
    optimizer: optim.sgd({ lr }),
    batchSize,
  });
}

/** Trains until it breaks, then goes back to `kept` steps and asks why. */
async function diagnose(lr: number, inputs: Float32Array, kept: number) {
  const trainer = await begin(lr);
  const options = { epochs: 20 };
  const train = loaderOf(inputs);
  let checkpoint = await trainer.checkpoint();
  let error: HeddleError | undefined;
  try {
    for await (const event of trainer.fit(train, { ...options, checkpointEvery: 1 }))
      if (event.type !== 'progress' && trainer.steps === kept) checkpoint = await trainer.checkpoint();
  } catch (thrown) {
    error = thrown as HeddleError;
  }
  expect(error).toMatchObject({ code: 'diverged', step: expect.any(Number) });
  const step = error?.step as number;
  await trainer.restore(checkpoint);
  expect(trainer.steps).toBe(kept);
  const found = await trainer.diagnose(step, train, options);
  expect(found.step).toBe(step);
  expect(trainer.steps).toBe(step - 1);
  trainer.destroy();
  return found;
}

it.each([0, 1])(
  'finds the row of the data that is not finite, from a checkpoint after %i steps',
  async (kept) => {
    const inputs = floats(rows * features, 1);
    inputs[17 * features + 2] = Number.NaN;
    const found = await diagnose(0.01, inputs, kept);
    expect(found).toMatchObject({ parameters: [], loss: Number.NaN });
    expect(found.rows).toHaveLength(1);
    expect(diagnosisText(found)).toBe(
      `Row ${found.rows[0]} of the batch of step ${found.step} holds what is not finite.`,
    );
  },
);

it('finds gradients that a huge learning rate has made overflow', async () => {
  const found = await diagnose(1e30, floats(rows * features, 1), 0);
  expect(found.rows).toEqual([]);
  expect(found.step).toBeGreaterThan(1);
  expect(found.parameters.length + found.gradients.length).toBeGreaterThan(0);
  expect(Math.abs(found.largest.value)).toBeGreaterThan(1e20);
  expect(diagnosisText(found)).toMatch(
    /^Not finite (before|of the gradients of) step \d+: \d\.(weight|bias)/,
  );
});

it('refuses a step that the trainer is past', async () => {
  const trainer = await begin(0.1);
  const train = loaderOf(floats(rows * features, 1));
  const all = trainer.fit(train, { epochs: 1 });
  while ((await all.next()).done !== true);
  await expect(trainer.diagnose(5, train, { epochs: 1 })).rejects.toMatchObject({ code: 'usage' });
  trainer.destroy();
});
