// What the profiler promises: a time for every dispatch in the step's order, and parameters that stay as they are.
// How long things take is no business of a test.

import { describe, expect, it } from 'vitest';
import type { Span } from '../../src/gpu/trace.ts';
import { canProfile, dataLoader, fromArrays, manualSeed, nn, openDevice, optim } from '../../src/index.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();
const dataset = fromArrays({
  inputs: Uint8Array.from(integers(100 * 16, 1, 256)),
  targets: Uint8Array.from(integers(100, 2, 4)),
  inputShape: [4, 4],
});
const loader = dataLoader(dataset, { batchSize: 8 });

function makeTrainer(own = device(), options: { plain?: boolean; keepGradients?: boolean } = {}) {
  manualSeed(3);
  return createTrainer(own, {
    model: nn.sequential(nn.flatten(), nn.linear(16, 32), nn.relu(), nn.linear(32, 4)),
    loss: nn.crossEntropyLoss(),
    optimizer: optim.sgd({ lr: 0.05 }),
    batchSize: 8,
    ...options,
  });
}

const bytesOf = (tensors: ReadonlyMap<string, Float32Array>) =>
  [...tensors].map(([key, { buffer }]) => [key, [...new Uint8Array(buffer)]]);

describe('trainer.profile', () => {
  it.each([{}, { plain: true }, { keepGradients: true }])(
    'times every dispatch and leaves the parameters alone: %o',
    async (options) => {
      const own = await openDevice({ exactTimestamps: true });
      const trainer = await makeTrainer(own, options);
      for await (const _ of trainer.fit(loader, { epochs: 1 }));
      const before = bytesOf(await trainer.parameters());
      const bytes = own.bytes;
      if (!canProfile(own)) {
        await expect(trainer.profile()).rejects.toThrow('this adapter has no feature timestamp-query');
      } else {
        const profile = await trainer.profile({ repeats: 3 });
        const names = trainer.describe().dispatches.map(({ label, kernel }) => ({ label, kernel }));
        expect(profile.map(({ label, kernel }) => ({ label, kernel }))).toEqual(names);
        for (const { seconds, lowest, highest } of profile) {
          expect(lowest).toBeGreaterThanOrEqual(0);
          expect(seconds).toBeGreaterThanOrEqual(lowest);
          expect(highest).toBeGreaterThanOrEqual(seconds);
        }
      }
      expect(bytesOf(await trainer.parameters())).toEqual(before);
      expect(own.bytes).toBe(bytes);
      const steps = trainer.steps;
      for await (const _ of trainer.fit(loader, { epochs: 1 }));
      expect(trainer.steps, 'training goes on').toBe(2 * steps);
      trainer.destroy();
      own.destroy();
    },
  );

  it('refuses when there is nothing to profile, or something else is running', async () => {
    const trainer = await makeTrainer();
    await expect(trainer.profile()).rejects.toThrow('profile: nothing recorded yet');
    const events = trainer.fit(loader, { epochs: 1 });
    await events.next();
    await expect(trainer.profile()).rejects.toThrow('this trainer is busy');
    await events.return();
    await expect(trainer.profile({ repeats: 0 })).rejects.toThrow('profile: repeats');
    trainer.destroy();
  });
});

describe('device.observe', () => {
  it('is told of what the scheduler does, in order', async () => {
    const trainer = await makeTrainer();
    const spans: Span[] = [];
    device().observe = (span) => spans.push(span);
    for await (const _ of trainer.fit(loader, { epochs: 1 }));
    device().observe = undefined;
    const told = spans.length;
    await trainer.evaluate(loader);
    expect(spans.length, 'nothing after it was unset').toBe(told);
    const counted = (name: Span['name']) => spans.filter((span) => span.name === name).length;
    expect(counted('wait')).toBeGreaterThan(0);
    expect(counted('submit'), 'the first chunks go in parts').toBeGreaterThanOrEqual(counted('wait'));
    expect(counted('fill')).toBeGreaterThanOrEqual(counted('wait'));
    spans.forEach(({ start, end }, i) => {
      expect(end).toBeGreaterThanOrEqual(start);
      if (i > 0) expect(start).toBeGreaterThanOrEqual(spans[i - 1]?.end as number);
    });
    trainer.destroy();
  });
});
