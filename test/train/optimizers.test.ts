// Whole networks trained by each optimizer, with clipping, groups and frozen parameters: against PyTorch
// (test/fixtures/optimizers.json), and the trainer's verbs against each other.

import { describe, expect, it } from 'vitest';
import {
  type Batch,
  canProfile,
  checkModel,
  createTrainer,
  manualSeed,
  nn,
  optim,
  type Trainer,
  type TrainerOptions,
} from '../../src/index.ts';
import { brokenBits } from '../../src/ops/sgd.ts';
import fixtures from '../fixtures/optimizers.json' with { type: 'json' };
import { expectWithin } from '../support/compare.ts';
import { floats, integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

type Kind = 'sgd' | 'adam' | 'adamw' | 'rmsprop' | 'adagrad';

const device = useDevice();
const { network } = fixtures;
const [features, hidden, classes, rows] = [6, 7, 4, 8];
const keys = ['0.weight', '0.bias', '2.weight', '2.bias'];

const batch: Batch = {
  index: 0,
  rows,
  inputs: Float32Array.from(network.inputs),
  targets: Int32Array.from(network.targets),
};

/** The fixture's network before its first step. */
async function trainerOf(
  optimizer: optim.Optimizer,
  options: Partial<TrainerOptions> = {},
): Promise<Trainer> {
  const trainer = await createTrainer(device(), {
    model: nn.sequential(nn.linear(features, hidden), nn.relu(), nn.linear(hidden, classes)),
    loss: nn.crossEntropyLoss(),
    optimizer,
    batchSize: rows,
    input: { shape: [features], dtype: 'f32' },
    ...options,
  });
  await trainer.load(new Map(keys.map((key, i) => [key, network.parameters[i] ?? []])));
  return trainer;
}

const verbs = (trainer: Trainer) => {
  trainer.zeroGrad();
  trainer.backward(batch);
  trainer.optimizerStep();
};

/** Relative to what is large, absolute to what is small. */
const near = (values: ArrayLike<number>, tolerance: number) =>
  Array.from(values, (value) => ({ value, bound: tolerance * (Math.abs(value) + 0.1) }));

async function expectParameters(name: string, trainer: Trainer, expected: readonly (readonly number[])[]) {
  const found = await trainer.parameters();
  keys.forEach((key, i) => {
    expectWithin(name, found.get(key) ?? [], near(expected[i] ?? [], 1e-5));
  });
}

const byName: Readonly<Record<string, () => optim.Optimizer>> = {
  'sgd with nesterov': () => optim.sgd({ lr: 0.2, momentum: 0.9, nesterov: true }),
  'sgd with decay': () => optim.sgd({ lr: 0.2, weightDecay: 0.01 }),
  sgd: () => optim.sgd({ lr: 0.2 }),
  adam: () => optim.adam({ lr: 0.01 }),
  amsgrad: () => optim.adam({ lr: 0.01, amsgrad: true }),
  adamw: () => optim.adamw({ lr: 0.01 }),
  rmsprop: () => optim.rmsprop({ centered: true, momentum: 0.9, eps: 1e-3 }),
  adagrad: () => optim.adagrad(),
};
const named = Object.entries(byName);

describe('follows PyTorch for five steps', () => {
  it.each(fixtures.trajectories)('by $kind $options $clip', async ({ kind, options, clip, ...expected }) => {
    for (const plain of [true, false]) {
      for (const whole of [true, false]) {
        const trainer = await trainerOf(optim[kind as Kind](options as never), { plain, ...clip });
        const losses: number[] = [];
        for (let step = 0; step < 5; step++) {
          if (whole) trainer.step(batch);
          else verbs(trainer);
          losses.push(await trainer.loss());
        }
        const clipped = Object.keys(clip).join('');
        expectWithin(`${kind} ${clipped} losses`, losses, near(expected.losses, 1e-5));
        await expectParameters(`${kind} ${clipped} parameters`, trainer, expected.parameters);
        trainer.destroy();
      }
    }
  });

  it('with groups, whose hyper-parameters change between steps', async () => {
    const momentum = 0.9;
    const second = { parameters: ['2.'], lr: 0.5, weightDecay: 0.1 };
    const optimizer = optim.sgd({ lr: 0.1, momentum, groups: [second] });
    const trainer = await trainerOf(optimizer);
    for (let step = 1; step <= 5; step++) {
      if (step === 3) {
        optimizer.lr = 0.02;
        Object.assign(optimizer.groups[1] ?? {}, { lr: 0.25, momentum: 0.5 });
      }
      trainer.step(batch);
    }
    await expectParameters('groups', trainer, fixtures.groups);
    trainer.destroy();
  });
});

describe.each(named)('%s', (_, make) => {
  it('steps as zeroGrad, backward and optimizerStep do', async () => {
    const [one, other] = [await trainerOf(make()), await trainerOf(make())];
    for (let step = 0; step < 3; step++) {
      one.step(batch);
      verbs(other);
    }
    const expected = await one.parameters();
    for (const [key, values] of await other.parameters())
      expectWithin('verbs', values, near(expected.get(key) ?? [], 1e-6));
    expect([one.steps, other.steps]).toEqual([3, 3]);
    one.destroy();
    other.destroy();
  });

  it('leaves frozen parameters as they are, and keeps nothing of them', async () => {
    const trainer = await trainerOf(make(), { frozen: ['0.'] });
    const before = await trainer.parameters();
    trainer.step(batch);
    verbs(trainer);
    const after = await trainer.parameters();
    for (const key of keys) {
      const same = expect(after.get(key));
      if (key.startsWith('0.')) same.toEqual(before.get(key));
      else same.not.toEqual(before.get(key));
    }
    const state = [...(await trainer.optimizerState()).keys()];
    const names = Object.keys(trainer.optimizer.state);
    expect(state).toEqual(names.flatMap((name) => [`2.weight.${name}`, `2.bias.${name}`]));
    trainer.destroy();
  });

  it('goes on where its state was read', async () => {
    const straight = await trainerOf(make());
    for (let step = 0; step < 3; step++) straight.step(batch);
    const resumed = await trainerOf(make());
    await resumed.load(await straight.save());
    resumed.loadOptimizerState(await straight.optimizerState(), { steps: straight.steps });
    for (const trainer of [straight, resumed]) for (let step = 0; step < 2; step++) trainer.step(batch);
    expect(await resumed.save()).toEqual(await straight.save());
    expect(await resumed.optimizerState()).toEqual(await straight.optimizerState());
    expect(resumed.steps).toBe(5);
    straight.destroy();
    resumed.destroy();
  });

  it('has kernels that are right, with clipping too', async () => {
    for (const clip of [{}, { clipGradNorm: 0.1 }, { clipGradValue: 0.1 }]) {
      manualSeed(1);
      const model = nn.sequential(nn.linear(features, classes));
      const input = { shape: [features], dtype: 'f32' } as const;
      const options = { model, loss: nn.crossEntropyLoss(), optimizer: make(), batchSize: rows, input };
      const kernels: string[] = [];
      for await (const event of checkModel(device(), { ...options, ...clip })) {
        if (event.type === 'verdict') expect(event.wrong).toEqual([]);
        else {
          kernels.push(event.kernel);
          expect(event, event.message).toMatchObject({ ok: true });
        }
      }
      expect(kernels.includes('clip_gradient')).toBe(Object.keys(clip).length > 0);
      expect(kernels.includes('sum_squares')).toBe('clipGradNorm' in clip);
    }
  });

  it('is as it was after its dispatches were timed', async (context) => {
    if (!canProfile(device())) return context.skip();
    const trainer = await trainerOf(make());
    trainer.step(batch);
    const [before, state, bytes] = [await trainer.save(), await trainer.optimizerState(), device().bytes];
    await trainer.profile({ repeats: 2 });
    expect(await trainer.save()).toEqual(before);
    expect(await trainer.optimizerState()).toEqual(state);
    expect(device().bytes).toBe(bytes);
    trainer.destroy();
  });
});

it('parts of a batch, each scaled by one over their number, add up to its gradients and its step', async () => {
  const [parts, size] = [4, 8];
  const inputs = floats(parts * size * features, 3);
  const targets = Int32Array.from(integers(parts * size, 4, classes));
  const part = (index: number, count: number): Batch => ({
    index,
    rows: count,
    inputs: inputs.slice(index * count * features, (index + 1) * count * features),
    targets: targets.slice(index * count, (index + 1) * count),
  });
  for (const clip of [{}, { clipGradNorm: 0.05 }]) {
    const options = { batchSize: parts * size, ...clip };
    const whole = await trainerOf(optim.adam({ lr: 0.01, eps: 1e-3 }), options);
    const split = await trainerOf(optim.adam({ lr: 0.01, eps: 1e-3 }), options);
    for (let step = 0; step < 2; step++) {
      whole.zeroGrad();
      whole.backward(part(0, parts * size));
      split.zeroGrad();
      for (let i = 0; i < parts; i++) split.backward(part(i, size), { scale: 1 / parts });
      if (step === 0) {
        const expected = await whole.gradients();
        for (const [key, values] of await split.gradients()) {
          const exact = expected.get(key) ?? new Float32Array();
          const largest = exact.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
          expectWithin(
            'accumulated',
            values,
            Array.from(exact, (value) => ({ value, bound: 1e-5 * largest })),
          );
        }
      }
      for (const trainer of [whole, split]) trainer.optimizerStep();
    }
    const expected = await whole.parameters();
    for (const [key, values] of await split.parameters())
      expectWithin('accumulated steps', values, near(expected.get(key) ?? [], 1e-5));
    whole.destroy();
    split.destroy();
  }
});

it.each([{ clipGradNorm: 0.1 }, { clipGradValue: 0.1 }])('%o', async (clip) => {
  const trainer = await trainerOf(optim.sgd({ lr: 0.1 }), { ...clip, keepGradients: true });
  trainer.step(batch);
  const clipped = [...(await trainer.gradients()).values()].flatMap((values) => [...values]);
  const norm = Math.hypot(...clipped);
  const largest = Math.max(...clipped.map(Math.abs));
  if ('clipGradNorm' in clip) expect(norm).toBeCloseTo(0.1, 5);
  else expect(largest).toBe(Math.fround(0.1));

  // What is not finite is not hidden.
  const broken = await trainer.parameters();
  broken.get('0.weight')?.fill(Number.NaN);
  await trainer.load(broken);
  verbs(trainer);
  expect(await trainer.loss()).toBeNaN();
  trainer.destroy();
});

it.each([{ clipGradNorm: 0.1 }, { clipGradValue: 0.1 }])(
  'a gradient that is infinite while the loss is not is reported in spite of %o',
  async (clip) => {
    // Weights of 0 keep huge inputs from the logits, and not from the weights' gradients.
    const trainer = await trainerOf(optim.sgd({ lr: 0.1 }), clip);
    const values = await trainer.parameters();
    values.get('0.weight')?.fill(0);
    values.get('0.bias')?.fill(1);
    await trainer.load(values);
    const huge = { ...batch, inputs: new Float32Array(rows * features).fill(3e38) };
    trainer.zeroGrad();
    trainer.backward(huge, { scale: 1e3 });
    expect(Number.isFinite(await trainer.loss())).toBe(true);
    trainer.optimizerStep();
    const loss = Float32Array.of(await trainer.loss());
    expect(new Uint32Array(loss.buffer)[0]).toBe(brokenBits);
    trainer.destroy();
  },
);

it('refuses limits and state that do not fit', async () => {
  const before = device().bytes;
  const refused = (options: Partial<TrainerOptions>) => trainerOf(optim.adam(), options);
  await expect(refused({ clipGradNorm: -1 })).rejects.toThrow(
    'createTrainer: clipGradNorm -1: expected a finite',
  );
  await expect(refused({ clipGradValue: Number.NaN })).rejects.toThrow('createTrainer: clipGradValue NaN');
  // @ts-expect-error one of them
  await expect(refused({ clipGradNorm: 1, clipGradValue: 1 })).rejects.toThrow('expected one of them');
  expect(device().bytes).toBe(before);

  const trainer = await trainerOf(optim.adam());
  trainer.step(batch);
  const state = await trainer.optimizerState();
  const wrong = new Map(state);
  wrong.delete('0.weight.exp_avg');
  wrong.set('2.bias.exp_avg_sq', new Float32Array(1));
  wrong.set('2.bias.momentum_buffer', new Float32Array(classes));
  expect(() => trainer.loadOptimizerState(wrong, { steps: 7 })).toThrow(
    'this optimizer state does not fit the model: 0.weight.exp_avg [7, 6] is missing; 2.bias.exp_avg_sq has 1 elements, ' +
      'expected [4]; 2.bias.momentum_buffer is not in the model. Nothing was loaded.',
  );
  expect(() => trainer.loadOptimizerState(state, { steps: -1 })).toThrow('steps -1: expected a whole number');
  expect(await trainer.optimizerState()).toEqual(state);
  expect(trainer.steps).toBe(1);
  trainer.destroy();
});
