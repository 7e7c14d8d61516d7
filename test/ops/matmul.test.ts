// Both matmul kernels, matmul.wgsl and matmul_subgroup.wgsl, against float64: every transposition, operand type and
// epilogue over awkward sizes.

import { describe, expect, it } from 'vitest';
import { type MatmulCore, matmul, matmulCore } from '../../src/ops/matmul.ts';
import { run } from '../../src/ops/run.ts';
import { expectWithin } from '../support/compare.ts';
import { awkwardSizes, f32, floats, integers, triples, u8 } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import * as reference from '../support/reference.ts';

const device = useDevice();
const cores: MatmulCore[] = ['tile', 'subgroup'];

describe.each(cores)('%s core', (core) => {
  it.each([
    { aTransposed: false, bTransposed: false },
    { aTransposed: false, bTransposed: true },
    { aTransposed: true, bTransposed: false },
    { aTransposed: true, bTransposed: true },
  ])('multiplies over awkward sizes, %o', async ({ aTransposed, bTransposed }) => {
    for (const [m, n, k] of [
      ...triples(awkwardSizes, 1),
      ...triples(
        awkwardSizes.filter((s) => s < 130),
        2,
      ),
    ]) {
      const a = floats(m * k, m);
      const b = floats(k * n, n + 1000);
      const inputs = {
        a: f32(a, ...(aTransposed ? [k, m] : [m, k])),
        b: f32(b, ...(bTransposed ? [n, k] : [k, n])),
      };
      const { c } = await run(device(), inputs, (r, t) => ({
        c: matmul(r, { label: 'c', ...t, aTransposed, bTransposed, core }),
      }));
      const expected = reference.matmul(
        reference.matrix(a, m, k, aTransposed),
        reference.matrix(b, k, n, bTransposed),
      );
      expectWithin(`matmul ${core} ${aTransposed ? 'Aᵀ' : 'A'}·${bTransposed ? 'Bᵀ' : 'B'}`, c, expected);
    }
  });

  it.each([
    [64, 512, 784],
    [5, 33, 28],
    [33, 7, 4],
  ])('reads u8 rows as [0, 1], adds a bias and rectifies: [%i, %i, %i]', async (m, n, k) => {
    const pixels = integers(m * k, 5, 256);
    const w = floats(n * k, 6);
    const bias = floats(n, 7);
    const { c } = await run(
      device(),
      { a: u8(pixels, m, k), b: f32(w, n, k), bias: f32(bias, n) },
      (r, t) => ({
        c: matmul(r, { label: 'c', ...t, bTransposed: true, relu: true, core }),
      }),
    );
    const scaled = Array.from(pixels, (p) => p / 255);
    const product = reference.matmul(reference.matrix(scaled, m, k), reference.matrix(w, k, n, true));
    expectWithin(
      `matmul ${core} u8 + bias, ReLU`,
      c,
      product.map((value, i) => reference.relu(reference.plus(value, bias[i % n] as number))),
    );
  });

  it('reads u8 as the right operand', async () => {
    const [m, n, k] = [17, 28, 64];
    const a = floats(k * m, 8);
    const pixels = integers(k * n, 9, 256);
    const { c } = await run(device(), { a: f32(a, k, m), b: u8(pixels, k, n) }, (r, t) => ({
      c: matmul(r, { label: 'c', ...t, aTransposed: true, core }),
    }));
    const scaled = Array.from(pixels, (p) => p / 255);
    expectWithin(
      `matmul ${core} Aᵀ·u8`,
      c,
      reference.matmul(reference.matrix(a, m, k, true), reference.matrix(scaled, k, n)),
    );
  });

  it.each([
    [33, 65, 17],
    [32, 64, 16],
  ])('masks and accumulates: [%i, %i, %i]', async (m, n, k) => {
    const a = floats(m * k, 10);
    const b = floats(k * n, 11);
    const mask = floats(m * n, 12).map((v, i) => (i % 5 === 0 ? 0 : v));
    const before = floats(m * n, 13);
    const inputs = { a: f32(a, m, k), b: f32(b, k, n), mask: f32(mask, m, n), out: f32(before, m, n) };
    const { out } = await run(device(), inputs, (r, t) => {
      matmul(r, { label: 'c', ...t, accumulate: true, core });
      return { out: t.out };
    });
    const product = reference.matmul(reference.matrix(a, m, k), reference.matrix(b, k, n));
    const masked = product.map((p, i) => ((mask[i] as number) > 0 ? p : { value: 0, bound: 0 }));
    expectWithin(
      `matmul ${core} mask, accumulate`,
      out,
      masked.map((p, i) => reference.plus(p, before[i] as number)),
    );
  });

  it('keeps a NaN through the rectifier', async () => {
    const a = f32([Number.NaN, 1, -1, 1], 2, 2);
    const { c } = await run(device(), { a, b: f32([1, 0, 0, 1], 2, 2) }, (r, t) => ({
      c: matmul(r, { label: 'c', ...t, relu: true, core }),
    }));
    expect(c[0]).toBeNaN();
    expect([...c.slice(2)]).toEqual([0, 1]);
  });
});

it('refuses operands that do not fit, naming both', async () => {
  const work = run(device(), { x: f32(floats(6, 1), 2, 3), w: f32(floats(8, 1), 2, 4) }, (r, { x, w }) => ({
    c: matmul(r, { label: '2.linear.matmul', a: x, b: w, bTransposed: true }),
  }));
  await expect(work).rejects.toThrow('2.linear.matmul: inner sizes differ: x [2, 3] × wᵀ [2, 4]');
});

it('uses the subgroup core on software adapters', () => {
  expect(matmulCore(device())).toBe(device().info.software ? 'subgroup' : 'tile');
});
