import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { follow } from '../../src/cli/follow.ts';
import { createRunFolder } from '../../src/cli/run-folder.ts';
import type { CliEvent, Sink } from '../../src/cli/sinks.ts';
import { HeddleError } from '../../src/errors.ts';
import type { TrainEvent } from '../../src/train/events.ts';
import { temporaryFolder } from './support.ts';

/** A trainer whose weights are the number of steps done; stops at a step boundary when aborted, as the real one does. */
function fakeTrainer(epochs: number, signal?: AbortSignal, atStep: (step: number) => void = () => {}) {
  let step = 0;
  async function* train(): AsyncGenerator<TrainEvent> {
    for (let epoch = 1; epoch <= epochs; epoch++) {
      for (let i = 0; i < 3; i++) {
        if (signal?.aborted) return;
        step++;
        yield { type: 'step', epoch, step, samples: i + 1, loss: 1 / step, lr: 0.1 };
        atStep(step);
      }
      yield { type: 'epoch', epoch, seconds: 1, samplesPerSecond: 3, train: { loss: 1 } };
    }
    yield { type: 'done', steps: step, seconds: 1, secondsPerStep: 0.1 };
  }
  return { train, save: async () => new TextEncoder().encode(`after ${step}`) };
}

function recorder() {
  const seen: CliEvent[] = [];
  let closed = 0;
  const sink: Sink = {
    event: (event) => void seen.push(event),
    close: () => void closed++,
  };
  return { seen, sink, closed: () => closed };
}

function folderOf() {
  const folder = createRunFolder({ kind: 'mlp', out: join(temporaryFolder(), 'run') });
  return { folder, model: () => readFileSync(join(folder.path, 'last.safetensors'), 'utf8') };
}

test('a whole run is passed on, its done event names the folder, its weights are the last', async () => {
  const { seen, sink, closed } = recorder();
  const { folder, model } = folderOf();
  const { train, save } = fakeTrainer(2);
  const outcome = await follow({
    events: train(),
    sinks: [sink],
    folder,
    watch: { reason: undefined },
    save,
  });
  expect(outcome).toBe('done');
  expect(seen.map(({ type }) => type).join(' ')).toBe('step step step epoch step step step epoch done');
  expect(seen.at(-1)).toMatchObject({ type: 'done', run: folder.path });
  expect(model()).toBe('after 6');
  expect(closed()).toBe(1);
  expect(readFileSync(join(folder.path, 'events.jsonl'), 'utf8').trim().split('\n')).toHaveLength(9);
});

test('who is told of an epoch finds its weights', async () => {
  const { folder, model } = folderOf();
  const { train, save } = fakeTrainer(2);
  const found: string[] = [];
  const sink: Sink = { event: (event) => void (event.type === 'epoch' && found.push(model())), close() {} };
  await follow({ events: train(), sinks: [sink], folder, watch: { reason: undefined }, save });
  expect(found).toEqual(['after 3', 'after 6']);
});

test('a run that is asked to stop keeps the weights as they are at the next step', async () => {
  const abort = new AbortController();
  const { sink, seen, closed } = recorder();
  const { folder, model } = folderOf();
  const { train, save } = fakeTrainer(9, abort.signal, (step) => step === 5 && abort.abort());
  const watch = { reason: { name: 'SIGINT', code: 130 } as const };
  expect(await follow({ events: train(), sinks: [sink], folder, watch, save })).toBe('interrupted');
  expect(model()).toBe('after 5');
  expect(seen.some(({ type }) => type === 'done')).toBe(false);
  expect(closed()).toBe(1);
});

test('an error passes through; the last epoch’s weights stay', async () => {
  const { sink, closed } = recorder();
  const { folder, model } = folderOf();
  const { train, save } = fakeTrainer(9, undefined, (step) => {
    if (step === 5) throw new HeddleError('diverged', 'NaN');
  });
  const run = follow({ events: train(), sinks: [sink], folder, watch: { reason: undefined }, save });
  await expect(run).rejects.toMatchObject({ code: 'diverged' });
  expect(model()).toBe('after 3');
  expect(closed()).toBe(1);
});

test('a writer that fails ends the run', async () => {
  const { folder } = folderOf();
  const { train, save } = fakeTrainer(9);
  const sink: Sink = {
    event() {
      throw new HeddleError('file', 'disk full');
    },
    close() {},
  };
  const run = follow({ events: train(), sinks: [sink], folder, watch: { reason: undefined }, save });
  await expect(run).rejects.toMatchObject({ code: 'file' });
});
