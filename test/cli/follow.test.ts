import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type FollowOptions, follow } from '../../src/cli/follow.ts';
import { createRunFolder } from '../../src/cli/run-folder.ts';
import type { CliEvent, Sink } from '../../src/cli/sinks.ts';
import { HeddleError } from '../../src/errors.ts';
import { standingFrom } from '../../src/recipes/standing.ts';
import type { TrainEvent } from '../../src/train/events.ts';
import { temporaryFolder } from './support.ts';

interface Fake {
  readonly epochs: number;
  readonly signal?: AbortSignal;
  readonly atStep?: (step: number) => void;
  /** Of each epoch. */
  readonly accuracies?: readonly number[];
  /** A checkpoint event after each such step. */
  readonly checkpointAt?: readonly number[];
  /** Steps done before. */
  readonly from?: number;
}

/** A trainer whose checkpoint is the number of steps done; stops at a step boundary when aborted, as the real one does. */
function fakeTrainer({ epochs, signal, atStep, accuracies = [], checkpointAt = [], from = 0 }: Fake) {
  let step = from;
  async function* train(): AsyncGenerator<TrainEvent> {
    for (let epoch = from / 3 + 1; epoch <= epochs; epoch++) {
      for (let i = 0; i < 3; i++) {
        if (signal?.aborted) return;
        step++;
        yield { type: 'step', epoch, step, samples: i + 1, loss: 1 / step, lr: 0.1 };
        atStep?.(step);
        if (checkpointAt.includes(step)) yield { type: 'checkpoint', epoch, step };
      }
      const accuracy = accuracies[epoch - 1] ?? 0;
      const validation = { loss: 1, accuracy, confusion: [], ranks: [] };
      yield { type: 'epoch', epoch, seconds: 1, samplesPerSecond: 3, train: { loss: 1 }, validation };
    }
    yield { type: 'done', steps: step, seconds: 1, secondsPerStep: 0.1 };
  }
  return {
    train,
    get steps() {
      return step;
    },
    checkpoint: async () => new TextEncoder().encode(`after ${step}`),
  };
}

function recorder() {
  const seen: CliEvent[] = [];
  const sink: Sink = { event: (event) => void seen.push(event), close() {} };
  return { seen, sink };
}

/** A folder, what is in its files, and `follow` with all that it asks for. */
function setUp(fake: Fake, sink: Sink, own: Partial<FollowOptions> = {}) {
  const folder = createRunFolder({ kind: 'mlp', out: join(temporaryFolder(), 'run') });
  const trainer = fakeTrainer(fake);
  const standing = standingFrom(new Map());
  const file = (name: string) => readFileSync(join(folder.path, name), 'utf8');
  const run = () =>
    follow({
      events: trainer.train(),
      ...{ keepers: [folder], writers: [sink], folder, trainer, standing },
      watch: { reason: undefined },
      notes: new Map(),
      keep: 0,
      ...own,
    });
  return { folder, trainer, standing, file, run };
}

test('a whole run is passed on, its done event names the folder, its weights are the last', async () => {
  const { seen, sink } = recorder();
  const { folder, file, run } = setUp({ epochs: 2 }, sink);
  expect(await run()).toBe('done');
  expect(seen.map(({ type }) => type).join(' ')).toBe('step step step epoch step step step epoch done');
  expect(seen.at(-1)).toMatchObject({ type: 'done', run: folder.path });
  expect(file('last.safetensors')).toBe('after 6');
  expect(file('events.jsonl').trim().split('\n')).toHaveLength(9);
});

test('who is told of an epoch finds its weights, and the log has it', async () => {
  const found: string[] = [];
  const sink: Sink = {
    event(event) {
      if (event.type !== 'epoch') return;
      const line = JSON.parse(file('events.jsonl').trim().split('\n').at(-1) ?? '');
      found.push(`${file('last.safetensors')}, logged ${line.type} ${line.epoch}`);
    },
    close() {},
  };
  const { file, run } = setUp({ epochs: 2 }, sink);
  await run();
  expect(found).toEqual(['after 3, logged epoch 1', 'after 6, logged epoch 2']);
});

