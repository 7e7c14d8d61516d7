// linear_cross_entropy.wgsl and linear_cross_entropy_subgroup.wgsl against float64: any two of their constants in every
// combination, and their launcher.

import { describe, expect, it } from 'vitest';
import { withoutKernels } from '../../src/gpu/device.ts';
import { checkDispatch } from '../../src/ops/check.ts';
import * as kernels from '../../src/ops/kernels.generated.ts';
import { linearCrossEntropy, linearCrossEntropyKernels } from '../../src/ops/linear_cross_entropy.ts';
import * as reference from '../../src/ops/reference.ts';
import { run } from '../../src/ops/run.ts';
import { stepRecord } from '../../src/ops/step.ts';
import { expectWithin } from '../support/compare.ts';
import { f32, floatBinding, floats, integers, u32 } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import { coveringVariants } from '../support/variants.ts';

const device = useDevice();

const both = [
  { name: 'linear_cross_entropy', kernel: kernels.linearCrossEntropy },
  { name: 'linear_cross_entropy_subgroup', kernel: kernels.linearCrossEntropySubgroup },
] as const;
/** Rows that one workgroup holds, and more. */
const fewRows = [1, 3, 4, 61, 64];
const manyRows = [65, 130, 257];
const featureCounts = [4, 68, 132];

it.for(both.flatMap((one) => [1, 3, 10, 16].map((classes) => ({ ...one, classes }))))(
  'every variant of $name with $classes classes is within its bounds on awkward sizes, in padded batches, and finds what is not finite',
  async ({ name, kernel, classes }, context) => {
    if (!linearCrossEntropyKernels(device()).includes(name)) return context.skip(); // its subgroups have other sizes
    const lanes = device().info.subgroupSize;
    const ofLanes = (LANES: boolean | number | undefined) => LANES === undefined || LANES === lanes;
    const variants = coveringVariants(kernel, 2, (v) => v.CLASSES === classes && ofLanes(v.LANES));
    expect(variants.length).toBe(4);
    for (const constants of variants) {
      const sizes = (constants.MEAN === true ? fewRows : manyRows).map(
        (rows, i) => [rows, featureCounts[i % featureCounts.length] as number] as const,
      );
      for (const [rows, features] of sizes) {
        const result = await checkDispatch(device(), {
          label: 'y',
          kernel: name,
          constants,
          params: { rows, features, classes, ...(name === 'linear_cross_entropy' ? { strands: 8 } : {}) },
          workgroups: [Math.ceil(rows / 64), 1, 1],
          bindings: [floatBinding('bias', classes), floatBinding('loss', 3)],
          images: [],
        });
        expect(result.message, `${JSON.stringify(constants)}: ${rows} rows of ${features}`).toBeUndefined();
        expect(result).toMatchObject({ ok: true, wrong: 0 });
      }
    }
  },
);

describe.each(both)('the launcher of $name', ({ name }) => {
  it.for([
    [64, 64, 512, 10],
    [40, 64, 36, 3],
    [200, 256, 20, 16],
    [65, 65, 8, 1],
  ] as const)(
    '%i rows of %i, %i features, %i classes: logits, mean and gradient',
    async ([valid, rows, features, classes], context) => {
      if (!linearCrossEntropyKernels(device()).includes(name)) return context.skip();
      const [x, weight, bias] = [
        floats(rows * features, 1),
        floats(classes * features, 2),
        floats(classes, 3),
      ];
      const targets = integers(rows, 4, classes);
      const slots = [7, 8, 9];
      const inputs = {
        x: f32(x, rows, features),
        weight: f32(weight, classes, features),
        bias: f32(bias, classes),
        targets: u32(targets, rows),
        losses: f32(slots, slots.length),
        step: stepRecord({ rows: valid, slot: 1 }),
      };
      const found = await run(device(), inputs, (r, t) => ({
        ...linearCrossEntropy(r, { label: 'y', gradient: true, name, ...t }),
        losses: t.losses,
      }));
      const product = reference.matmul(
        reference.matrix(x, rows, features),
        reference.matrix(weight, features, classes, true),
      );
      const exact = product.map((z, i) => reference.plus(z, bias[i % classes] as number));
      expectWithin('logits', found.logits, exact);

      // From the logits that it found: their own errors are judged above.
      const magnitude = Math.max(...Array.from(found.logits, Math.abs));
      const { rowLoss, gradient } = reference.crossEntropy(
        found.logits,
        targets,
        rows,
        classes,
        valid,
        magnitude,
      );
      expectWithin('gradient', found.dLogits, gradient);
      const mean = reference.meanOf(rowLoss, valid);
      expectWithin('losses', found.losses, reference.within(slots, 0).with(1, mean));
    },
  );
});

