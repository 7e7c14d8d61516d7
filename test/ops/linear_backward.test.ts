// linear_backward.wgsl against float64: any two of its constants in every combination, and its launcher.

import { expect, it } from 'vitest';
import { checkDispatch } from '../../src/ops/check.ts';
import { linearBackward as kernel } from '../../src/ops/kernels.generated.ts';
import { linearBackward } from '../../src/ops/linear_backward.ts';
import * as reference from '../../src/ops/reference.ts';
import { run } from '../../src/ops/run.ts';
import { brokenBits } from '../../src/ops/sgd.ts';
import { stepRecord } from '../../src/ops/step.ts';
import { expectWithin } from '../support/compare.ts';
import { f32, floatBinding, floats } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import { coveringVariants } from '../support/variants.ts';

const device = useDevice();

it.each([1, 3, 10, 16])(
  'every variant of %i outputs is exact on awkward sizes, and finds what is not finite',
  async (outputs) => {
    const lanes = device().info.subgroupSize;
    const variants = coveringVariants(kernel, 2, (v) => v.LANES === lanes && v.OUTPUTS === outputs);
    expect(variants.length).toBeGreaterThan(3);
    for (const constants of variants) {
      const sizes = [1, 2, 63, 65].flatMap((rows) =>
        [4, 36, 68].map((features) => [rows, features] as const),
      );
      for (const [i, [rows, features]] of sizes.entries()) {
        const result = await checkDispatch(device(), {
          label: 'y',
          kernel: kernel.name,
          constants,
          params: { rows, features, outputs, accumulate: constants.SGD === true ? 0 : i % 2 },
          workgroups: [Math.ceil(features / 4 / lanes), 1, 1],
          bindings: [floatBinding('loss', 3)],
          images: [],
        });
        expect(result.message, `${JSON.stringify(constants)}: ${rows} rows of ${features}`).toBeUndefined();
        expect(result).toMatchObject({ ok: true, wrong: 0 });
      }
    }
  },
);

/** Rows, features and outputs; what else is wanted; and what becomes of the parameters' gradients. */
type Case = [
  number,
  number,
  number,
  { readonly mask: boolean; readonly bias: boolean },
  'stored' | 'accumulated' | 'taken as a step',
];

it.each<Case>([
  [64, 512, 10, { mask: true, bias: true }, 'taken as a step'],
  [33, 36, 3, { mask: true, bias: false }, 'taken as a step'],
  [10, 20, 16, { mask: false, bias: false }, 'stored'],
  [7, 8, 1, { mask: false, bias: true }, 'accumulated'],
])(
  'the launcher: %i rows of %i, %i outputs, %j, gradients %s',
  async (rows, features, outputs, wanted, what) => {
    const [x, dy, weight, bias] = [
      floats(rows * features, 1),
      floats(rows * outputs, 2),
      floats(outputs * features, 3),
      floats(outputs, 4),
    ];
    const [dWeight, dBias] = [floats(outputs * features, 5), floats(outputs, 6)];
    const lr = 0.25; // times it is exact
    const inputs = {
      x: f32(x, rows, features),
      dy: f32(dy, rows, outputs),
      weight: f32(weight, outputs, features),
      bias: f32(bias, outputs),
      dWeight: f32(dWeight, outputs, features),
      dBias: f32(dBias, outputs),
      losses: f32([7, 8], 2),
      step: stepRecord({ rows, slot: 1, lr }),
    };
    const isStep = what === 'taken as a step';
    const found = await run(device(), inputs, (r, t) => {
      const into = isStep ? { weight: t.weight, bias: t.bias } : { weight: t.dWeight, bias: t.dBias };
      const dx = linearBackward(r, {
        label: 'dx',
        x: t.x,
        dy: t.dy,
        weight: t.weight,
        mask: wanted.mask,
        dWeight: into.weight,
        dBias: wanted.bias ? into.bias : undefined,
        accumulate: what === 'accumulated',
        sgd: isStep ? { losses: t.losses, step: t.step } : undefined,
      });
      return { dx, weight: into.weight, bias: into.bias, losses: t.losses };
    });

    const gradients = reference.matrix(dy, rows, outputs);
    const dx = reference
      .matmul(gradients, reference.matrix(weight, outputs, features))
      .map((value, i) => (wanted.mask ? reference.masked(value, x[i] as number) : value));
    expectWithin('dx', found.dx, dx);

    const after = (sums: readonly reference.Bounded[], was: Float32Array) =>
      sums.map((sum, i) => {
        const before = was[i] as number;
        if (what === 'stored') return sum;
        return isStep
          ? reference.plus({ value: -lr * sum.value, bound: lr * sum.bound }, before)
          : reference.plus(sum, before);
      });
    const product = reference.matmul(
      reference.matrix(dy, outputs, rows, true),
      reference.matrix(x, rows, features),
    );
    expectWithin('weight', found.weight, after(product, isStep ? weight : dWeight));
    const before = isStep ? bias : dBias;
    const sums = reference.columnSum(dy, rows, outputs);
    expectWithin('bias', found.bias, wanted.bias ? after(sums, before) : reference.within(before, 0));
    expect([...found.losses]).toEqual([7, 8]);
  },
);

