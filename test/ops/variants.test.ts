// Variants of the matmul kernels, matmul.wgsl and matmul_subgroup.wgsl, run and held to float64: any two of a kernel's
// constants meet in every legal combination of their values. (That all variants compile is test/shaders/compile.test.ts.)

import { describe, expect, it } from 'vitest';
import { imageBytes, imageOf } from '../../src/gpu/image.ts';
import type { ConstantValues } from '../../src/gpu/kernel.ts';
import type { DispatchDescription } from '../../src/gpu/plan.ts';
import { type CheckResult, checkDispatch } from '../../src/ops/check.ts';
import { matmul, matmulSubgroup } from '../../src/ops/kernels.generated.ts';
import { matmulCores } from '../../src/ops/matmul_variants.ts';
import { unallocated } from '../support/data.ts';
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
  const binding = (name: string, shape: number[], isU8 = false): DispatchDescription['bindings'][0] => {
    const bytes = shape.reduce((a, b) => a * b, isU8 ? 1 : 4);
    return { name, label: name, shape, dtype: isU8 ? 'u8' : 'f32', bytes, access: 'read' };
  };
  const isRun4 = constants.RUN === 4;
  const aShape = on('A_TRANSPOSED') ? [k, m] : [m, k];
  const bShape = on('B_TRANSPOSED') ? [n, k] : [k, n];
  const aFours = on('A_VECTOR') && (on('A_TRANSPOSED') || isRun4) ? 'a_fours' : 'a';
  const bFours = on('B_VECTOR') && (!on('B_TRANSPOSED') || isRun4) ? 'b_fours' : 'b';
  const imageOrNot = (name: 'a' | 'b' | 'c', shape: number[]) => {
    if (!on(`${name}_IMAGE`.toUpperCase())) return { images: [], fold: 0 };
    const image = imageOf(device(), unallocated(name, shape));
    const described = { name: `${name}_image`, label: name, shape, bytes: imageBytes(image), copied: true };
    return { images: [described], fold: image.fold };
  };
  const [a, b, c] = [imageOrNot('a', aShape), imageOrNot('b', bShape), imageOrNot('c', [m, n])];
  const subgroupParams = { zero: 0, a_fold: a.fold, b_fold: b.fold, c_fold: c.fold };
  const dispatch: DispatchDescription = {
    label: 'c',
    kernel,
    constants,
    params: { m, n, k, accumulate, chunk: k, ...(TILE === undefined ? subgroupParams : {}) },
    workgroups: [Math.ceil(n / columns) + (on('ROW_SUMS') ? 1 : 0), Math.ceil(m / rows), 1],
    bindings: [
      ...(on('A_IMAGE') ? [] : [binding(aFours, aShape, on('A_U8'))]),
      ...(on('B_IMAGE') ? [] : [binding(bFours, bShape, on('B_U8'))]),
      binding('bias_or_mask', on('MASK') ? [m, n] : [n]),
      binding('c', [m, n]),
      binding('row_sums', [m]),
      binding('loss', [3]),
    ],
    images: [...a.images, ...b.images, ...c.images],
  };
  return dispatch;
}

/**
 * Sizes of about `near` that a variant may be given, as odd as it can take them: where it loads vectors, and k of a tail or
 * of none; and images of rows that need not be folded, or are as many as can be.
 */
function legalSizes(constants: ConstantValues, near: number): [number, number, number] {
  const upTo = (multiple: number) => multiple * Math.ceil(near / multiple);
  const on = (name: string) => constants[name] === true;
  const { DEPTH, RUN } = constants as { DEPTH: number; RUN: number };
  const aFours = on('A_TRANSPOSED') && on('A_VECTOR');
  const bFours = on('C_VECTOR') || (!on('B_TRANSPOSED') && on('B_VECTOR'));
  let m = aFours ? upTo(4) : upTo(4) + 1;
  let n = bFours ? upTo(4) : upTo(4) + 1;
  const even = (!on('A_TRANSPOSED') && on('A_VECTOR')) || (on('B_TRANSPOSED') && on('B_VECTOR'));
  const tail = even || RUN === 4 ? upTo(8) + RUN : upTo(4) + 3;
  let k = constants.K_TAIL === false ? upTo(DEPTH) : tail;
  const most = 16; // rows side by side in an image of four columns
  if (on('C_IMAGE') || (on('A_IMAGE') && !on('A_TRANSPOSED'))) m = upTo(most);
  if (on('B_IMAGE') && on('B_TRANSPOSED')) n = upTo(most);
  const isAlongK = (on('A_IMAGE') && on('A_TRANSPOSED')) || (on('B_IMAGE') && !on('B_TRANSPOSED'));
  if (isAlongK && constants.K_TAIL === false) k = upTo(most);
  // Where k has a tail, rows of 64 columns, which are not folded.
  if (on('A_IMAGE') && on('A_TRANSPOSED') && on('K_TAIL')) m = upTo(64);
  if (on('B_IMAGE') && !on('B_TRANSPOSED') && on('K_TAIL')) n = upTo(64);
  return [m, n, k];
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

describe.each([5, 33, 66])('matrices of about %i', (near) => {
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
