// Variants of the matmul kernels, matmul.wgsl and matmul_subgroup.wgsl, run and held to float64: any three of a kernel's
// constants meet in every legal combination of their values. (That all variants compile is test/shaders/compile.test.ts.)

import { describe, expect, it } from 'vitest';
import type { ConstantValues } from '../../src/gpu/kernel.ts';
import type { DispatchDescription } from '../../src/gpu/plan.ts';
import { type CheckResult, checkDispatch } from '../../src/ops/check.ts';
import { matmul, matmulSubgroup } from '../../src/ops/kernels.generated.ts';
import { matmulCores } from '../../src/ops/matmul.ts';
import { useDevice } from '../support/device.ts';
import { coveringVariants } from '../support/variants.ts';

const device = useDevice();

/** A matmul by one kernel variant, as a launcher would record it. */
function matmulDispatch(
  kernel: string,
  constants: ConstantValues,
  sizes: readonly [number, number, number],
  accumulate: 0 | 1,
) {
  const [m, n, k] = sizes;
  const on = (name: string) => constants[name] === true;
  const tile = [
    Number(constants.TILE_M ?? 32),
    constants.LANES === undefined ? 32 : 4 * Number(constants.LANES),
  ];
  const binding = (name: string, shape: number[], isU8 = false): DispatchDescription['bindings'][0] => {
    const bytes = shape.reduce((a, b) => a * b, isU8 ? 1 : 4);
    return { name, label: name, shape, dtype: isU8 ? 'u8' : 'f32', bytes, access: 'read' };
  };
  const dispatch: DispatchDescription = {
    label: 'c',
    kernel,
    constants,
    params: { m, n, k, accumulate, ...(constants.LANES === undefined ? {} : { zero: 0 }) },
    workgroups: [Math.ceil(n / (tile[1] as number)), Math.ceil(m / (tile[0] as number)), 1],
    bindings: [
      binding('a', on('A_TRANSPOSED') ? [k, m] : [m, k], on('A_U8')),
      binding('b', on('B_TRANSPOSED') ? [n, k] : [k, n], on('B_U8')),
      binding('bias_or_mask', on('MASK') ? [m, n] : [n]),
      binding('c', [m, n]),
    ],
  };
  return dispatch;
}

/** Sizes of about `near` that a variant may be given: multiples of four where it loads vectors, k of a tail or of none. */
function legalSizes(constants: ConstantValues, near: number): [number, number, number] {
  const multiple = 4 * Math.ceil(near / 4);
  const along = (transposed: boolean, vector: unknown) =>
    transposed && vector === true ? multiple : multiple + 1;
  const m = along(constants.A_TRANSPOSED === true, constants.A_VECTOR);
  const n = along(constants.B_TRANSPOSED !== true, constants.B_VECTOR);
  return [m, n, constants.K_TAIL === false ? multiple : multiple + 3];
}

async function expectRight(dispatch: DispatchDescription): Promise<CheckResult> {
  const result = await checkDispatch(device(), dispatch);
  expect(result.message, `${result.variant} ${JSON.stringify(dispatch.params)}`).toBeUndefined();
  expect(result).toMatchObject({ ok: true, wrong: 0 });
  return result;
}

/** Every variant at sizes near the given one, storing C and adding to it. */
async function expectVariants(kernel: string, variants: readonly ConstantValues[], near: number) {
  let worst = 0;
  for (const constants of variants) {
    for (const accumulate of [0, 1] as const) {
      const dispatch = matmulDispatch(kernel, constants, legalSizes(constants, near), accumulate);
      worst = Math.max(worst, (await expectRight(dispatch)).worst);
    }
  }
  console.log(`  ${kernel}: ${variants.length} variants, worst error ÷ bound ${worst.toPrecision(2)}`);
}

describe.each([5, 33, 66])('matrices of about %i', (near) => {
  it('by the tile core, in any three constants', () =>
    expectVariants('matmul', coveringVariants(matmul, 3), near));

  it('by the subgroup core, in any three constants', async (context) => {
    if (!matmulCores(device()).includes('subgroup')) return context.skip(); // needs subgroups of a size that it knows
    const lanes = device().info.subgroupSize;
    const variants = coveringVariants(matmulSubgroup, 3, ({ LANES }) => LANES === lanes);
    expect(variants.length).toBeGreaterThan(10);
    await expectVariants('matmul_subgroup', variants, near);
  });
});
