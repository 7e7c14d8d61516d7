// tuneModel: every product of a model is measured once, by every variant that the adapter has; what is chosen is used, and
// computes the same.

import { expect, it } from 'vitest';
import {
  createTrainer,
  type Device,
  dataLoader,
  fromArrays,
  manualSeed,
  nn,
  optim,
  type TuneEvent,
  tuneModel,
  withoutKernels,
  withVariants,
} from '../../src/index.ts';
import { matmulChoice } from '../../src/ops/matmul.ts';
import { floats, integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();
const [features, hidden, classes, batchSize] = [28, 36, 10, 12];

function options() {
  manualSeed(5);
  return {
    model: nn.sequential(nn.linear(features, hidden), nn.relu(), nn.linear(hidden, classes)),
    loss: nn.crossEntropyLoss(),
    optimizer: optim.sgd({ lr: 0.1 }),
    batchSize,
    input: { shape: [features], dtype: 'f32' } as const,
  };
}

async function tuned(on: Device, budget: number): Promise<TuneEvent[]> {
  const events: TuneEvent[] = [];
  for await (const event of tuneModel(on, { ...options(), budget, repeats: 3 })) events.push(event);
  return events;
}

/** The variants of a step, by problem, and the losses of some steps. */
async function train(on: Device) {
  const trainer = await createTrainer(on, options());
  const chosen = trainer.describe().dispatches.flatMap((dispatch) => matmulChoice(dispatch) ?? []);
  const rows = 60;
  const dataset = fromArrays({
    inputs: floats(rows * features, 1),
    targets: Int32Array.from(integers(rows, 2, classes)),
    inputShape: [features],
  });
  const losses: number[] = [];
  for await (const event of trainer.fit(dataLoader(dataset, { batchSize }), { epochs: 1, logEvery: 1 }))
    if (event.type === 'step') losses.push(event.loss);
  trainer.destroy();
  return { variants: new Map(chosen.map(({ problem, variant }) => [problem, variant.name])), losses };
}

it('measures each product by every variant, and what it names is used and computes the same', async () => {
  const before = device().bytes;
  const events = await tuned(device(), 600);
  expect(device().bytes).toBe(before);
  const untuned = await train(device());
  const problems = events.map(({ problem }) => problem);
  expect(new Set(problems).size).toBe(problems.length);
  for (const [problem, name] of untuned.variants) {
    const event = events.find((candidate) => candidate.problem === problem);
    expect(event?.candidates[0]?.variant, problem).toBe(name);
  }
  for (const { candidates, skipped, best } of events) {
    expect(skipped).toEqual([]);
    expect(candidates.length).toBeGreaterThan(1);
    expect(candidates.map(({ variant }) => variant)).toContain(best);
    for (const { seconds, lowest, highest } of candidates) {
      expect(lowest).toBeLessThanOrEqual(seconds);
      expect(seconds).toBeLessThanOrEqual(highest);
    }
  }
  // Not the best ones, which may be those in use: the last ones.
  const others = new Map(
    events.map(({ problem, candidates }) => [problem, candidates.at(-1)?.variant as string]),
  );
  const changed = await train(withVariants(device(), others));
  for (const [problem, name] of changed.variants) expect(name, problem).toBe(others.get(problem));
  changed.losses.forEach((loss, i) => {
    expect(loss).toBeCloseTo(untuned.losses[i] as number, 5);
  });
});

it('compiles no more than one variant of each when its time is over, and says which were left out', async () => {
  for (const { candidates, skipped, best } of await tuned(device(), 0)) {
    expect(candidates).toHaveLength(1);
    expect(best).toBe(candidates[0]?.variant);
    expect(skipped.length).toBeGreaterThan(0);
  }
});

it('names that the adapter cannot use are passed over', async () => {
  const { variants } = await train(device());
  const unknown = new Map([...variants.keys()].map((problem) => [problem, 'tile 7×7']));
  expect((await train(withVariants(device(), unknown))).variants).toEqual(variants);
  const named = new Map([...variants.keys()].map((problem) => [problem, 'subgroup 32×2×2']));
  const tiles = await train(withVariants(withoutKernels(device(), ['matmul_subgroup']), named));
  for (const name of tiles.variants.values()) expect(name).toMatch(/^tile /);
});

it('says so where there are no timestamps', async () => {
  const plain: Device = Object.create(device(), { features: { value: [] } });
  await expect(tuned(plain, 600)).rejects.toThrow(
    'tune: this adapter has no feature timestamp-query, which times what runs on the GPU; the untuned choices stay in use',
  );
});