test('an epoch is told of before what is done behind it, which may fail', async () => {
  const { seen, sink } = recorder();
  const lost = new HeddleError('device-lost', 'gone');
  const { run, file } = setUp({ epochs: 2 }, sink, { onEpoch: () => Promise.reject(lost) });
  await expect(run()).rejects.toBe(lost);
  expect(seen.map(({ type }) => type).join(' ')).toBe('step step step epoch');
  expect(file('last.safetensors')).toBe('after 3');
});

test('the best epoch, and the last ones that were asked for, are kept beside the last', async () => {
  const { file, folder, run, standing } = setUp(
    { epochs: 4, accuracies: [0.5, 0.7, 0.6, 0.7] },
    recorder().sink,
    { keep: 2 },
  );
  await run();
  expect(file('best.safetensors')).toBe('after 6');
  expect(standing.best).toEqual({ epoch: 2, accuracy: 0.7, loss: 1 });
  expect(readdirSync(folder.path).filter((name) => name.startsWith('epoch'))).toEqual([
    'epoch-0003.safetensors',
    'epoch-0004.safetensors',
  ]);
  expect(file('epoch-0003.safetensors')).toBe('after 9');
});

test('a checkpoint event saves, and nobody is told of it', async () => {
  const { seen, sink } = recorder();
  const found: string[] = [];
  const { file, run } = setUp({ epochs: 1, checkpointAt: [2], atStep: (s) => s === 3 && look() }, sink);
  const look = () => found.push(file('last.safetensors'));
  await run();
  expect(found).toEqual(['after 2']);
  expect(file('events.jsonl')).not.toContain('checkpoint');
  expect(seen.filter(({ type }) => type === 'checkpoint')).toHaveLength(1); // whose text is empty
});

test('what is done again after a fault is kept again, and not told again', async () => {
  const first = recorder();
  const { run, standing, folder } = setUp(
    {
      epochs: 3,
      atStep(step) {
        if (step === 5) throw new HeddleError('device-lost', 'gone');
      },
    },
    first.sink,
  );
  await expect(run()).rejects.toMatchObject({ code: 'device-lost' });
  expect(standing.saved?.steps).toBe(3);

  const { seen, sink } = recorder();
  const again = fakeTrainer({ epochs: 2, from: 3 });
  const kept = recorder();
  await follow({
    events: again.train(),
    ...{ keepers: [kept.sink], writers: [sink], folder, trainer: again, standing, notes: new Map(), keep: 0 },
    watch: { reason: undefined },
  });
  const steps = (events: readonly CliEvent[]) => events.flatMap((e) => (e.type === 'step' ? [e.step] : []));
  expect(steps(first.seen)).toEqual([1, 2, 3, 4, 5]);
  expect(steps(seen)).toEqual([6]);
  expect(steps(kept.seen)).toEqual([4, 5, 6]);
});

test('a run that is asked to stop keeps the weights as they are at the next step', async () => {
  const abort = new AbortController();
  const { sink, seen } = recorder();
  const { file, run } = setUp(
    { epochs: 9, signal: abort.signal, atStep: (step) => step === 5 && abort.abort() },
    sink,
    { watch: { reason: { name: 'SIGINT', code: 130 } } },
  );
  expect(await run()).toBe('interrupted');
  expect(file('last.safetensors')).toBe('after 5');
  expect(seen.some(({ type }) => type === 'done')).toBe(false);
});

test('an error passes through; the last epoch’s weights stay', async () => {
  const { file, run } = setUp(
    {
      epochs: 9,
      atStep(step) {
        if (step === 5) throw new HeddleError('diverged', 'NaN');
      },
    },
    recorder().sink,
  );
  await expect(run()).rejects.toMatchObject({ code: 'diverged' });
  expect(file('last.safetensors')).toBe('after 3');
});

test('a writer that fails ends the run', async () => {
  const sink: Sink = {
    event() {
      throw new HeddleError('file', 'disk full');
    },
    close() {},
  };
  const { folder, run } = setUp({ epochs: 9 }, sink);
  await expect(run()).rejects.toMatchObject({ code: 'file' });
  expect(existsSync(join(folder.path, 'last.safetensors'))).toBe(false);
});
