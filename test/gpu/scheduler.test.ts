// What the scheduler promises about API calls: after warm-up nothing is created, and a chunk of short steps costs at
// most two writes and one submit; the order of results; bounded run-ahead.

import { describe, expect, it, vi } from 'vitest';
import type { Device } from '../../src/gpu/device.ts';
import { dataLoader, fromArrays, manualSeed, nn, optim } from '../../src/index.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import { integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();

const created = [
  'createBuffer',
  'createBindGroup',
  'createComputePipeline',
  'createComputePipelineAsync',
  'createShaderModule',
] as const;

/** Counts calls of a GPU device and its queue until `stop`. */
function countCalls(gpu: GPUDevice) {
  const counts = new Map<string, number>();
  const undo: (() => void)[] = [];
  const wrap = <T extends object>(target: T, name: keyof T & string) => {
    const original = target[name] as (...args: unknown[]) => unknown;
    const counted = (...args: unknown[]) => {
      counts.set(name, (counts.get(name) ?? 0) + 1);
      return original.apply(target, args);
    };
    Object.defineProperty(target, name, { value: counted, configurable: true });
    undo.push(() => Reflect.deleteProperty(target, name));
  };
  for (const name of created) wrap(gpu, name);
  for (const name of ['writeBuffer', 'submit', 'onSubmittedWorkDone'] as const) wrap(gpu.queue, name);
  return {
    counts,
    stop() {
      for (const restore of undo) restore();
    },
  };
}

const rows = 64 * 400;
const dataset = fromArrays({
  inputs: Uint8Array.from(integers(rows * 16, 1, 256)),
  targets: Uint8Array.from(integers(rows, 2, 4)),
  inputShape: [4, 4],
});

function makeTrainer(on: Device = device()) {
  manualSeed(3);
  return createTrainer(on, {
    model: nn.sequential(nn.flatten(), nn.linear(16, 32), nn.relu(), nn.linear(32, 4)),
    loss: nn.crossEntropyLoss(),
    optimizer: optim.sgd({ lr: 0.05 }),
    batchSize: 64,
    input: { shape: [4, 4], dtype: 'u8' }, // what is made, is made now
  });
}

describe('training', () => {
  /** 60 steps of which each seems to take `slower` times as long; calls are counted once it is known how long. */
  const stepsOn = async (on: Device, slower: number) => {
    const real = performance.now.bind(performance);
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => slower * real());
    const trainer = await makeTrainer(on);
    const train = dataLoader(dataset, { batchSize: 64 });
    let warm: ReturnType<typeof countCalls> | undefined;
    for await (const event of trainer.fit(train, { epochs: 1, steps: 60 }))
      if (event.type === 'progress') warm ??= event.batch >= 20 ? countCalls(on.gpu) : undefined;
    warm?.stop();
    clock.mockRestore();
    const parameters = await trainer.parameters();
    const { dispatches } = trainer.describe();
    trainer.destroy();
    const count = (name: string) => warm?.counts.get(name) ?? 0;
    for (const name of created) expect(count(name), name).toBe(0);
    return {
      parameters,
      dispatches: dispatches.length,
      submits: count('submit'),
      chunks: count('writeBuffer') / 2,
    };
  };
  /** A step of 0.1 ms then seems to take a second. */
  const long = 10_000;

  it('submits a step in parts where it takes long on a GPU that others may want, with the same numbers', async () => {
    const hardware: Device = Object.create(device(), {
      info: { value: { ...device().info, software: false } },
    });
    const [whole, parts] = [await stepsOn(hardware, 1), await stepsOn(hardware, long)];
    expect(parts.dispatches).toBeGreaterThan(2);
    expect(parts.chunks).toBeGreaterThan(30); // a step each
    expect(parts.submits).toBeGreaterThan(2 * parts.chunks);
    expect(parts.submits).toBeLessThanOrEqual(parts.dispatches * parts.chunks);
    expect(parts.parameters).toEqual(whole.parameters);
  });

  it('submits a step of a software adapter at once, however long it takes, but not in a page', async () => {
    const { submits, chunks } = await stepsOn(device(), long);
    expect(chunks).toBeGreaterThan(30);
    if (typeof document === 'undefined') expect(submits).toBe(chunks);
    else expect(submits).toBeGreaterThan(2 * chunks); // the browser draws in between
  });

  it('creates nothing after warm-up, and writes twice and submits once a chunk, over 3,200 steps', async () => {
    const trainer = await makeTrainer();
    const train = dataLoader(dataset, { batchSize: 64 });
    let chunks = 0;
    let warm: ReturnType<typeof countCalls> | undefined;
    let bytes = 0;
    for await (const event of trainer.fit(train, { epochs: 9 })) {
      if (event.type === 'epoch' && event.epoch === 1) {
        warm = countCalls(device().gpu);
        bytes = device().bytes;
      }
      if (event.type === 'progress' && warm !== undefined) chunks++;
    }
    warm?.stop();
    expect(trainer.steps).toBe(9 * 400);
    for (const name of created) expect(warm?.counts.get(name) ?? 0, name).toBe(0);
    expect(warm?.counts.get('submit')).toBe(chunks);
    expect(warm?.counts.get('writeBuffer')).toBe(2 * chunks);
    expect(chunks, 'many steps share a command buffer').toBeLessThan((8 * 400) / 2);
    expect(device().bytes).toBe(bytes);
    trainer.destroy();
  }, 300_000);

  it('keeps its chunks large for a slow consumer of the events', async () => {
    const trainer = await makeTrainer();
    const train = dataLoader(dataset, { batchSize: 64 });
    for await (const _ of trainer.fit(train, { epochs: 1 })); // warm-up
    const chunks = new Map<number, number>(); // in each epoch
    for await (const event of trainer.fit(train, { epochs: 6 })) {
      if (event.type !== 'progress') continue;
      chunks.set(event.epoch, (chunks.get(event.epoch) ?? 0) + 1);
      await new Promise((resolve) => setTimeout(resolve, 50)); // more than a chunk is to take
    }
    // Learning from the consumer's time, a chunk would shrink by a fifth each time: to one step, long before the last epoch.
    const [first = 0, last = 0] = [chunks.get(2), chunks.get(7)];
    expect(last, `chunks of 400 steps in the last epoch; ${first} in the first`).toBeLessThan(
      Math.max(100, 4 * first),
    );
    trainer.destroy();
  }, 120_000);

  it('keeps at most two chunks in flight, and their results in order', async () => {
    const trainer = await makeTrainer();
    const { counts, stop } = countCalls(device().gpu);
    let finished = 0;
    let last = 0;
    for await (const event of trainer.fit(dataLoader(dataset, { batchSize: 64 }), {
      epochs: 1,
      logEvery: 1,
    })) {
      if (event.type === 'step') {
        expect(event.step).toBe(last + 1);
        last = event.step;
      }
      if (event.type === 'progress') {
        finished++;
        expect((counts.get('writeBuffer') ?? 0) / 2 - finished).toBeLessThanOrEqual(2);
      }
    }
    stop();
    expect(last).toBe(400);
    trainer.destroy();
  });
});
