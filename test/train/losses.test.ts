// Losses in whole networks: five steps against PyTorch, fused against plain, what is refused, the rows' losses, and what
// doctor makes of their kernels.

import { describe, expect, it } from 'vitest';
import {
  type Batch,
  checkModel,
  createTrainer,
  type Dataset,
  dataLoader,
  fromArrays,
  manualSeed,
  nn,
  optim,
  type Trainer,
} from '../../src/index.ts';
import { linearCrossEntropyKernel } from '../../src/ops/linear_cross_entropy.ts';
import { logSoftmax } from '../../src/ops/log_softmax.ts';
import { logSoftmaxBackward } from '../../src/ops/log_softmax_backward.ts';
import fixtures from '../fixtures/losses.json' with { type: 'json' };
import { expectWithin } from '../support/compare.ts';
import { floats, integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();
const ways = [
  { way: 'plain', plain: true },
  { way: 'fused', plain: false },
];

type Layer = ReturnType<typeof nn.relu>;

/** What nn.nllLoss stands behind. */
const logSoftmaxLayer: Layer = {
  kind: 'log_softmax',
  description: 'LogSoftmax(dim=1)',
  parameters: [],
  children: [],
  outputShape: (input) => input,
  forward({ recorder }, x, path) {
    const y = logSoftmax(recorder, { label: path, x: x.tensor });
    return {
      y: { ...x, tensor: y, maskable: false },
      pullback: (dy) => ({
        tensor: logSoftmaxBackward(recorder, { label: `${path}.backward`, dy: dy.tensor, y }),
        masked: false,
      }),
    };
  },
};

function network(sizes: readonly number[], ...last: Layer[]) {
  const layers = sizes.slice(1).flatMap((outputs, l) => {
    const linear = nn.linear(sizes[l] as number, outputs);
    return l === sizes.length - 2 ? [linear] : [linear, nn.relu()];
  });
  return nn.sequential(...layers, ...last);
}

/** Within 1e-5 of PyTorch's float64, as a share of the largest. */
function expectNear(name: string, found: ArrayLike<number>, values: readonly number[]): void {
  const bound = 1e-5 * Math.max(...values.map(Math.abs));
  expectWithin(
    name,
    found,
    values.map((value) => ({ value, bound })),
  );
}

describe.each(ways)('$way', ({ way, plain }) => {
  it.each(fixtures.runs)('follows PyTorch for five steps of $name', async (run) => {
    const { sizes, batchSize, lr, name } = run;
    manualSeed(run.seed);
    const model = network(sizes);
    const arrays = { inputs: Float32Array.from(run.inputs), inputShape: [sizes[0] as number] };
    const columns = sizes.at(-1) as number;
    const { weight, smoothing: labelSmoothing, ignoreIndex } = run;
    const [dataset, loss]: [Dataset, nn.Loss] =
      name === 'mse'
        ? [
            fromArrays({ ...arrays, targets: Float32Array.from(run.targets), targetShape: [columns] }),
            nn.mseLoss(),
          ]
        : [
            fromArrays({ ...arrays, targets: Int32Array.from(run.targets), ignoreIndex }),
            nn.crossEntropyLoss({ weight, labelSmoothing, ignoreIndex }),
          ];
    const trainer = await createTrainer(device(), {
      model,
      loss,
      optimizer: optim.sgd({ lr }),
      batchSize: batchSize + 3,
      plain,
    });
    const losses: number[] = [];
    const loader = dataLoader(dataset, { batchSize });
    for await (const event of trainer.fit(loader, { epochs: 1, logEvery: 1 }))
      if (event.type === 'step') losses.push(event.loss);
    expectNear(`${way} ${name} losses`, losses, run.losses);
    const found = await trainer.parameters();
    for (const [key, values] of Object.entries(run.parameters))
      expectNear(`${way} ${name} weights`, found.get(key) ?? [], values);
    trainer.destroy();
  });
});

const [features, classes, rows] = [8, 5, 13];
const inputs = floats(rows * features, 1);
const arrays = { inputs, inputShape: [features] };
const classSet = fromArrays({
  ...arrays,
  targets: Int32Array.from(integers(rows, 2, classes), (c, i) => (i % 5 === 1 ? -100 : c)),
  ignoreIndex: -100,
});
const allClasses = fromArrays({ ...arrays, targets: Int32Array.from(integers(rows, 2, classes)) });
const valueSet = fromArrays({ ...arrays, targets: floats(rows * classes, 3, 0, 1), targetShape: [classes] });
const weight = [0.5, 1, 2, 0.25, 3];

const cases: { name: string; loss: nn.Loss; dataset: Dataset; last?: Layer }[] = [
  { name: 'cross-entropy', loss: nn.crossEntropyLoss(), dataset: allClasses },
  { name: 'cross-entropy, summed', loss: nn.crossEntropyLoss({ reduction: 'sum' }), dataset: allClasses },
  {
    name: 'cross-entropy with all options',
    loss: nn.crossEntropyLoss({ weight, labelSmoothing: 0.2, ignoreIndex: -100 }),
    dataset: classSet,
  },
  { name: 'cross-entropy of probabilities', loss: nn.crossEntropyLoss(), dataset: valueSet },
  {
    name: 'weighted cross-entropy of probabilities',
    loss: nn.crossEntropyLoss({ weight, labelSmoothing: 0.1, reduction: 'sum' }),
    dataset: valueSet,
  },
  { name: 'nll', loss: nn.nllLoss(), dataset: allClasses, last: logSoftmaxLayer },
  {
    name: 'weighted nll',
    loss: nn.nllLoss({ weight, ignoreIndex: -100, reduction: 'sum' }),
    dataset: classSet,
    last: logSoftmaxLayer,
  },
  { name: 'mse', loss: nn.mseLoss(), dataset: valueSet },
  { name: 'mse, summed', loss: nn.mseLoss({ reduction: 'sum' }), dataset: valueSet },
  { name: 'l1', loss: nn.l1Loss(), dataset: valueSet },
  { name: 'smooth l1', loss: nn.smoothL1Loss({ beta: 0.3 }), dataset: valueSet },
  { name: 'huber', loss: nn.huberLoss({ delta: 0.3 }), dataset: valueSet },
  { name: 'bce', loss: nn.bceWithLogitsLoss(), dataset: valueSet },
  { name: 'weighted bce', loss: nn.bceWithLogitsLoss({ posWeight: weight }), dataset: valueSet },
];

function trainerOf({ loss, last }: (typeof cases)[0], plain: boolean, batchSize = 16): Promise<Trainer> {
  manualSeed(11);
  return createTrainer(device(), {
    model: network([features, 12, classes], ...(last === undefined ? [] : [last])),
    loss,
    optimizer: optim.sgd({ lr: 0.1 }),
    batchSize,
    plain,
    keepGradients: true,
  });
}

const onlyBatch = (dataset: Dataset, batchSize = 16): Batch =>
  [...dataLoader(dataset, { batchSize }).epoch(0)][0] as Batch;

describe.each(cases)('$name', (of) => {
  it('has the same loss and gradients fused and plain, row by row too, and leaves nothing behind', async () => {
    const before = device().bytes;
    const loader = dataLoader(of.dataset, { batchSize: 6 }); // the last batch has one row
    const results: { loss: number; rowLosses: Float32Array; gradients: Map<string, Float32Array> }[] = [];
    for (const { plain } of ways) {
      const trainer = await trainerOf(of, plain);
      trainer.backward(onlyBatch(of.dataset));
      const [loss, gradients] = [await trainer.loss(), await trainer.gradients()];
      const rowLosses = await trainer.losses(loader);
      expect(await trainer.losses(loader)).toEqual(rowLosses);
      results.push({ loss, rowLosses, gradients });
      expect(Number.isFinite(loss)).toBe(true);
      expect(rowLosses).toHaveLength(rows);
      // The batch's loss is what its scale makes of the rows'.
      const { targets } = of.dataset;
      const perRow = of.loss.targets === 'values' ? classes : 1;
      const sum = rowLosses.reduce((total, one) => total + one * perRow, 0);
      const expected = sum * of.loss.scale({ rows, targets });
      expectNear('the rows’ losses, reduced', [loss], [expected]);
      trainer.destroy();
    }
    expect(device().bytes).toBe(before);
    const [plain, fused] = results as [(typeof results)[0], (typeof results)[0]];
    expectNear('fused − plain, loss', [fused.loss], [plain.loss]);
    expectNear('fused − plain, rows', fused.rowLosses, [...plain.rowLosses]);
    for (const [key, values] of plain.gradients)
      expectNear('fused − plain, gradients', fused.gradients.get(key) ?? [], [...values]);
  });

  it('has every dispatch checked by doctor', async () => {
    const { dataset, loss, last } = of;
    const { inputShape, targetShape } = dataset;
    manualSeed(1);
    const events = checkModel(device(), {
      model: network([features, classes], ...(last === undefined ? [] : [last])),
      loss,
      optimizer: optim.sgd({ lr: 0.1 }),
      batchSize: 16,
      input: { shape: inputShape, dtype: 'f32', ...(targetShape === undefined ? {} : { targetShape }) },
    });
    const kernels = new Set<string>();
    for await (const event of events) {
      if (event.type !== 'check') continue;
      expect(event).toMatchObject({ ok: true });
      kernels.add(event.kernel);
    }
    if (loss.targets === 'values') expect(kernels).toContain('pointwise_loss');
    else if (!of.name.startsWith('cross-entropy') || dataset !== allClasses)
      expect(kernels).toContain('soft_cross_entropy');
  });
});

it('cross-entropy without options keeps the kernels made for it', async () => {
  const kernelsOf = async (loss: nn.Loss, plain: boolean) => {
    const trainer = await createTrainer(device(), {
      model: network([features, classes]),
      loss,
      optimizer: optim.sgd({ lr: 0.1 }),
      batchSize: 4,
      plain,
      input: { shape: [features], dtype: 'f32' },
    });
    const kernels = trainer.describe().dispatches.map(({ kernel }) => kernel);
    trainer.destroy();
    return kernels;
  };
  const loss = nn.crossEntropyLoss({ labelSmoothing: 0, reduction: 'mean' });
  expect(await kernelsOf(loss, false)).toContain(linearCrossEntropyKernel(device()));
  const plain = await kernelsOf(loss, true);
  expect(plain).toEqual(expect.arrayContaining(['log_softmax', 'nll_loss', 'nll_loss_backward']));
  expect(plain).not.toContain('soft_cross_entropy');
});

it('nll behind a log-softmax is cross-entropy', async () => {
  const found: Map<string, Float32Array>[] = [];
  for (const [loss, last] of [
    [nn.nllLoss({ weight, ignoreIndex: -100 }), logSoftmaxLayer],
    [nn.crossEntropyLoss({ weight, ignoreIndex: -100 }), undefined],
  ] as const) {
    const of = { name: '', loss, dataset: classSet, ...(last === undefined ? {} : { last }) };
    const trainer = await trainerOf(of, false);
    trainer.backward(onlyBatch(classSet));
    found.push(await trainer.gradients());
    trainer.destroy();
  }
  for (const [key, values] of found[1] as Map<string, Float32Array>)
    expectNear('nll − cross-entropy', found[0]?.get(key) ?? [], [...values]);
});

it('a batch of which every row is left out has loss 0 and moves nothing', async () => {
  const ignored = fromArrays({
    ...arrays,
    targets: new Int32Array(rows).fill(-100),
    ignoreIndex: -100,
    classes: ['a'],
  });
  for (const { plain } of ways) {
    const loss = nn.crossEntropyLoss({ ignoreIndex: -100, labelSmoothing: 0.1 });
    const trainer = await trainerOf({ name: '', loss, dataset: ignored }, plain);
    const before = await trainer.parameters();
    trainer.step(onlyBatch(ignored));
    expect(await trainer.loss()).toBe(0);
    expect(await trainer.parameters()).toEqual(before);
    trainer.destroy();
  }
});

it('a mean over parts that count differently is put together by their scales', () => {
  const targets = Int32Array.from([0, 1, -100, 2]);
  const loss = nn.crossEntropyLoss({ weight: [1, 2, 5], ignoreIndex: -100 });
  expect(loss.scale({ rows: 4, targets })).toBe(1 / 8);
  expect(loss.scale({ rows: 2, targets: targets.subarray(0, 2) })).toBe(1 / 3);
  expect(nn.nllLoss({ ignoreIndex: 2 }).scale({ rows: 4, targets: Uint8Array.from([0, 2, 2, 1]) })).toBe(0.5);
  expect(loss.scale({ rows: 1, targets: Int32Array.from([-100]) })).toBe(0);
  expect(nn.crossEntropyLoss({ weight: [1, 2] }).scale({ rows: 2, targets: new Float32Array(4) })).toBe(0.5);
  expect(nn.mseLoss().scale({ rows: 2, targets: new Float32Array(8) })).toBe(0.125);
  for (const of of [nn.crossEntropyLoss({ reduction: 'sum' }), nn.mseLoss({ reduction: 'sum' })])
    expect(of.scale({ rows: 2, targets: new Float32Array(8) })).toBe(1);
});

describe('trainer.losses', () => {
  it('follows the loader’s order and shows the row that is not finite', async () => {
    const broken = fromArrays({ ...arrays, inputs: inputs.slice(), targets: allClasses.targets });
    (broken.inputs as Float32Array)[4 * features] = Number.NaN;
    const trainer = await trainerOf({ name: '', loss: nn.crossEntropyLoss(), dataset: broken }, false);
    const fine = await trainer.losses(dataLoader(allClasses, { batchSize: 16 }));
    const found = await trainer.losses(dataLoader(broken, { batchSize: 4 }));
    expect([...found].map((loss, i) => Number.isNaN(loss) || loss === fine[i])).not.toContain(false);
    expect(found.findIndex(Number.isNaN)).toBe(4);
    const shuffled = dataLoader(allClasses, { batchSize: 3, shuffle: true });
    const order = [...shuffled.epoch(0)].flatMap((batch) =>
      Array.from({ length: batch.rows }, (_, i) => {
        const row = batch.inputs.subarray(i * features, (i + 1) * features);
        return Array.from({ length: rows }, (_, r) => r).find(
          (r) => inputs[r * features] === row[0],
        ) as number;
      }),
    );
    expect([...(await trainer.losses(shuffled))]).toEqual(order.map((r) => fine[r]));
    trainer.destroy();
  });

  it('comes back from more batches than the rings have slots, and training goes on', async () => {
    const many = fromArrays({
      inputs: floats(700 * features, 5),
      targets: Int32Array.from(integers(700, 6, classes)),
      inputShape: [features],
    });
    const trainer = await trainerOf({ name: '', loss: nn.crossEntropyLoss(), dataset: many }, false, 4);
    const loader = dataLoader(many, { batchSize: 4 });
    const before = await trainer.losses(loader);
    expect(before).toHaveLength(700);
    const { loss } = await trainer.evaluate(loader);
    expectNear('losses, averaged', [before.reduce((sum, one) => sum + one, 0) / 700], [loss]);
    for (const batch of loader.epoch(0)) trainer.step(batch);
    const after = await trainer.losses(loader);
    expect(after.reduce((sum, one) => sum + one, 0)).toBeLessThan(before.reduce((sum, one) => sum + one, 0));
    trainer.destroy();
  });
});

describe('refuses', () => {
  it.each<[string, () => nn.Loss, RegExp]>([
    [
      'a negative weight',
      () => nn.crossEntropyLoss({ weight: [1, -2] }),
      /nn.crossEntropyLoss: weight: weight -2 at index 1: expected finite numbers of 0 or more/,
    ],
    [
      'a weight that is no number',
      () => nn.nllLoss({ weight: [Number.NaN] }),
      /nn.nllLoss: weight: weight NaN/,
    ],
    ['no weights', () => nn.bceWithLogitsLoss({ posWeight: [] }), /posWeight: found no weights/],
    [
      'too much smoothing',
      () => nn.crossEntropyLoss({ labelSmoothing: 1.5 }),
      /labelSmoothing 1.5: expected/,
    ],
    ['less than none', () => nn.crossEntropyLoss({ labelSmoothing: -0.1 }), /labelSmoothing -0.1/],
    ['half a class', () => nn.nllLoss({ ignoreIndex: 0.5 }), /ignoreIndex 0.5: expected a whole number/],
    ['beta below 0', () => nn.smoothL1Loss({ beta: -1 }), /nn.smoothL1Loss: beta -1: expected/],
    ['delta 0', () => nn.huberLoss({ delta: 0 }), /nn.huberLoss: delta 0: expected a finite number above 0/],
    [
      'another reduction',
      () => nn.mseLoss({ reduction: 'median' as 'mean' }),
      /nn.mseLoss: reduction 'median': expected 'mean', 'sum' or 'none'/,
    ],
  ])('%s', (_, make, message) => {
    expect(make).toThrow(message);
    expect(make).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  it.each<[string, nn.Loss, Dataset, RegExp]>([
    [
      'as many weights as the model has no classes',
      nn.crossEntropyLoss({ weight: [1, 2] }),
      allClasses,
      /weight: 2 weights, but the model gives rows of \[5\]: expected 5 weights/,
    ],
    [
      'as many positive weights as there are no columns',
      nn.bceWithLogitsLoss({ posWeight: [1, 2] }),
      valueSet,
      /posWeight: 2 weights, but the model gives rows of \[5\]/,
    ],
    ['classes for real values', nn.mseLoss(), allClasses, /mse: the targets are class indices; it compares/],
    ['real values for classes', nn.nllLoss(), valueSet, /nll: the targets are rows of \[5\] real values/],
    [
      'probabilities with an ignored class',
      nn.crossEntropyLoss({ ignoreIndex: -100 }),
      valueSet,
      /it takes class indices/,
    ],
    [
      'a target that is no class',
      nn.crossEntropyLoss(),
      classSet,
      /target -100 in row 1; the model has 5 classes/,
    ],
  ])('%s', async (_, loss, dataset, message) => {
    const before = device().bytes;
    const trainer = await trainerOf({ name: '', loss, dataset }, false);
    await expect(trainer.losses(dataLoader(dataset, { batchSize: 16 }))).rejects.toThrow(message);
    expect(() => trainer.step(onlyBatch(dataset))).toThrow(message);
    trainer.destroy();
    expect(device().bytes).toBe(before);
  });

  it('images for logits', async () => {
    const loss = nn.crossEntropyLoss();
    const input = { shape: [2, 3], dtype: 'f32', targetShape: [2, 3] } as const;
    const own: Layer = { ...nn.flatten(), outputShape: (shape) => shape };
    const model = nn.sequential({ own, of: nn.relu() });
    const work = createTrainer(device(), {
      model: nn.sequential(model, { ...nn.linear(6, 6), outputShape: (shape) => shape }),
      loss,
      optimizer: optim.sgd({ lr: 1 }),
      batchSize: 2,
      input,
    });
    await expect(work).rejects.toThrow(
      /the model gives rows of \[2, 3\]: expected rows of one number a class/,
    );
  });

  it('a number a row where training needs one a batch, before anything is allocated', async () => {
    const before = device().bytes;
    for (const loss of [
      nn.crossEntropyLoss({ reduction: 'none' }),
      nn.nllLoss({ reduction: 'none' }),
      nn.l1Loss({ reduction: 'none' }),
    ])
      await expect(trainerOf({ name: '', loss, dataset: allClasses }, false)).rejects.toThrow(
        /with reduction 'none' gives a number a row, and training needs one a batch: take 'mean' or 'sum'. trainer.losses/,
      );
    expect(device().bytes).toBe(before);
  });
});
