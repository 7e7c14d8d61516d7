// Networks with each activation, with softmax layers and with linear layers without a bias follow PyTorch for five steps
// (test/fixtures/activations.json, made by scripts/torch_fixtures/activations.py), by the plain and the fused plan, with
// fit and with the three verbs.

import { describe, expect, it } from 'vitest';
import { checkModel, type Dataset, dataLoader, fromArrays, manualSeed, nn, optim } from '../../src/index.ts';
import { createTrainer, type Trainer } from '../../src/train/trainer.ts';
import fixtures from '../fixtures/activations.json' with { type: 'json' };
import { expectWithin } from '../support/compare.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();
const { batchSize, lr, features, inputs, targets, runs } = fixtures.trajectories;
type Run = (typeof runs)[number];
type LayerOf = Run['layers'][number];

const activations: Readonly<Record<string, () => nn.Layer>> = {
  relu: nn.relu,
  leakyRelu: () => nn.leakyRelu({ negativeSlope: 0.2 }),
  gelu: nn.gelu,
  geluTanh: () => nn.gelu({ approximate: 'tanh' }),
  sigmoid: nn.sigmoid,
  tanh: nn.tanh,
  silu: nn.silu,
  softmax: nn.softmax,
  logSoftmax: nn.logSoftmax,
};

function layerOf({ kind, ...linear }: LayerOf): nn.Layer {
  if (kind !== 'linear') return (activations[kind] as () => nn.Layer)();
  const { inputs: into, outputs, bias } = linear as { inputs: number; outputs: number; bias: boolean };
  return nn.linear(into, outputs, { bias });
}

const dataset: Dataset = fromArrays({
  inputs: Float32Array.from(inputs, (v) => v / 8),
  targets,
  inputShape: [features],
});

/** What the fixture keeps of a parameter: its first and last three values, its sum and its sum of absolute values. */
function summary(values: Float32Array): number[] {
  const total = (of: (v: number) => number) => values.reduce((sum, v) => sum + of(v), 0);
  return [...values.slice(0, 3), ...values.slice(-3), total((v) => v), total(Math.abs)];
}

/** Within the bound of PyTorch's float64 run; from its float32 run, which rounds too, at most twice as far. */
function expectNear(
  name: string,
  found: readonly number[],
  { float32, float64, bound }: { float32: number[]; float64: number[]; bound: number[] },
): void {
  const around = (values: readonly number[], times: number) =>
    values.map((value, i) => ({ value, bound: times * (bound[i] as number) }));
  expectWithin(`${name}, float64`, found, around(float64, 1));
  expectWithin(`${name}, float32`, found, around(float32, 2));
}

async function expectTrained(name: string, run: Run, losses: readonly number[], trainer: Trainer) {
  expectNear(`${name} losses`, losses, run.losses);
  const found = await trainer.parameters();
  expect([...found.keys()]).toEqual(run.parameters.map((parameter) => parameter.name));
  for (const parameter of run.parameters)
    expectNear(`${name} weights`, summary(found.get(parameter.name) as Float32Array), parameter);
}

const named = runs.map((run) => ({ ...run, text: run.layers.map(({ kind }) => kind).join(' ') }));

describe.each([
  { name: 'plain', plain: true, keepGradients: false },
  { name: 'fused', plain: false, keepGradients: false },
  { name: 'fused, gradients kept', plain: false, keepGradients: true },
])('$name', ({ name, plain, keepGradients }) => {
  const prepare = (run: Run) => {
    manualSeed(run.seed);
    const model = nn.sequential(...run.layers.map(layerOf));
    const [loss, optimizer] = [nn.crossEntropyLoss(), optim.sgd({ lr })];
    return createTrainer(device(), { model, loss, optimizer, batchSize, plain, keepGradients });
  };

  it.each(named)('$text: fit follows PyTorch', async (run) => {
    const trainer = await prepare(run);
    const losses: number[] = [];
    for await (const event of trainer.fit(dataLoader(dataset, { batchSize }), { epochs: 1, logEvery: 1 })) {
      if (event.type === 'step') losses.push(event.loss);
    }
    await expectTrained(`fit ${name}`, run, losses, trainer);
    trainer.destroy();
  });

  it.each(named)('$text: the three verbs follow PyTorch', async (run) => {
    const trainer = await prepare(run);
    const losses: number[] = [];
    for (const batch of dataLoader(dataset, { batchSize }).epoch(0)) {
      trainer.zeroGrad();
      trainer.backward(batch);
      losses.push(await trainer.loss());
      trainer.optimizerStep();
    }
    await expectTrained(`verbs ${name}`, run, losses, trainer);
    trainer.destroy();
  });
});

describe('the check of a model', () => {
  /** Kernels of the model's own dispatches that were found wrong. */
  async function wrongIn(layers: readonly LayerOf[]): Promise<readonly string[]> {
    const model = nn.sequential(...layers.map(layerOf));
    const [loss, optimizer] = [nn.crossEntropyLoss(), optim.sgd({ lr })];
    const input = { shape: [features], dtype: 'f32' } as const;
    let wrong: readonly string[] = ['no verdict'];
    for await (const event of checkModel(device(), { model, loss, optimizer, batchSize, input })) {
      if (event.type === 'verdict') wrong = event.wrong;
      else expect(event.ok, `${event.kernel} ${event.variant}: ${event.message}`).toBe(true);
    }
    return wrong;
  }

  it.each(named)('finds the kernels of $text right', async ({ layers }) => {
    expect(await wrongIn(layers)).toEqual([]);
  });
});
