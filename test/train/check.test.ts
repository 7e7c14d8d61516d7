// checkModel: right kernels pass at the model's own shapes; kernels that were broken on purpose are found, named, and
// avoided, and what is trained instead gives right numbers.

import { describe, expect, it } from 'vitest';
import {
  type CheckEvent,
  checkModel,
  createTrainer,
  type Device,
  dataLoader,
  fromArrays,
  type KernelChoice,
  manualSeed,
  nn,
  openDevice,
  optim,
  type VerdictEvent,
  withoutKernels,
} from '../../src/index.ts';
import { matmulCore, matmulCores } from '../../src/ops/matmul_variants.ts';
import { breakKernels, type Fault } from '../support/break-kernels.ts';
import { floats, integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();

const [features, hidden, classes, batchSize] = [30, 36, 10, 12];
function options(layers: readonly number[] = [features, hidden, classes]) {
  manualSeed(5);
  const linear = layers.slice(1).map((outputs, i) => nn.linear(layers[i] as number, outputs));
  return {
    model: nn.sequential(...linear.flatMap((layer, i) => (i === 0 ? [layer] : [nn.relu(), layer]))),
    loss: nn.crossEntropyLoss(),
    optimizer: optim.sgd({ lr: 0.1 }),
    batchSize,
    input: { shape: [layers[0] as number], dtype: 'f32' } as const,
  };
}

async function examine(on: Device, layers?: readonly number[]) {
  const checks: CheckEvent[] = [];
  let verdict: VerdictEvent | undefined;
  for await (const event of checkModel(on, options(layers))) {
    if (event.type === 'check') checks.push(event);
    else verdict = event;
  }
  return { checks, verdict };
}

const rows = 60;
/** Have few kernels to compile. The features of one do not come in fours: its loss has a kernel of its own. */
const [singleLayer, layerWithLoss] = [
  [features, classes],
  [features + 2, classes],
];

/** Losses of five steps of a single layer with a choice of kernels. */
async function losses(
  on: Device,
  layers: readonly number[],
  { avoid, plain }: KernelChoice,
): Promise<number[]> {
  const width = layers[0] as number;
  const dataset = fromArrays({
    inputs: floats(rows * width, 1),
    targets: Int32Array.from(integers(rows, 2, classes)),
    inputShape: [width],
  });
  const trainer = await createTrainer(withoutKernels(on, avoid), { ...options(layers), plain });
  const found: number[] = [];
  for await (const event of trainer.fit(dataLoader(dataset, { batchSize }), { epochs: 1, logEvery: 1 }))
    if (event.type === 'step') found.push(event.loss);
  trainer.destroy();
  return found;
}

const fast: KernelChoice = { avoid: [], plain: false };

describe('checkModel', () => {
  it('finds every dispatch right, of the fused and the plain plan and by every core, and frees what it took', async () => {
    const before = device().bytes;
    const { checks, verdict } = await examine(device());
    expect(checks.filter(({ ok }) => !ok)).toEqual([]);
    expect(verdict).toMatchObject({ type: 'verdict', wrong: [] });
    expect(verdict?.right[0]).toEqual(fast);
    const kernels = new Set(checks.map(({ kernel }) => kernel));
    const plain = ['bias_add', 'relu', 'relu_backward', 'log_softmax', 'log_softmax_backward', 'nll_loss'];
    for (const name of [
      'matmul',
      'linear_cross_entropy',
      'column_sum',
      'mean_loss',
      'confusion',
      'sgd',
      ...plain,
    ])
      expect(kernels).toContain(name);
    if (device().info.software)
      for (const name of ['matmul_subgroup', 'linear_backward', 'linear_cross_entropy_subgroup'])
        expect(kernels).toContain(name);
    const shapes = checks.map(({ shape }) => shape);
    expect(shapes).toContain(
      `a [${batchSize}, ${features}], b [${hidden}, ${features}], bias_or_mask [${hidden}], c [${batchSize}, ${hidden}]`,
    );
    expect(device().bytes).toBe(before);
  });

  const broken: { fault: Fault; wrong: string[]; choice?: KernelChoice; layers?: readonly number[] }[] = [
    {
      fault: 'subgroup-bias',
      wrong: ['matmul_subgroup'],
      choice: { avoid: ['matmul_subgroup'], plain: false },
    },
    { fault: 'bias', wrong: ['matmul_subgroup', 'matmul'], choice: { avoid: [], plain: true } },
    {
      fault: 'subgroup-head',
      wrong: ['linear_cross_entropy_subgroup'],
      choice: { avoid: ['linear_cross_entropy_subgroup'], plain: false },
      layers: layerWithLoss,
    },
    {
      fault: 'head',
      wrong: ['linear_cross_entropy_subgroup', 'linear_cross_entropy'],
      choice: { avoid: ['linear_cross_entropy_subgroup', 'linear_cross_entropy'], plain: false },
      layers: layerWithLoss,
    },
    {
      fault: 'way-back',
      wrong: ['linear_backward'],
      choice: { avoid: ['linear_backward'], plain: false },
      layers: [features, hidden, classes],
    },
    { fault: 'sgd', wrong: ['sgd'] },
  ];

  it.for(broken)(
    'finds the fault $fault, names the kernel and the way around it',
    async ({ fault, wrong, choice, layers = singleLayer }, context) => {
      if (matmulCore(device()) !== 'subgroup') return context.skip(); // these faults are about it
      const right = await losses(device(), layers, fast);
      const restore = breakKernels(fault);
      const own = await openDevice(); // pipelines are kept by name: a broken kernel needs a device of its own
      try {
        const { checks, verdict } = await examine(own, layers);
        expect(verdict).toMatchObject({ type: 'verdict', wrong });
        expect(verdict?.right[0]).toEqual(choice);
        const failed = checks.filter(({ ok }) => !ok);
        expect(new Set(failed.map(({ kernel }) => kernel))).toEqual(new Set(wrong));
        for (const { message, worst, wrong: count, elements } of failed) {
          expect(message).toMatch(
            /^\d+ of \d+ elements of \w+ are wrong, the first at \d+: found \S+, expected \S+( ± \S+)?; largest error \S+$/,
          );
          expect(worst).toBeGreaterThan(1);
          expect(count).toBeGreaterThan(0);
          expect(count).toBeLessThanOrEqual(elements);
        }
        // The numbers show the fault, and the way around it does not.
        const apart = (found: number[]) =>
          Math.max(...found.map((loss, i) => Math.abs(loss - (right[i] as number))));
        // A fused step takes SGD's in the kernels that make the gradients; the plain one has a kernel for it.
        const faulty = fault === 'sgd' ? { ...fast, plain: true } : fast;
        expect(apart(await losses(own, layers, faulty))).toBeGreaterThan(1e-5);
        if (choice !== undefined) expect(apart(await losses(own, layers, choice))).toBeLessThan(2e-6);
      } finally {
        restore();
        own.destroy();
      }
    },
  );
});

it('a device that is lost on the way says nothing of the kernels', async () => {
  const own = await openDevice();
  const checks = checkModel(own, options(singleLayer));
  expect((await checks.next()).value).toMatchObject({ type: 'check', ok: true });
  own.gpu.destroy();
  await own.gpu.lost;
  const rest = async () => {
    for await (const event of checks) expect(event).toMatchObject({ type: 'check', ok: true });
  };
  await expect(rest()).rejects.toMatchObject({ code: 'device-lost' });
  own.destroy();
});

it('withoutKernels keeps launchers from what is avoided, and says when nothing is left', () => {
  const [first] = matmulCores(device());
  expect(matmulCore(withoutKernels(device(), ['matmul_subgroup']))).toBe('tile');
  const none = withoutKernels(withoutKernels(device(), ['matmul_subgroup']), ['matmul']);
  expect(() => matmulCore(none)).toThrow('no kernel is left on this adapter');
  expect(matmulCore(device())).toBe(first);
});