/** The kernels on given logits: they are the features, and the weights are the unit matrix. */
async function ofLogits(logits: readonly number[][], targets: readonly number[], bias: readonly number[]) {
  const [rows, classes] = [logits.length, bias.length];
  const features = 4 * Math.ceil(classes / 4);
  const x = logits.flatMap((row) => [...row, ...new Array(features - classes).fill(0)]);
  const unit = Array.from({ length: classes * features }, (_, i) =>
    Math.floor(i / features) === i % features ? 1 : 0,
  );
  const inputs = {
    x: f32(x, rows, features),
    weight: f32(unit, classes, features),
    bias: f32(bias, classes),
    targets: u32(targets, rows),
    losses: f32([7, 7], 2),
    step: stepRecord({ rows, slot: 1 }),
  };
  const found = await Promise.all(
    linearCrossEntropyKernels(device()).map((name) =>
      run(device(), inputs, (r, t) => ({
        ...linearCrossEntropy(r, { label: 'y', gradient: true, name, ...t }),
        losses: t.losses,
      })),
    ),
  );
  for (const { losses } of found) expect(losses[0], 'another step’s slot').toBe(7);
  return found;
}

it.each([
  ['±1e4', [1e4, -1e4, 0], 0, 0],
  ['±1e4, the largest in the middle', [-1e4, 1e4, 0], 1, 0],
  ['±1e4, the largest last', [-1e4, 0, 1e4], 2, 0],
  ['±1e4, wrong', [1e4, -1e4, 0], 1, 2e4],
  ['1e30', [0, 1e30, 0], 1, 0],
  ['far below 0', [-1e4, -1e4 - 1, -1e4 - 2], 0, Math.log(1 + Math.exp(-1) + Math.exp(-2))],
])('losses are right and finite at logits of %s', async (_, logits, target, loss) => {
  for (const { losses, dLogits } of await ofLogits([logits], [target], [0, 0, 0])) {
    // Logits are within 2 of the largest, or so far below that exp gives 0.
    const bound = reference.logSoftmaxBound(3, 2) + 8 * reference.u * loss;
    expectWithin('extremes', [losses[1] as number], [{ value: loss, bound }]);
    const gradient = reference
      .logSoftmax(Float32Array.from(logits), 1, 3)
      .map((value, j) => Math.exp(value) - (j === target ? 1 : 0));
    // An exp, a sum of exps and two quotients, as reference.crossEntropy counts them.
    const relative = 2 * (3 + 2 * 2) * 2 * reference.u + (3 + 8) * reference.u;
    expectWithin('gradient extremes', dLogits, reference.within(gradient, relative));
  }
});

const bad = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

it.each(bad)('a logit of %d of any one class makes the loss a NaN', async (value) => {
  for (const column of [0, 1, 2]) {
    const bias = [0, 0, 0].with(column, value);
    for (const { losses } of await ofLogits([[1, 2, 3]], [0], bias)) expect(losses[1]).toBeNaN();
  }
});

it.each(bad)('a feature of %d in any one row makes the loss a NaN', async (value) => {
  for (const broken of [0, 1, 5, 17, 40, 63]) {
    const logits = Array.from({ length: 64 }, (_, row) => (row === broken ? [0, value, 0] : [1, 2, 3]));
    for (const { losses } of await ofLogits(logits, new Array(64).fill(0), [0, 0, 0])) {
      expect(losses[1], `row ${broken}`).toBeNaN();
    }
  }
});

it('refuses what it cannot load, in one line', async () => {
  const inputs = {
    x: f32(floats(6, 1), 1, 6),
    weight: f32(floats(12, 2), 2, 6),
    bias: f32([0, 0], 2),
    targets: u32([1], 1),
    losses: f32([0], 1),
    step: stepRecord({ rows: 1 }),
  };
  const work = run(device(), inputs, (r, t) =>
    linearCrossEntropy(r, { label: 'head', gradient: false, ...t }),
  );
  await expect(work).rejects.toThrow(
    'head: x of f32 with weight [2, 6]: expected f32, features in fours, at most 16 classes',
  );
});

it('refuses when both kernels are to be avoided', async () => {
  const none = withoutKernels(
    device(),
    both.map(({ name }) => name),
  );
  const inputs = {
    x: f32(floats(4, 1), 1, 4),
    weight: f32(floats(8, 2), 2, 4),
    bias: f32([0, 0], 2),
    targets: u32([1], 1),
    losses: f32([0], 1),
    step: stepRecord({ rows: 1 }),
  };
  const work = run(none, inputs, (r, t) => linearCrossEntropy(r, { label: 'head', gradient: false, ...t }));
  await expect(work).rejects.toThrow(
    /^head: no kernel is left on this adapter: linear_cross_entropy.* are to be avoided$/,
  );
});
