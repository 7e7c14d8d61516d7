// Twenty steps of small networks against what PyTorch computed for them (test/fixtures/trajectories.json, made by
// scripts/torch-fixtures.py): the loss of every step and the weights after the last.
// Besides PyTorch's float32 run the fixture has the same run in float64, and for each number a bound on what rounding can
// make of it (`roundoff_of` in the script): |derivative by| × rounding of every value rounded on the way, for the accuracy
// that WGSL asks for. It grows two- to fourfold over the steps.

import { describe, expect, it } from 'vitest';
import {
  createTrainer,
  dataLoader,
  fromArrays,
  manualSeed,
  nn,
  optim,
  type Trainer,
} from '../../src/index.ts';
import fixtures from '../fixtures/trajectories.json' with { type: 'json' };
import { expectWithin } from '../support/compare.ts';
import { useDevice } from '../support/device.ts';

type Run = (typeof fixtures.runs)[number];

/** Numbers of PyTorch's two runs, and how far float32 may be from the float64 ones. */
interface Expected {
  readonly float32: readonly number[];
  readonly float64: readonly number[];
  readonly bound: readonly number[];
}

const device = useDevice();

/** Model, trainer and loader in PyTorch's order, so that weights and shuffling draw what PyTorch drew. */
async function prepare(run: Run, plain: boolean) {
  const { seed, sizes, batchSize, lr, shuffle, u8, inputs, targets } = run;
  manualSeed(seed);
  const layers = sizes.slice(1).flatMap((outputs, l) => {
    const linear = nn.linear(sizes[l] as number, outputs);
    return l === sizes.length - 2 ? [linear] : [linear, nn.relu()];
  });
  const dataset = fromArrays({
    inputs: u8 ? Uint8Array.from(inputs) : Float32Array.from(inputs, (v) => v / 8),
    targets,
    inputShape: [sizes[0] as number],
    classes: Array.from({ length: sizes.at(-1) as number }, (_, i) => `class ${i}`),
  });
  const trainer = await createTrainer(device(), {
    model: nn.sequential(...layers),
    loss: nn.crossEntropyLoss(),
    optimizer: optim.sgd({ lr }),
    batchSize,
    plain,
  });
  return { trainer, loader: dataLoader(dataset, { batchSize, shuffle }) };
}

/** Within the bound of the float64 run; from the float32 run, which rounds too, at most twice as far. */
function expectNear(name: string, found: readonly number[], { float32, float64, bound }: Expected): void {
  const around = (values: readonly number[], runs: number) =>
    values.map((value, i) => ({ value, bound: runs * (bound[i] as number) }));
  expectWithin(`${name}, float64`, found, around(float64, 1));
  expectWithin(`${name}, float32`, found, around(float32, 2));
}

/** What the fixture keeps of a parameter: its first and last three values, its sum and its sum of absolute values. */
function summary(values: Float32Array): number[] {
  const total = (of: (v: number) => number) => values.reduce((sum, v) => sum + of(v), 0);
  return [...values.slice(0, 3), ...values.slice(-3), total((v) => v), total(Math.abs)];
}

async function expectTrained(name: string, run: Run, losses: readonly number[], trainer: Trainer) {
  expect(losses.length).toBe(20);
  expectNear(`${name} losses`, losses, run.losses);
  const found = await trainer.parameters();
  expect([...found.keys()]).toEqual(run.parameters.map((parameter) => parameter.name));
  for (const parameter of run.parameters) {
    expectNear(`${name} weights`, summary(found.get(parameter.name) ?? new Float32Array()), parameter);
  }
}

describe.each([
  { name: 'plain', plain: true },
  { name: 'fused', plain: false },
])('$name', ({ name, plain }) => {
  it.each(fixtures.runs)('fit follows PyTorch for 20 steps of $sizes, lr $lr, u8 $u8', async (run) => {
    const { trainer, loader } = await prepare(run, plain);
    const losses: number[] = [];
    for await (const event of trainer.fit(loader, { epochs: run.epochs, logEvery: 1 })) {
      if (event.type === 'step') losses.push(event.loss);
    }
    await expectTrained(`fit ${name} [${run.sizes}]`, run, losses, trainer);
    trainer.destroy();
  });

  it.each(fixtures.runs)('the three verbs follow PyTorch for 20 steps of $sizes', async (run) => {
    const { trainer, loader } = await prepare(run, plain);
    const losses: number[] = [];
    for (let epoch = 0; epoch < run.epochs; epoch++) {
      for (const batch of loader.epoch(epoch)) {
        trainer.zeroGrad();
        trainer.backward(batch);
        losses.push(await trainer.loss());
        trainer.optimizerStep();
      }
    }
    await expectTrained(`verbs ${name} [${run.sizes}]`, run, losses, trainer);
    trainer.destroy();
  });
});