it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  'a step reports a gradient or parameter of %d in its own loss, unless that is not finite either',
  async (bad) => {
    const [rows, features, outputs] = [3, 36, 3];
    const shapes = { x: [rows, features], dy: [rows, outputs], weight: [outputs, features], bias: [outputs] };
    const sizes = Object.entries(shapes).map(
      ([name, shape]) => [name, shape, shape.reduce((a, b) => a * b)] as const,
    );
    const places = sizes.flatMap(([name, , size]) =>
      [0, 1, size - 2, size - 1].map((at) => [name, at] as const),
    );
    for (const [where, at] of places) {
      const inputs = Object.fromEntries(
        sizes.map(([name, shape, size], seed) => {
          const values = floats(size, seed);
          return [name, f32(name === where ? values.with(at, bad) : values, ...shape)];
        }),
      ) as Record<keyof typeof shapes, ReturnType<typeof f32>>;
      const given = {
        ...inputs,
        losses: f32([1, 2, 3], 3),
        kept: f32([1, Number.NEGATIVE_INFINITY, 3], 3),
        step: stepRecord({ rows, slot: 1, lr: 0 }),
      };
      const { losses, kept } = await run(device(), given, (r, { x, dy, weight, bias, step, ...t }) => {
        for (const into of [t.losses, t.kept])
          linearBackward(r, {
            label: 'dx',
            x,
            dy,
            weight,
            mask: false,
            dWeight: weight,
            dBias: bias,
            accumulate: false,
            sgd: { losses: into, step },
          });
        return { losses: t.losses, kept: t.kept };
      });
      const bits = new Uint32Array(losses.buffer, losses.byteOffset, 3);
      expect([losses[0], bits[1], losses[2]], `${where} ${at}`).toEqual([1, brokenBits, 3]);
      expect([...kept], `${where} ${at}`).toEqual([1, Number.NEGATIVE_INFINITY, 3]);
    }
  },
);

it('refuses what it cannot do, in one line', async () => {
  const launch = ([rows, features, outputs]: readonly [number, number, number], accumulate = false) => {
    const inputs = {
      x: f32(floats(rows * features, 1), rows, features),
      dy: f32(floats(rows * outputs, 2), rows, outputs),
      weight: f32(floats(outputs * features, 3), outputs, features),
      losses: f32([7], 1),
      step: stepRecord({ rows }),
    };
    return run(device(), inputs, (r, { x, dy, weight, losses, step }) => ({
      dx: linearBackward(r, {
        label: 'head',
        x,
        dy,
        weight,
        mask: false,
        dWeight: weight,
        accumulate,
        sgd: { losses, step },
      }),
    }));
  };
  const expected =
    'expected f32, features in fours, at most 16 outputs, and an adapter with subgroups of 4, 8 or 16';
  await expect(launch([2, 6, 2])).rejects.toThrow(`head: x of f32 with weight [2, 6]: ${expected}`);
  await expect(launch([2, 4, 17])).rejects.toThrow(`head: x of f32 with weight [17, 4]: ${expected}`);
  await expect(launch([2, 4, 2], true)).rejects.toThrow('head: sgd and accumulate exclude each other');
});
