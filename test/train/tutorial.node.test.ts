// The reference job on real FashionMNIST against what PyTorch computed for it (test/fixtures/tutorial.json).

import { readFileSync } from 'node:fs';
import { expect, inject, it } from 'vitest';
import {
  createTrainer,
  dataLoader,
  datasets,
  manualSeed,
  nn,
  optim,
  type TrainEvent,
  type Trainer,
  take,
} from '../../src/index.ts';
import { useDevice } from '../support/device.ts';

interface Run {
  readonly seed: number;
  readonly losses: readonly { readonly batch: number; readonly loss: number }[];
  readonly epochs: readonly { readonly epoch: number; readonly accuracy: number; readonly loss: number }[];
}

const device = useDevice();
const runs: Run[] = JSON.parse(
  readFileSync(new URL('../fixtures/tutorial.json', import.meta.url), 'utf8'),
).runs;
const runOf = (seed: number) => runs.find((run) => run.seed === seed) as Run;

async function tutorialTrainer(seed: number, plain: boolean): Promise<Trainer> {
  manualSeed(seed);
  const model = nn.sequential({
    flatten: nn.flatten(),
    linear_relu_stack: nn.sequential(
      nn.linear(784, 512),
      nn.relu(),
      nn.linear(512, 512),
      nn.relu(),
      nn.linear(512, 10),
    ),
  });
  return createTrainer(device(), {
    model,
    loss: nn.crossEntropyLoss(),
    optimizer: optim.sgd({ lr: 1e-3 }),
    batchSize: 64,
    plain,
  });
}

async function collect(events: AsyncIterable<TrainEvent>): Promise<TrainEvent[]> {
  const all: TrainEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

function expectLosses(events: readonly TrainEvent[], seed: number, batches: number): void {
  const found = events.filter((event) => event.type === 'step');
  const expected = runOf(seed).losses.filter(({ batch }) => batch < batches);
  expect(found.map(({ step }) => step)).toEqual(expected.map(({ batch }) => batch + 1));
  expect(found.map(({ samples }) => samples)).toEqual(expected.map(({ batch }) => 64 * (batch + 1)));
  // Sums are taken in another order than PyTorch's; the differences grow from 1e-7 as the weights drift apart.
  const worst = Math.max(...expected.map(({ loss }, i) => Math.abs((found[i]?.loss as number) - loss)));
  expect(worst).toBeLessThan(1e-4);
}

it('follows PyTorch through epoch 1 of seed 0, and evaluates to the same accuracy and loss', async () => {
  // SwiftShader takes ten times as long as lavapipe for a step: the first 101 of the 938 batches must do there.
  const whole = inject('driver') !== 'swiftshader';
  const all = await datasets.fashionMnist('train');
  const train = dataLoader(whole ? all : take(all, 64 * 101), { batchSize: 64 });
  const test = dataLoader(await datasets.fashionMnist('test'), { batchSize: 64 });
  const trainer = await tutorialTrainer(0, false);
  const events = await collect(trainer.fit(train, { epochs: 1, validate: test }));
  expectLosses(events, 0, whole ? 938 : 101);
  const { validation } = events.find((event) => event.type === 'epoch') ?? {};
  expect(validation?.confusion.flat().reduce((a, b) => a + b, 0)).toBe(10_000);
  if (whole) {
    const { loss, accuracy } = runOf(0).epochs[0] as Run['epochs'][0];
    expect(Math.abs((validation?.loss as number) - loss)).toBeLessThan(1e-4);
    expect(Math.abs((validation?.accuracy as number) - accuracy)).toBeLessThan(2e-4);
  }
  const keys = [...(await trainer.parameters()).keys()];
  expect(keys).toEqual(
    [0, 2, 4].flatMap((l) => [`linear_relu_stack.${l}.weight`, `linear_relu_stack.${l}.bias`]),
  );
  trainer.destroy();
}, 900_000);

it.each([
  { seed: 1, plain: false },
  { seed: 0, plain: true },
])('follows PyTorch for 101 batches, %o', async ({ seed, plain }) => {
  const train = dataLoader(take(await datasets.fashionMnist('train'), 64 * 101), { batchSize: 64 });
  const trainer = await tutorialTrainer(seed, plain);
  expectLosses(await collect(trainer.fit(train, { epochs: 1 })), seed, 101);
  trainer.destroy();
});
