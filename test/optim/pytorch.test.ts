// Every optimizer against torch.optim's (test/fixtures/optimizers.json, made by scripts/torch-fixtures.py), 5 and 200 steps on
// gradients of all sizes; and what an optimizer refuses.

import { describe, expect, it } from 'vitest';
import { beginCommands, endCommands } from '../../src/gpu/commands.ts';
import { type Plan, record } from '../../src/gpu/plan.ts';
import { read } from '../../src/gpu/readback.ts';
import { alignment, type Storage, type Tensor, view } from '../../src/gpu/tensor.ts';
import { bufferUsage } from '../../src/gpu/usage.ts';
import { optim } from '../../src/index.ts';
import type { HostTensor } from '../../src/ops/run.ts';
import { stepRecord } from '../../src/ops/step.ts';
import { hyperBytes, type Optimizer } from '../../src/optim/optimizer.ts';
import fixtures from '../fixtures/optimizers.json' with { type: 'json' };
import { expectWithin } from '../support/compare.ts';
import { useDevice } from '../support/device.ts';

type Case = (typeof fixtures.cases)[number];
type Kind = 'sgd' | 'adam' | 'adamw' | 'rmsprop' | 'adagrad';

const device = useDevice();
const size = 24;
const steps = 200;

/** What the script's `gradient` gives. */
function gradient(step: number, i: number): number {
  if (i === 0) return 0;
  const sixteenths = ((i * 7919 + step * 104_729 + i * step * 31) % 33) - 8;
  const scale = [1, 1e-20, 1e10, 1e-4, 100][i] ?? 1;
  return ((sixteenths || 1) / 16) * scale;
}

const optimizerOf = ({ kind, options }: Pick<Case, 'kind' | 'options'>): Optimizer =>
  optim[kind as Kind](options as never);

/** Steps on an optimizer's own arrays, whose gradients and hyper-parameters lie ready in rings of a slot a step. */
async function stepper(optimizer: Optimizer, start: readonly number[]) {
  const storages: Storage[] = [];
  const upload = (label: string, data: HostTensor['data'], slotStride = 0): Tensor => {
    const storage: Storage = { label, bytes: data.byteLength, buffer: undefined };
    device().allocate(
      storage,
      bufferUsage.storage | bufferUsage.uniform | bufferUsage.copySrc | bufferUsage.copyDst,
    );
    storages.push(storage);
    device().gpu.queue.writeBuffer(
      storage.buffer as unknown as GPUBuffer,
      0,
      data as Float32Array<ArrayBuffer>,
    );
    return view(storage, label, [slotStride > 0 ? size : data.length], { slotStride });
  };
  const words = alignment / 4;
  const gradients = new Float32Array(steps * words);
  const hypers = new Float32Array(steps * words);
  for (let s = 0; s < steps; s++) {
    for (let i = 0; i < size; i++) gradients[s * words + i] = gradient(s + 1, i);
    optimizer.writeHyper(new DataView(hypers.buffer), s * alignment, 0, s + 1);
  }
  const kept = Object.entries(optimizer.state).map(([name, initial]): [string, Tensor] => [
    name,
    upload(name, new Float32Array(size).fill(initial)),
  ]);
  const value = upload('value', Float32Array.from(start));
  const losses = upload('losses', new Float32Array(1));
  const tensors = {
    value,
    gradient: upload('gradient', gradients, alignment),
    state: Object.fromEntries(kept),
    hyper: { ...upload('hyper', hypers, alignment), shape: [hyperBytes / 4] },
    losses,
    step: upload('step', stepRecord({ lr: optimizer.lr }).data),
  };
  const plan: Plan = await record(device(), 'steps', steps, (recorder) =>
    optimizer.record(recorder, 0, tensors),
  );
  let done = 0;
  return {
    async until(step: number) {
      const commands = beginCommands(device(), 'steps');
      while (done < step) plan.encode(commands, done++);
      device().gpu.queue.submit([endCommands(commands)]);
      const found = [['value', value] as const, ['losses', losses] as const, ...kept];
      const arrays = await Promise.all(
        found.map(async ([name, tensor]) => [name, new Float32Array(await read(device(), tensor))] as const),
      );
      return Object.fromEntries(arrays);
    },
    destroy() {
      plan.destroy();
      for (const storage of storages) device().release(storage);
    },
  };
}

it.each(fixtures.cases)('$kind $options goes where PyTorch’s does', async ({ steps: expected, ...which }) => {
  const optimizer = optimizerOf(which);
  const { maximize = false } = which.options as { maximize?: boolean };
  const start = Array.from({ length: size }, (_, i) => (2.5 + i / 16) * (maximize ? 1 : -1));
  const run = await stepper(optimizer, start);
  for (const { step, ...arrays } of expected) {
    const { losses, ...found } = await run.until(step);
    expect([...(losses ?? [])]).toEqual([0]); // all is finite
    expect(Object.keys(found).sort()).toEqual(Object.keys(arrays).sort());
    const rtol = step === 5 ? 1e-5 : 1e-4;
    for (const [name, values] of Object.entries(arrays as Record<string, number[]>)) {
      // What is smaller than float32's normal numbers may be flushed to 0, in every step.
      const bounded = values.map((value) => ({ value, bound: rtol * Math.abs(value) + step * 2 ** -126 }));
      expectWithin(`${which.kind} ${name} after ${step}`, found[name] ?? [], bounded);
    }
  }
  run.destroy();
});

