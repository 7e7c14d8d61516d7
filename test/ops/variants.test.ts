// Variants of the matmul kernels, matmul.wgsl and matmul_subgroup.wgsl, run and held to float64: any two of a kernel's
// constants meet in every legal combination of their values. (That all variants compile is test/shaders/compile.test.ts.)

import { describe, expect, it } from 'vitest';
import type { ConstantValues } from '../../src/gpu/kernel.ts';
import type { DispatchDescription } from '../../src/gpu/plan.ts';
import { type CheckResult, checkDispatch } from '../../src/ops/check.ts';
import { matmul, matmulSubgroup } from '../../src/ops/kernels.generated.ts';
import { matmulCores } from '../../src/ops/matmul_variants.ts';
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
  const { TILE, LANES, ROWS, QUADS } = constants as Readonly<Record<string, number>>;
  const [rows, columns] =
    TILE === undefined ? [ROWS as number, 4 * (QUADS as number) * (LANES as number)] : [TILE, TILE];
  const fours = (vector: string, transposed: boolean) => (on(vector) && transposed ? '_fours' : '');
  const binding = (name: string, shape: number[], isU8 = false): DispatchDescription['bindings'][0] => {
    const bytes = shape.reduce((a, b) => a * b, isU8 ? 1 : 4);
    return { name, label: name, shape, dtype: isU8 ? 'u8' : 'f32', bytes, access: 'read' };
  };
  const dispatch: DispatchDescription = {
    label: 'c',
    kernel,
    constants,
    params: { m, n, k, accumulate, chunk: k, ...(TILE === undefined ? { zero: 0 } : {}) },
    workgroups: [Math.ceil(n / columns) + (on('ROW_SUMS') ? 1 : 0), Math.ceil(m / rows), 1],
    bindings: [
      binding(`a${fours('A_VECTOR', on('A_TRANSPOSED'))}`, on('A_TRANSPOSED') ? [k, m] : [m, k], on('A_U8')),
      binding(`b${fours('B_VECTOR', !on('B_TRANSPOSED'))}`, on('B_TRANSPOSED') ? [n, k] : [k, n], on('B_U8')),
      binding('bias_or_mask', on('MASK') ? [m, n] : [n]),
      binding('c', [m, n]),
      binding('row_sums_or_transpose', on('TRANSPOSE') ? [n, m] : [m]),
      binding('loss', [3]),
    ],
  };
  return dispatch;
}

/** Sizes of about `near` that a variant may be given, as odd as it can take them: where it loads vectors, and k of a tail or of none. */
function legalSizes(constants: ConstantValues, near: number): [number, number, number] {
  const multiple = 4 * Math.ceil(near / 4);
  const { DEPTH, K_TAIL, A_TRANSPOSED, B_TRANSPOSED, A_VECTOR, B_VECTOR, C_VECTOR } = constants;
  const m = A_TRANSPOSED === true && A_VECTOR === true ? multiple : multiple + 1;
  const n = C_VECTOR === true || (B_TRANSPOSED !== true && B_VECTOR === true) ? multiple : multiple + 1;
  const even = (A_VECTOR === true && A_TRANSPOSED === false) || (B_VECTOR === true && B_TRANSPOSED === true);
  if (K_TAIL === false) return [m, n, Number(DEPTH) * Math.ceil(near / Number(DEPTH))];
  return [m, n, even ? 8 * Math.ceil(near / 8) + 2 : multiple + 3];
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
    // An SGD step replaces what it reads: there is nothing to accumulate.
    for (const accumulate of constants.SGD === true ? ([0] as const) : ([0, 1] as const)) {
      const dispatch = matmulDispatch(kernel, constants, legalSizes(constants, near), accumulate);
      worst = Math.max(worst, (await expectRight(dispatch)).worst);
    }
  }
  console.log(`  ${kernel}: ${variants.length} variants, worst error ÷ bound ${worst.toPrecision(2)}`);
}

/** A driver without a warm shader cache compiles each variant in a second or so. */
const timeout = 240_000;

describe.each([5, 33, 66])('matrices of about %i', { timeout }, (near) => {
  it('by the tile core, in any two constants', () =>
    expectVariants('matmul', coveringVariants(matmul, 2), near));

  it('by the subgroup core, in any two constants', async (context) => {
    if (!matmulCores(device()).includes('subgroup')) return context.skip(); // needs subgroups of a size that it knows
    const lanes = device().info.subgroupSize;
    const variants = coveringVariants(matmulSubgroup, 2, ({ LANES }) => LANES === lanes);
    expect(variants.length).toBeGreaterThan(5);
    await expectVariants('matmul_subgroup', variants, near);
  });
});
