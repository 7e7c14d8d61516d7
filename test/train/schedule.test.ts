// Learning-rate schedules in fit: that each step really uses its rate, which counts they go by, what they observe, and
// what is refused before the first step. The rates themselves: test/optim/schedules.test.ts.

import { describe, expect, it } from 'vitest';
import { dataLoader, fromArrays, manualSeed, nn, optim, type TrainEvent } from '../../src/index.ts';
import { createTrainer, type Trainer } from '../../src/train/trainer.ts';
import { floats, integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();

const rows = 44;
const batchSize = 8;
/** The last of an epoch's batches has 4 rows. */
const batches = 6;
const dataset = fromArrays({
  inputs: floats(rows * 12, 1),
  targets: Int32Array.from(integers(rows, 2, 3)),
  inputShape: [12],
});
const data = () => dataLoader(dataset, { batchSize, shuffle: true });

function smallTrainer(plain = false, optimizer: optim.Optimizer = optim.sgd({ lr: 0.2 })) {
  manualSeed(7);
  const model = nn.sequential(nn.linear(12, 16), nn.relu(), nn.linear(16, 3));
  return createTrainer(device(), { model, loss: nn.crossEntropyLoss(), optimizer, batchSize, plain });
}

async function collect(events: AsyncIterable<TrainEvent>): Promise<TrainEvent[]> {
  const all: TrainEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const ratesOf = (events: readonly TrainEvent[]) =>
  events.filter((event) => event.type === 'step').map(({ lr }) => lr);

/** Trains a new trainer for some epochs, batch by batch, at the rates given. */
async function byHand(rates: readonly number[], epochs: number, plain = false): Promise<Uint8Array> {
  const trainer = await smallTrainer(plain);
  const loader = data();
  let step = 0;
  for (let epoch = 0; epoch < epochs; epoch++)
    for (const batch of loader.epoch(epoch)) {
      trainer.optimizer.lr = rates[step++] as number;
      trainer.step(batch);
    }
  const weights = await trainer.save();
  trainer.destroy();
  return weights;
}

const warmUp = optim.linearLr({ startFactor: 0.1, totalIters: 9 });
const decay = optim.stepLr({ stepSize: 1, gamma: 0.5 });
const expectedRates = (schedule: optim.Schedule, epochs: number) =>
  Array.from({ length: epochs * batches }, (_, steps) =>
    schedule.lr({ steps, epochs: Math.floor(steps / batches) }, 0.2),
  );

describe.each([
  { name: 'plain', plain: true },
  { name: 'fused', plain: false },
])('$name', ({ plain }) => {
  it.each([
    ['by steps', warmUp],
    ['by epochs', decay],
    ['by both', optim.chainedScheduler([warmUp, decay])],
    ['that ignores the optimizer’s', optim.oneCycleLr({ maxLr: 0.5, epochs: 3, stepsPerEpoch: batches })],
  ])('a schedule %s gives the weights of the same rates set by hand', async (_, schedule) => {
    const trainer = await smallTrainer(plain);
    const events = await collect(trainer.fit(data(), { epochs: 3, schedule, logEvery: 1 }));
    const expected = expectedRates(schedule, 3);
    expect(new Set(expected).size).toBeGreaterThan(2);
    expect(ratesOf(events)).toEqual(expected);
    expect(await trainer.save()).toEqual(await byHand(expected, 3, plain));
    expect(trainer.optimizer.lr).toBe(0.2); // its own one is still there
    trainer.destroy();
  });
});

it('a second fit goes on where the first ended: 1 + 2 epochs = 3', async () => {
  const schedule = optim.chainedScheduler([warmUp, decay]);
  const [a, b] = [await smallTrainer(), await smallTrainer()];
  const loader = data(); // remembers the order of its epochs
  await collect(a.fit(loader, { epochs: 3, schedule }));
  const before = await collect(b.fit(loader, { epochs: 1, schedule, logEvery: 1 }));
  const after = await collect(b.fit(loader, { epochs: 2, schedule, logEvery: 1 }));
  expect([...ratesOf(before), ...ratesOf(after)]).toEqual(expectedRates(schedule, 3));
  expect(await b.save()).toEqual(await a.save());
  for (const trainer of [a, b]) trainer.destroy();
});

it('without a schedule, and with one, a rate changed by hand is obeyed', async () => {
  for (const schedule of [undefined, optim.constantLr({ factor: 0.5, totalIters: 100 })]) {
    const factor = schedule === undefined ? 1 : 0.5;
    const trainer = await smallTrainer();
    const rates = new Map<number, Set<number>>();
    const options = { epochs: 2, logEvery: 1, ...(schedule && { schedule }) };
    for await (const event of trainer.fit(data(), options)) {
      if (event.type === 'step') rates.set(event.epoch, (rates.get(event.epoch) ?? new Set()).add(event.lr));
      if (event.type === 'epoch') trainer.optimizer.lr = 0.02; // nothing of the next has been submitted yet
    }
    expect(rates).toEqual(
      new Map([
        [1, new Set([0.2 * factor])],
        [2, new Set([0.02 * factor])],
      ]),
    );
    trainer.destroy();
  }
});

it('each parameter group is scheduled from its own rate', async () => {
  const seen: number[][] = [[], []];
  const groups: optim.ParameterGroup[] = [{ lr: 0.2 }, { lr: 0.02, parameters: ['2.'] }];
  const sgd = optim.sgd({ lr: 0.2 });
  const optimizer: optim.Optimizer = {
    kind: 'spy',
    plainStep: false,
    get lr() {
      return (groups[0] as optim.ParameterGroup).lr;
    },
    set lr(lr) {
      (groups[0] as optim.ParameterGroup).lr = lr;
    },
    groups,
    state: {},
    writeHyper(_view, _offset, group) {
      (seen[group] as number[]).push((groups[group] as optim.ParameterGroup).lr);
    },
    record: sgd.record,
  };
  const trainer = await smallTrainer(false, optimizer);
  await collect(trainer.fit(data(), { epochs: 2, schedule: decay }));
  const each = (lr: number) => [...Array(batches).fill(lr), ...Array(batches).fill(lr / 2)];
  expect(seen).toEqual([each(0.2), each(0.02)]);
  expect(groups.map(({ lr }) => lr)).toEqual([0.2, 0.02]);
  trainer.destroy();
});

describe('reduceLrOnPlateau', () => {
  /** The rate of each epoch, and what was observed of it. */
  async function observed(trainer: Trainer, options: optim.PlateauOptions, validate: boolean) {
    const schedule = optim.reduceLrOnPlateau(options);
    const shown: number[] = [];
    const spy: optim.Schedule = {
      ...schedule,
      observe(metric) {
        shown.push(metric);
        schedule.observe(metric);
      },
    };
    const events = await collect(
      trainer.fit(data(), {
        epochs: 4,
        schedule: spy,
        logEvery: batches,
        ...(validate && { validate: dataLoader(dataset, { batchSize }) }),
      }),
    );
    const ended = events.filter((event) => event.type === 'epoch');
    trainer.destroy();
    return { shown, ended, rates: ratesOf(events) };
  }

  it('observes the validation’s loss after each epoch, and lowers the rate of the next', async () => {
    // An improvement by 100 is none: every epoch but the first is a bad one.
    const options = { patience: 0, factor: 0.5, threshold: 100, thresholdMode: 'abs' } as const;
    const { shown, ended, rates } = await observed(await smallTrainer(), options, true);
    expect(shown).toEqual(ended.map(({ validation }) => validation?.loss));
    expect(rates).toEqual([0.2, 0.2, 0.1, 0.05]);
  });

  it('observes the training’s loss without a validation', async () => {
    const { shown, ended, rates } = await observed(await smallTrainer(), { patience: 0 }, false);
    expect(shown).toEqual(ended.map(({ train }) => train.loss));
    expect(rates).toEqual([0.2, 0.2, 0.2, 0.2]); // it falls
  });

  it('observes the accuracy where the metric is to rise', async () => {
    const options = { mode: 'max', patience: 0, threshold: 1, thresholdMode: 'abs' } as const;
    const { shown, ended } = await observed(await smallTrainer(), options, true);
    expect(shown).toEqual(ended.map(({ validation }) => validation?.accuracy));
  });
});

describe('refused before the first step:', () => {
  it.each([
    [
      'a cycle shorter than the training',
      { schedule: optim.oneCycleLr({ maxLr: 1, totalSteps: 2 * batches - 1 }) },
      'asked for the rate of step 12; the cycle has 11',
    ],
    [
      'rates for other groups',
      { schedule: optim.oneCycleLr({ maxLr: [1, 1], totalSteps: 100 }) },
      'made for 2 parameter groups; the optimizer has 1',
    ],
    [
      'a rate that is none',
      { schedule: { kind: 'mine', every: 'step' as const, lr: () => Number.NaN } },
      'schedule mine: learning rate NaN',
    ],
    [
      'an accuracy to observe and no validation',
      { schedule: optim.reduceLrOnPlateau({ mode: 'max' }) },
      "expected the option 'validate'",
    ],
  ])('%s', async (_, options, message) => {
    const trainer = await smallTrainer();
    const before = await trainer.save();
    await expect(collect(trainer.fit(data(), { epochs: 2, ...options }))).rejects.toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining(message) }),
    );
    expect(trainer.steps).toBe(0);
    expect(await trainer.save()).toEqual(before);
    // A refused schedule leaves nothing behind.
    await collect(trainer.fit(data(), { epochs: 1 }));
    expect(trainer.steps).toBe(batches);
    trainer.destroy();
  });
});
