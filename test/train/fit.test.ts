// The training loop: partial batches, events, stopping, divergence, wrong data, and what stays on the device afterwards.

import { describe, expect, it } from 'vitest';
import {
  createGenerator,
  type Dataset,
  dataLoader,
  fromArrays,
  type HeddleError,
  manualSeed,
  nn,
  optim,
  type TrainEvent,
} from '../../src/index.ts';
import { createTrainer } from '../../src/train/trainer.ts';
import type { TrainerOptions } from '../../src/train/trainer-options.ts';
import { floats, integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();

function smallSet(rows: number, features = 12, classes = 3): Dataset {
  return fromArrays({
    inputs: floats(rows * features, 1),
    targets: Int32Array.from(integers(rows, 2, classes)),
    inputShape: [features],
    classes: Array.from({ length: classes }, (_, i) => `class ${i}`),
  });
}

function smallTrainer(options: Partial<TrainerOptions> = {}, lr = 0.1) {
  manualSeed(7);
  return createTrainer(device(), {
    model: nn.sequential(nn.linear(12, 16), nn.relu(), nn.linear(16, 3)),
    loss: nn.crossEntropyLoss(),
    optimizer: optim.sgd({ lr }),
    batchSize: 8,
    ...options,
  });
}

async function collect(events: AsyncIterable<TrainEvent>): Promise<TrainEvent[]> {
  const all: TrainEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'no error',
    (error: HeddleError) => error.code,
  );

describe('fit', () => {
  it('numbers steps and samples, and ends with done', async () => {
    const trainer = await smallTrainer();
    const data = dataLoader(smallSet(20), { batchSize: 8 });
    const events = await collect(trainer.fit(data, { epochs: 2, validate: data, logEvery: 2 }));
    const steps = events.filter((event) => event.type === 'step');
    expect(steps.map(({ epoch, step, samples }) => [epoch, step, samples])).toEqual([
      [1, 1, 8],
      [1, 3, 20], // the last batch has 4 rows
      [2, 4, 8],
      [2, 6, 20],
    ]);
    expect(events.filter((event) => event.type === 'epoch').map(({ epoch }) => epoch)).toEqual([1, 2]);
    expect(events.at(-1)).toMatchObject({ type: 'done', steps: 6 });
    expect(trainer.steps).toBe(6);
    trainer.destroy();
  });

  it('gives the same weights as the same batches one by one', async () => {
    const data = dataLoader(smallSet(20), { batchSize: 8, shuffle: true });
    const [a, b] = [await smallTrainer(), await smallTrainer()];
    await collect(a.fit(data, { epochs: 2 }));
    for (const epoch of [0, 1]) for (const batch of data.epoch(epoch)) b.step(batch);
    expect(await a.save()).toEqual(await b.save());
    a.destroy();
    b.destroy();
  });

  it('trains on: a second fit continues steps, epochs and shuffling', async () => {
    const data = dataLoader(smallSet(20), { batchSize: 8, shuffle: true });
    const [a, b] = [await smallTrainer(), await smallTrainer()];
    await collect(a.fit(data, { epochs: 2 }));
    await collect(b.fit(data, { epochs: 1 }));
    const events = await collect(b.fit(data, { epochs: 1 }));
    expect(events.find((event) => event.type === 'step')).toMatchObject({ epoch: 2, step: 4 });
    expect(await a.save()).toEqual(await b.save());
    a.destroy();
    b.destroy();
  });

  it('is deterministic, and plain and fused agree', async () => {
    const data = dataLoader(smallSet(200), { batchSize: 8 });
    const results = [];
    for (const plain of [false, false, true]) {
      const trainer = await smallTrainer({ plain });
      await collect(trainer.fit(data, { epochs: 1 }));
      results.push(await trainer.parameters());
      trainer.destroy();
    }
    const [first, second, plain] = results as [
      Map<string, Float32Array>,
      Map<string, Float32Array>,
      Map<string, Float32Array>,
    ];
    expect(second).toEqual(first);
    for (const [key, values] of plain) {
      const fused = first.get(key) as Float32Array;
      const worst = Math.max(...values.map((v, i) => Math.abs(v - (fused[i] as number))));
      expect(worst, key).toBeLessThan(1e-5);
    }
  });

  it('stops at a step when aborted, without a done event', async () => {
    const trainer = await smallTrainer();
    const controller = new AbortController();
    const types = new Set<string>();
    let seen = 0;
    for await (const event of trainer.fit(dataLoader(smallSet(4000), { batchSize: 8 }), {
      epochs: 50,
      logEvery: 1,
      signal: controller.signal,
    })) {
      types.add(event.type);
      if (event.type === 'step') seen = event.step;
      if (seen >= 10) controller.abort();
    }
    expect(types).toEqual(new Set(['step', 'progress']));
    expect(trainer.steps).toBe(seen); // everything submitted has been waited for
    expect(seen).toBeLessThan(500);
    trainer.destroy();
  });

  it('stops with the step when the loss is not finite', async () => {
    const trainer = await smallTrainer({}, 1e30);
    const work = collect(trainer.fit(dataLoader(smallSet(200), { batchSize: 8 }), { epochs: 1 }));
    await expect(work).rejects.toThrow(/the loss of step \d+ \(epoch 1\) is not finite/);
    expect(await codeOf(work)).toBe('diverged');
    trainer.destroy();
  });

  it('finds a NaN in the input at its step, fused and plain', async () => {
    for (const plain of [false, true]) {
      const dataset = smallSet(80);
      (dataset.inputs as Float32Array)[12 * 20] = Number.NaN; // row 20, so step 3
      const trainer = await smallTrainer({ plain });
      const work = collect(trainer.fit(dataLoader(dataset, { batchSize: 8 }), { epochs: 1 }));
      await expect(work).rejects.toThrow('the loss of step 3 ');
      trainer.destroy();
    }
  });
});

it('finds a parameter that is not finite although its input is always 0, fused and plain', async () => {
  for (const plain of [false, true]) {
    const dataset = smallSet(80);
    for (let row = 0; row < 80; row++) (dataset.inputs as Float32Array)[12 * row + 5] = 0;
    const trainer = await smallTrainer({ plain });
    const values = await trainer.parameters();
    (values.get('0.weight') as Float32Array)[5] = Number.POSITIVE_INFINITY; // the first unit's weight of that input
    await trainer.load(values);
    const work = collect(trainer.fit(dataLoader(dataset, { batchSize: 8 }), { epochs: 1 }));
    await expect(work).rejects.toThrow(
      /(a gradient or parameter|the loss) of step 1 \(epoch 1\) is not finite/,
    );
    expect(await codeOf(work)).toBe('diverged');
    trainer.destroy();
  }
});

describe('evaluate', () => {
  it('averages the batches, counts every row and leaves the weights alone', async () => {
    const trainer = await smallTrainer();
    const before = await trainer.save();
    const dataset = smallSet(21);
    const { loss, accuracy, confusion } = await trainer.evaluate(dataLoader(dataset, { batchSize: 8 }));
    expect(await trainer.save()).toEqual(before);
    const counts = confusion.map((row) => row.reduce((a, b) => a + b, 0));
    expect(counts).toEqual([0, 1, 2].map((c) => [...dataset.targets].filter((t) => t === c).length));
    expect(accuracy).toBe(confusion.reduce((sum, row, i) => sum + (row[i] as number), 0) / 21);
    // Batch by batch: the mean of the batches' means.
    let sum = 0;
    for (const batch of dataLoader(dataset, { batchSize: 8 }).epoch(0)) {
      trainer.backward(batch);
      sum += await trainer.loss();
    }
    expect(loss).toBeCloseTo(sum / 3, 6);
    trainer.destroy();
  });
});

describe('refuses', () => {
  it.each([
    [
      'rows that do not fit the model',
      () => smallSet(8, 13),
      /layer 0: nn.linear: rows are \[13\], expected \[12\]/,
    ],
    ['more classes than logits', () => smallSet(8, 12, 4), /has 4 classes; the model tells 3 apart/],
  ])('%s', async (_, data, message) => {
    const trainer = await smallTrainer();
    await expect(collect(trainer.fit(dataLoader(data(), { batchSize: 8 }), { epochs: 1 }))).rejects.toThrow(
      message,
    );
    trainer.destroy();
  });

  it('batches larger than the trainer was made for', async () => {
    const trainer = await smallTrainer();
    const data = dataLoader(smallSet(32), { batchSize: 16 });
    await expect(trainer.evaluate(data)).rejects.toThrow('batchSize 16: this trainer takes at most 8');
    trainer.destroy();
  });

  it('two loops at once, but for looking at data where a fit rests', async () => {
    const shuffled = () => dataLoader(smallSet(32), { batchSize: 8, shuffle: true });
    const data = dataLoader(smallSet(32), { batchSize: 8, generator: createGenerator(0) });
    const control = await smallTrainer();
    for await (const _ of control.fit(shuffled(), { epochs: 2, validate: data }));
    const trainer = await smallTrainer();
    let looks = 0;
    for await (const event of trainer.fit(shuffled(), { epochs: 2, validate: data, checkpointEvery: 2 })) {
      const evaluation = trainer.evaluate(data);
      if (event.type !== 'epoch' && event.type !== 'checkpoint') {
        await expect(evaluation).rejects.toThrow('this trainer is busy');
        continue;
      }
      looks++;
      await expect(trainer.logits(data), 'one at a time').rejects.toThrow('this trainer is busy');
      expect(() => trainer.zeroGrad()).toThrow('this trainer is busy');
      const { loss } = await evaluation;
      if (event.type === 'epoch') expect(loss).toBe(event.validation?.loss);
      void trainer.losses(data); // the fit waits for it
    }
    expect(looks).toBe(4);
    expect(await trainer.parameters()).toEqual(await control.parameters());
    for (const one of [trainer, control]) one.destroy();
  });

  it('nobody, once a fit that was looked at has been left', async () => {
    const trainer = await smallTrainer();
    const data = dataLoader(smallSet(32), { batchSize: 8 });
    const events = trainer.fit(data, { epochs: 2 });
    let event = (await events.next()).value;
    while (event !== undefined && event.type !== 'epoch') event = (await events.next()).value;
    let next = events.next();
    await expect(trainer.evaluate(data), 'it goes on already').rejects.toThrow('this trainer is busy');
    event = (await next).value;
    while (event !== undefined && event.type !== 'epoch') {
      next = events.next();
      event = (await next).value;
    }
    const look = trainer.evaluate(data);
    const left = events.return();
    await expect(trainer.logits(data)).rejects.toThrow('this trainer is busy');
    await left;
    await expect(look).resolves.toMatchObject({ accuracy: expect.any(Number) });
    await expect(trainer.evaluate(data)).resolves.toBeDefined();
    trainer.zeroGrad(); // nothing is left that is busy
    trainer.destroy();
  });

  it('what a signal ends', async () => {
    const trainer = await smallTrainer();
    const data = dataLoader(smallSet(32), { batchSize: 8 });
    const why = new Error('enough');
    const options = { signal: AbortSignal.abort(why) };
    await expect(trainer.evaluate(data, options)).rejects.toBe(why);
    await expect(trainer.losses(data, options)).rejects.toBe(why);
    await expect(trainer.logits(data, options)).rejects.toBe(why);
    await expect(trainer.logits(data)).resolves.toHaveLength(32 * 3);
    trainer.destroy();
  });

  it('two loops at once', async () => {
    const trainer = await smallTrainer();
    const data = dataLoader(smallSet(32), { batchSize: 8 });
    const first = trainer.fit(data, { epochs: 1 });
    await first.next();
    await expect(trainer.evaluate(data)).rejects.toThrow('this trainer is busy');
    await first.return();
    await expect(trainer.evaluate(data)).resolves.toBeDefined();
    trainer.destroy();
  });

  it('models whose parameters exceed the adapter, naming the largest', async () => {
    const wide = Math.ceil(device().limits.maxStorageBufferBindingSize / 4 / 1000);
    const weight = { name: 'weight', shape: [wide, 1001], data: new Float32Array(0) };
    const model = { ...nn.relu(), parameters: [weight] };
    await expect(smallTrainer({ model })).rejects.toThrow(/The largest is weight \[\d+, 1001\]/);
  });

  it('use after destroy', async () => {
    const trainer = await smallTrainer();
    trainer.destroy();
    trainer.destroy();
    expect(() => trainer.zeroGrad()).toThrow('this trainer was destroyed');
    expect(await codeOf(trainer.save())).toBe('destroyed');
  });
});

describe('weights', () => {
  it('go out and in again through a safetensors file', async () => {
    const [a, b] = [await smallTrainer({ prefix: 'net.' }), await smallTrainer({ prefix: 'net.' })];
    await collect(a.fit(dataLoader(smallSet(40), { batchSize: 8 }), { epochs: 1 }));
    const file = await a.save();
    await b.load(file);
    expect(await b.save()).toEqual(file);
    expect([...(await b.parameters()).keys()]).toEqual([
      'net.0.weight',
      'net.0.bias',
      'net.2.weight',
      'net.2.bias',
    ]);
    a.destroy();
    b.destroy();
  });

  it('that do not fit are refused with every difference, and nothing is loaded', async () => {
    const trainer = await smallTrainer();
    const before = await trainer.save();
    const values = await trainer.parameters();
    values.delete('0.bias');
    values.set('2.weight', new Float32Array(5));
    values.set('extra', new Float32Array(1));
    await expect(trainer.load(values)).rejects.toThrow(
      '0.bias [16] is missing; 2.weight has 5 elements, expected [3, 16]; extra is not in the model',
    );
    expect(await trainer.save()).toEqual(before);
    trainer.destroy();
  });
});

it('frees every byte it took', async () => {
  const before = device().bytes;
  const trainer = await smallTrainer();
  const data = dataLoader(smallSet(40), { batchSize: 8 });
  await collect(trainer.fit(data, { epochs: 1, validate: data }));
  for (const batch of data.epoch(5)) trainer.backward(batch);
  trainer.optimizerStep();
  expect(device().bytes).toBeGreaterThan(before);
  trainer.destroy();
  expect(device().bytes).toBe(before);
});