describe('refuses what PyTorch refuses', () => {
  it.each([
    [() => optim.sgd({ lr: -1 }), 'optim.sgd: lr -1: expected a finite number ≥ 0'],
    [() => optim.sgd({ lr: Number.NaN }), 'optim.sgd: lr NaN'],
    [() => optim.sgd({ lr: 1, momentum: -0.1 }), 'optim.sgd: momentum -0.1'],
    [() => optim.sgd({ lr: 1, weightDecay: -1 }), 'optim.sgd: weightDecay -1'],
    [
      // @ts-expect-error no momentum
      () => optim.sgd({ lr: 1, nesterov: true }),
      'optim.sgd: nesterov with momentum 0, dampening 0: expected momentum > 0 and no dampening',
    ],
    [
      // @ts-expect-error no dampening goes with it
      () => optim.sgd({ lr: 1, nesterov: true, momentum: 0.9, dampening: 0.1 }),
      'nesterov with momentum 0.9, dampening 0.1',
    ],
    [() => optim.adam({ betas: [1, 0.9] }), 'optim.adam: beta 1 1: expected a finite number ≥ 0 and < 1'],
    [() => optim.adam({ betas: [0.9, -0.1] }), 'optim.adam: beta 2 -0.1'],
    [() => optim.adam({ eps: -1 }), 'optim.adam: eps -1'],
    [() => optim.adamw({ weightDecay: -1 }), 'optim.adamw: weightDecay -1'],
    [() => optim.rmsprop({ alpha: -1 }), 'optim.rmsprop: alpha -1'],
    [() => optim.rmsprop({ momentum: -1 }), 'optim.rmsprop: momentum -1'],
    [() => optim.adagrad({ lrDecay: -1 }), 'optim.adagrad: lrDecay -1'],
    [
      () => optim.adagrad({ initialAccumulatorValue: -1 }),
      'optim.adagrad: initialAccumulatorValue -1: expected a finite number ≥ 0',
    ],
    [
      () => optim.adam({ groups: [{ parameters: ['0.weight'] }, { parameters: /bias/, lr: -1 }] }),
      'optim.adam: group 2: lr -1',
    ],
    [
      () =>
        optim.sgd({ lr: 1, momentum: 0.9, nesterov: true, groups: [{ parameters: /bias/, momentum: 0 }] }),
      'optim.sgd: group 1: nesterov with momentum 0',
    ],
  ])('%s', (make, message) => {
    expect(make).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining(message) }),
    );
  });
});

it('groups inherit the optimizer’s options, lr is the first group’s', () => {
  const parameters = /bias/;
  const optimizer = optim.adamw({ lr: 0.1, betas: [0.5, 0.6], groups: [{ parameters, weightDecay: 0 }] });
  const betas = [0.5, 0.6];
  expect(optimizer.groups).toEqual([
    { lr: 0.1, betas, eps: 1e-8, weightDecay: 0.01, maximize: false },
    { lr: 0.1, betas, eps: 1e-8, weightDecay: 0, maximize: false, parameters },
  ]);
  optimizer.lr = 0.2;
  expect(optimizer.groups.map(({ lr }) => lr)).toEqual([0.2, 0.1]);
});

it('refuses momentum that comes after no buffer was made for it', () => {
  const write = (optimizer: Optimizer) => () =>
    optimizer.writeHyper(new DataView(new ArrayBuffer(hyperBytes)), 0, 0, 1);
  const plain = optim.sgd({ lr: 1 });
  const decaying = optim.sgd({ lr: 1, weightDecay: 0.1 });
  const rmsprop = optim.rmsprop();
  for (const optimizer of [plain, decaying, rmsprop]) {
    expect(write(optimizer)).not.toThrow();
    for (const group of optimizer.groups) group.momentum = 0.9;
    expect(write(optimizer)).toThrow(expect.objectContaining({ code: 'usage' }));
  }
  const maximizing = optim.sgd({ lr: 1 });
  for (const group of maximizing.groups) group.maximize = true;
  expect(write(maximizing)).toThrow('optim.sgd: momentum, weightDecay or maximize was changed');
});

it('leaves the momentum of a group that has none for a while as it is', () => {
  const optimizer = optim.sgd({ lr: 1, momentum: 0.9, dampening: 0.25 });
  const [group] = optimizer.groups;
  const fields = () => {
    const view = new DataView(new ArrayBuffer(hyperBytes));
    optimizer.writeHyper(view, 0, 0, 2);
    return Array.from({ length: 7 }, (_, i) => view.getFloat32(4 * i, true));
  };
  // lr, weight decay, direction; what the buffer and the gradient count in the buffer, and the two in the step
  expect(fields()).toEqual([1, 0, 1, Math.fround(0.9), 0.75, 0, 1]);
  if (group !== undefined) group.momentum = 0;
  expect(fields()).toEqual([1, 0, 1, 1, 0, 1, 0]);
});
