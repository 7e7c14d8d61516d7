// Checkpoints: whatever moment training is left at, a trainer of another process goes on to the same bytes.

import { describe, expect, it } from 'vitest';
import {
  type DataLoader,
  type Dataset,
  dataLoader,
  decodeCheckpoint,
  decodeSafetensors,
  fromArrays,
  type HeddleError,
  manualSeed,
  nn,
  optim,
  type TrainEvent,
  transforms,
} from '../../src/index.ts';
import { createTrainer, type Trainer } from '../../src/train/trainer.ts';
import type { TrainerOptions } from '../../src/train/trainer-options.ts';
import { integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();
const [rows, batchSize, perEpoch] = [43, 8, 6];

const images = (seed: number): Dataset =>
  fromArrays({
    inputs: Uint8Array.from(integers(rows * 36, seed, 256)),
    targets: Int32Array.from(integers(rows, seed + 1, 3)),
    inputShape: [1, 6, 6],
    classes: ['a', 'b', 'c'],
  });
const data = { train: images(1), test: images(5) };

interface Training {
  readonly trainer: Trainer;
  readonly train: DataLoader;
  readonly test: DataLoader;
  readonly schedule: optim.Schedule;
}

/** All that a process begins with: a seed, a model with dropout and batch norm, loaders, a schedule that observes. */
async function begin(optimizer: optim.Optimizer, options: Partial<TrainerOptions> = {}): Promise<Training> {
  manualSeed(3);
  const model = nn.sequential(
    nn.conv2d(1, 4, 3, { bias: false }),
    nn.batchNorm2d(4),
    nn.relu(),
    nn.flatten(),
    nn.dropout(0.3),
    nn.linear(64, 3),
  );
  const trainer = await createTrainer(device(), {
    model,
    loss: nn.crossEntropyLoss(),
    optimizer,
    batchSize,
    ...options,
  });
  return {
    trainer,
    train: dataLoader(data.train, {
      batchSize,
      shuffle: true,
      transforms: [transforms.randomHorizontalFlip()],
    }),
    test: dataLoader(data.test, { batchSize }),
    schedule: optim.chainedScheduler([
      optim.reduceLrOnPlateau({ patience: 0, factor: 0.5, threshold: 0.5 }),
      optim.stepLr({ stepSize: 4, gamma: 0.9, every: 'step' }),
    ]),
  };
}

interface Length {
  readonly epochs: number;
  readonly steps?: number;
}

async function run({ trainer, train, test, schedule }: Training, length: Length): Promise<TrainEvent[]> {
  const all: TrainEvent[] = [];
  for await (const event of trainer.fit(train, { ...length, validate: test, schedule, logEvery: 1 }))
    all.push(event);
  return all;
}

const optimizers: Record<string, () => optim.Optimizer> = {
  sgd: () => optim.sgd({ lr: 0.05 }),
  'sgd with momentum': () => optim.sgd({ lr: 0.05, momentum: 0.9, nesterov: true, weightDecay: 0.01 }),
  adam: () => optim.adam({ lr: 0.01, amsgrad: true }),
  'adamw with groups': () =>
    optim.adamw({ lr: 0.01, groups: [{ parameters: /bias$/, weightDecay: 0, lr: 0.02 }] }),
  rmsprop: () => optim.rmsprop({ lr: 0.005, momentum: 0.5 }),
  adagrad: () => optim.adagrad({ lr: 0.05 }),
};

/** What an event says, but for how long things took. */
const timeless = (events: readonly TrainEvent[]) =>
  events
    .filter(({ type }) => type === 'step' || type === 'epoch')
    .map((event) => ({ ...event, seconds: 0, samplesPerSecond: 0 }));

describe.each(Object.entries(optimizers))('%s', (_, make) => {
  it.each([
    ['between epochs', 2 * perEpoch],
    ['within an epoch', 2 * perEpoch + 2],
    ['before the last step of an epoch', perEpoch - 1],
    ['before the first step', 0],
  ])('goes on %s as if nothing had happened', async (_name, at) => {
    const whole = await begin(make());
    const wholeEvents = await run(whole, { epochs: 4 });
    const expected = await whole.trainer.checkpoint();
    whole.trainer.destroy();

    const first = await begin(make());
    const firstEvents = at === 0 ? [] : await run(first, { epochs: 4, steps: at });
    const kept = await first.trainer.checkpoint(new Map([['note', 'mine']]));
    first.trainer.destroy();

    const second = await begin(make());
    expect(await second.trainer.restore(kept)).toEqual(new Map([['note', 'mine']]));
    expect(second.trainer.steps).toBe(at);
    const done = decodeCheckpoint(kept).state.epochs;
    const secondEvents = await run(second, { epochs: 4 - done });
    expect(await second.trainer.checkpoint()).toEqual(expected);
    expect(timeless([...firstEvents, ...secondEvents])).toEqual(timeless(wholeEvents));
    second.trainer.destroy();
  });
});

describe('a fit that was left', () => {
  it.each(['by its signal', 'by its consumer'])('%s goes on with the next one', async (how) => {
    const whole = await begin(optim.adam());
    await run(whole, { epochs: 2 });
    const expected = decodeCheckpoint(await whole.trainer.checkpoint());
    whole.trainer.destroy();

    const left = await begin(optim.adam());
    const { trainer, train, test: validate, schedule } = left;
    const control = new AbortController();
    for await (const { type } of trainer.fit(train, {
      ...{ epochs: 2, validate, schedule, signal: control.signal, logEvery: 1 },
    })) {
      if (type !== 'step' || trainer.steps < perEpoch + 2) continue;
      if (how === 'by its consumer') break;
      control.abort();
    }
    expect(trainer.steps).toBeGreaterThanOrEqual(perEpoch + 2);
    await run(left, { epochs: 2 - decodeCheckpoint(await trainer.checkpoint()).state.epochs });
    const { weights, optimizer, state } = decodeCheckpoint(await trainer.checkpoint());
    expect({ weights, optimizer, state }).toEqual({ ...expected, notes: undefined });
    trainer.destroy();
  });
});

describe('a checkpoint', () => {
  it('is a safetensors file with PyTorch’s keys, the optimizer’s beside them, and brings the loaders back', async () => {
    const training = await begin(optim.sgd({ lr: 0.05, momentum: 0.9 }));
    const { trainer } = training;
    await run(training, { epochs: 1 });
    const kept = await trainer.checkpoint();
    const { tensors, metadata } = decodeSafetensors(kept);
    expect([...tensors.keys()]).toEqual([
      ...['0.weight', '1.weight', '1.bias', '5.weight', '5.bias'],
      ...['1.running_mean', '1.running_var', '1.num_batches_tracked'],
      ...['0.weight', '1.weight', '1.bias', '5.weight', '5.bias'].map(
        (key) => `optimizer/${key}.momentum_buffer`,
      ),
    ]);
    expect(metadata.get('format')).toBe('pt');
    expect(await trainer.checkpoint()).toEqual(kept); // making one changes nothing

    // The same loaders, further on meanwhile, are brought back to where they were.
    await run(training, { epochs: 2 });
    const after = await trainer.checkpoint();
    await trainer.restore(kept);
    await run(training, { epochs: 2 });
    expect(await trainer.checkpoint()).toEqual(after);
    trainer.destroy();
  });

  it('holds at each checkpoint event what so many steps give', async () => {
    const training = await begin(optim.adam());
    const { trainer, train, test: validate, schedule } = training;
    const seen: [number, number, Uint8Array][] = [];
    for await (const event of trainer.fit(train, { epochs: 2, validate, schedule, checkpointEvery: 4 }))
      if (event.type === 'checkpoint') seen.push([event.epoch, event.step, await trainer.checkpoint()]);
    expect(seen.map(([epoch, step]) => [epoch, step])).toEqual([
      [1, 4],
      [2, 8], // and none at 12: the epoch event says it
    ]);
    trainer.destroy();
    for (const [, steps, kept] of seen) {
      const again = await begin(optim.adam());
      await run(again, { epochs: 2, steps });
      const { weights, optimizer } = decodeCheckpoint(await again.trainer.checkpoint());
      const found = decodeCheckpoint(kept);
      expect(found.weights).toEqual(weights);
      expect(found.optimizer).toEqual(optimizer);
      again.trainer.destroy();
    }
  });

  it('keeps hyper-parameters that were changed on the way', async () => {
    const a = await begin(optim.adam({ lr: 0.01 }));
    a.trainer.optimizer.lr = 0.002;
    const kept = await a.trainer.checkpoint();
    a.trainer.destroy();
    const b = await begin(optim.adam({ lr: 0.01 }));
    await b.trainer.restore(kept);
    expect(b.trainer.optimizer.lr).toBe(0.002);
    b.trainer.destroy();
  });

  it('is refused by a trainer of another kind, with nothing loaded', async () => {
    const source = await begin(optim.adam());
    const kept = await source.trainer.checkpoint();
    source.trainer.destroy();
    const small = () => nn.sequential(nn.flatten(), nn.linear(36, 3));
    for (const [others, code, message] of [
      [{ optimizer: optim.rmsprop() }, 'shape', /is of adam .* has rmsprop/],
      [{ seed: 9 }, 'usage', /seed 3.* from 9/],
      [
        { model: small() },
        'shape',
        /1\.weight is \[4\], expected \[3, 36\]; 1\.bias is \[4\], expected \[3\];/,
      ],
    ] as const) {
      const { trainer } = await begin(optim.adam(), others);
      const before = await trainer.save();
      const refused = await trainer.restore(kept).catch((error: HeddleError) => error);
      expect(refused).toMatchObject({ code, message: expect.stringMatching(message) });
      expect(await trainer.save()).toEqual(before);
      trainer.destroy();
    }
    const { trainer } = await begin(optim.adam());
    await expect(trainer.restore(await trainer.save())).rejects.toMatchObject({ code: 'file' });
    trainer.destroy();
  });

  it('from the midst of an epoch is refused with other data, before the first step', async () => {
    const { trainer, train, test } = await begin(optim.adam());
    await run({ trainer, train, test, schedule: optim.stepLr({ stepSize: 1 }) }, { epochs: 1, steps: 2 });
    await trainer.restore(await trainer.checkpoint());
    const other = dataLoader(data.train, { batchSize: 4 });
    await expect(trainer.fit(other, { epochs: 1 }).next()).rejects.toMatchObject({
      code: 'usage',
      message: expect.stringContaining('43 rows in 6 batches; this loader'),
    });
    expect(trainer.steps).toBe(2);
    trainer.destroy();
  });
});

describe('load', () => {
  it('takes what fits when asked to, and says what does not', async () => {
    const { trainer } = await begin(optim.adam());
    const before = await trainer.parameters();
    const bias = Float32Array.of(1, 2, 3);
    const source = new Map([
      ['5.bias', bias],
      ['5.weight', Float32Array.of(1)],
      ['head', bias],
    ]);
    const { loaded, differences } = await trainer.load(source, { partial: true });
    expect(loaded).toEqual(['5.bias']);
    expect(differences).toEqual([
      '0.weight [4, 1, 3, 3] is missing',
      '1.weight [4] is missing',
      '1.bias [4] is missing',
      '5.weight has 1 elements, expected [3, 64]',
      'head is not in the model',
    ]);
    expect(await trainer.parameters()).toEqual(new Map([...before, ['5.bias', bias]]));
    trainer.destroy();
  });
});
