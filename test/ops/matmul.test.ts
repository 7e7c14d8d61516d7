// Both matmul kernels, matmul.wgsl and matmul_subgroup.wgsl, against float64: every transposition over awkward sizes
// pairwise, and what layers ask of them over random sizes.

import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { describe as describeWork } from '../../src/gpu/plan.ts';
import { matmul } from '../../src/ops/matmul.ts';
import {
  allMatmulVariants,
  type MatmulCore,
  type MatmulVariant,
  matmulCore,
  matmulCores,
} from '../../src/ops/matmul_variants.ts';
import * as reference from '../../src/ops/reference.ts';
import { run } from '../../src/ops/run.ts';
import { expectWithin } from '../support/compare.ts';
import { awkwardSizes, f32, floats, integers, manyRows, triples, u8 } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();
const cores: MatmulCore[] = ['tile', 'subgroup'];
/** Those that this adapter can run. */
const ownCores = () => cores.filter((core) => matmulCores(device()).includes(core));

/** The columns × rows copy of a rows × columns matrix. */
const transpose = (data: Float32Array, rows: number, columns: number) =>
  Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)] as number);

const transpositions = [
  { name: 'A·B', aTransposed: false, bTransposed: false },
  { name: 'A·Bᵀ', aTransposed: false, bTransposed: true },
  { name: 'Aᵀ·B', aTransposed: true, bTransposed: false },
  { name: 'Aᵀ·Bᵀ', aTransposed: true, bTransposed: true },
];
/** Beyond this many multiplications the transpositions and the cores take turns. */
const large = 2 ** 20;

/** One product by both cores in all four transpositions, against one reference. */
async function expectProducts(m: number, n: number, k: number, seed: number): Promise<void> {
  const [a, b] = [floats(m * k, seed), floats(k * n, seed + 1)];
  const inputs = {
    a: f32(a, m, k),
    aT: f32(transpose(a, m, k), k, m),
    b: f32(b, k, n),
    bT: f32(transpose(b, k, n), n, k),
  };
  const all = m * n * k <= large;
  const chosen = transpositions.filter((_, i) => all || i === seed % 4);
  const used = ownCores().filter((_, i, { length }) => all || i === (seed >> 2) % length);
  const found = await run(device(), inputs, (r, t) => {
    const products = used.flatMap((core) =>
      chosen.map(({ name, aTransposed, bTransposed }) => {
        const operands = { a: aTransposed ? t.aT : t.a, b: bTransposed ? t.bT : t.b };
        const c = matmul(r, { label: 'c', ...operands, aTransposed, bTransposed, core });
        return [`${core} ${name}`, c] as const;
      }),
    );
    return Object.fromEntries(products);
  });
  const expected = reference.matmul(reference.matrix(a, m, k), reference.matrix(b, k, n));
  expect(Object.keys(found)).toHaveLength(used.length * chosen.length);
  for (const [name, c] of Object.entries(found)) expectWithin(`matmul ${name}`, c, expected);
}

describe('multiplies in every transposition', () => {
  it.each(awkwardSizes)('m = %i with every n and k, pairwise', async (size) => {
    const chosen = triples(awkwardSizes).filter(([m]) => m === size);
    for (const [i, [m, n, k]] of chosen.entries()) await expectProducts(m, n, k, 101 * m + i);
  });

  it.each([
    [manyRows, 3, 2],
    [2, manyRows, 3],
    [3, 2, manyRows],
  ])('[%i, %i, %i]', (m, n, k) => expectProducts(m, n, k, 7));
});

it('keeps an infinity at the very end of k, however the last few are loaded', async () => {
  // Not asked of WGSL, but true of drivers that compute as IEEE 754 says: what fills a tail up must not meet the infinity.
  for (const k of [1, 2, 3, 4, 5, 18]) {
    for (const infinite of ['a', 'b'] as const) {
      const operand = (name: 'a' | 'b', rows: number, columns: number) => {
        const last = (row: number, column: number) => (name === 'a' ? column : row) === k - 1;
        const data = Float32Array.from({ length: rows * columns }, (_, i) =>
          name === infinite && last(Math.floor(i / columns), i % columns) ? Number.POSITIVE_INFINITY : 1,
        );
        return { data, rows, columns };
      };
      const [a, b] = [operand('a', 3, k), operand('b', k, 6)];
      const inputs = {
        a: f32(a.data, 3, k),
        aT: f32(transpose(a.data, 3, k), k, 3),
        b: f32(b.data, k, 6),
        bT: f32(transpose(b.data, k, 6), 6, k),
      };
      const found = await run(device(), inputs, (r, t) => {
        const products = ownCores().flatMap((core) =>
          transpositions.map(({ name, aTransposed, bTransposed }) => {
            const operands = { a: aTransposed ? t.aT : t.a, b: bTransposed ? t.bT : t.b };
            return [
              `${core} ${name}`,
              matmul(r, { label: 'c', ...operands, aTransposed, bTransposed, core }),
            ];
          }),
        );
        return Object.fromEntries(products);
      });
      for (const [name, c] of Object.entries(found))
        expect([...c], `${name}, k = ${k}`).toEqual(new Array(18).fill(Number.POSITIVE_INFINITY));
    }
  }
});

/** How layers call matmul: what differs is compiled in. All variants of the kernels' constants are in variants.test.ts. */
const uses: Readonly<Record<string, Use>> = {
  'plain forward': { bTransposed: true },
  forward: { bTransposed: true, other: 'bias', relu: true },
  'forward from u8': { aU8: true, bTransposed: true, other: 'bias', relu: true },
  logits: { bTransposed: true, other: 'bias' },
  dX: {},
  'masked dX': { other: 'mask' },
  dW: { aTransposed: true },
  'dW from u8, accumulated': { aTransposed: true, bU8: true, accumulate: true },
  'dW with the gradient of the bias': { aTransposed: true, rowSums: true },
  'dW from u8 with it, accumulated': { aTransposed: true, bU8: true, rowSums: true, accumulate: true },
  'everything at once': { other: 'mask', relu: true, accumulate: true },
};

interface Use {
  readonly aTransposed?: boolean;
  readonly bTransposed?: boolean;
  readonly aU8?: boolean;
  readonly bU8?: boolean;
  readonly other?: 'bias' | 'mask';
  readonly relu?: boolean;
  readonly accumulate?: boolean;
  readonly rowSums?: boolean;
}

/** A use on random data of the given sizes; about a fifth of the mask's and of the operands' values are zeros. */
async function expectUse(core: MatmulCore, name: string, m: number, n: number, k: number, seed: number) {
  const use = uses[name] as Use;
  const { aTransposed = false, bTransposed = false, other, relu = false, accumulate = false } = use;
  const operand = (isU8: boolean | undefined, rows: number, columns: number, salt: number) => {
    const count = rows * columns;
    if (isU8 !== true) {
      const data = floats(count, seed + salt).map((v, i) => (i % 5 === 3 ? 0 : v));
      return { host: f32(data, rows, columns), values: data };
    }
    const bytes = integers(count, seed + salt, 256);
    return { host: u8(bytes, rows, columns), values: Array.from(bytes, (v) => v / 255) };
  };
  const a = aTransposed ? operand(use.aU8, k, m, 1) : operand(use.aU8, m, k, 1);
  const b = bTransposed ? operand(use.bU8, n, k, 2) : operand(use.bU8, k, n, 2);
  const bias = floats(n, seed + 3);
  const mask = floats(m * n, seed + 4).map((v, i) => (i % 5 === 0 ? 0 : v));
  const before = floats(m * n, seed + 5);
  const rowsBefore = floats(m, seed + 6);
  const inputs = { a: a.host, b: b.host, bias: f32(bias, n), mask: f32(mask, m, n), out: f32(before, m, n) };
  const rowInputs = { ...inputs, rows: f32(rowsBefore, m) };
  const { c, rows } = await run(device(), rowInputs, (r, t) => {
    const extra = other === undefined ? {} : other === 'bias' ? { bias: t.bias } : { mask: t.mask };
    const out = { ...(accumulate ? { out: t.out } : {}), ...(use.rowSums ? { rowSums: t.rows } : {}) };
    const options = { aTransposed, bTransposed, relu, accumulate, core };
    const more = { ...extra, ...out };
    return { c: matmul(r, { label: 'c', a: t.a, b: t.b, ...options, ...more }), rows: t.rows };
  });
  const product = reference.matmul(
    reference.matrix(a.values, m, k, aTransposed),
    reference.matrix(b.values, k, n, bTransposed),
  );
  const expected = product.map((sum, i) => {
    let value = other === 'bias' ? reference.plus(sum, bias[i % n] as number) : sum;
    if (relu) value = reference.relu(value);
    if (other === 'mask') value = reference.masked(value, mask[i] as number);
    return accumulate ? reference.plus(value, before[i] as number) : value;
  });
  expectWithin(`matmul ${core}, ${name}`, c, expected);
  const sums = reference.columnSum(a.values, k, m); // of A's rows: A is stored transposed
  const expectedRows = sums.map((sum, i) => reference.plus(sum, accumulate ? (rowsBefore[i] as number) : 0));
  const unchanged = reference.within(rowsBefore, 0);
  expectWithin(`matmul ${core}, ${name}, rows`, rows, use.rowSums ? expectedRows : unchanged);
}

describe.each(cores)('%s core', (core) => {
  beforeEach((context) => {
    if (!ownCores().includes(core)) context.skip();
  });

  describe.each(Object.keys(uses))('%s', (use) => {
    // Sides that are multiples of four take the vector loads, the others the scalar ones.
    it.each([
      [36, 20, 8],
      [33, 39, 19],
      [5, 12, 18],
    ])('[%i, %i, %i]', (m, n, k) => expectUse(core, use, m, n, k, 10 * m));
  });

  it.each([
    [36, 20, 200, 64],
    [5, 17, 129, 128],
    [33, 10, 128, 64],
    [16, 36, 40, 64],
  ])('in chunks that somebody else adds up: [%i, %i, %i] by %i', async (m, n, k, chunk) => {
    const [a, b] = [floats(m * k, m), floats(k * n, n)];
    const inputs = {
      a: f32(a, m, k),
      aT: f32(transpose(a, m, k), k, m),
      b: f32(b, k, n),
      bT: f32(transpose(b, k, n), n, k),
    };
    const { matrix, block } = reference;
    const parts = Array.from({ length: Math.ceil(k / chunk) }, (_, i) => [
      i * chunk,
      Math.min(k, (i + 1) * chunk),
    ]) as [number, number][];
    const found = await run(
      device(),
      { ...inputs, rows: f32(floats(parts.length * m, 3), parts.length * m) },
      (r, t) => {
        const products = transpositions.map(({ name, aTransposed, bTransposed }) => {
          const operands = { a: aTransposed ? t.aT : t.a, b: bTransposed ? t.bT : t.b };
          const sums = aTransposed && bTransposed ? { rowSums: t.rows } : {};
          const c = matmul(r, { label: 'c', ...operands, aTransposed, bTransposed, chunk, core, ...sums });
          expect(c.shape).toEqual([parts.length, m, n]);
          return [name, c] as const;
        });
        return { ...Object.fromEntries(products), rows: t.rows };
      },
    );
    const [left, right] = [matrix(a, m, k), matrix(b, k, n)];
    const expected = parts.flatMap((part) =>
      reference.matmul(block(left, [0, m], part), block(right, part, [0, n])),
    );
    const { rows, ...products } = found;
    expect(Object.keys(products)).toHaveLength(4);
    for (const [name, c] of Object.entries<ArrayLike<number>>(products))
      expectWithin(`matmul ${core} in chunks, ${name}`, c, expected);
    const columns = transpose(a, m, k);
    const expectedRows = parts.flatMap(([from, to]) =>
      reference.columnSum(columns.slice(from * m, to * m), to - from, m),
    );
    expectWithin(`matmul ${core} in chunks, rows`, rows, expectedRows);
  });

  // Most of its kernels no other test has compiled, which in a browser takes seconds each.
  it('at any size', { timeout: 480_000 }, async () => {
    const size = fc.integer({ min: 1, max: 90 });
    const trial = fc.tuple(fc.constantFrom(...Object.keys(uses)), size, size, size, fc.nat());
    await fc.assert(
      fc.asyncProperty(trial, ([use, m, n, k, seed]) => expectUse(core, use, m, n, k, seed)),
      { numRuns: 50, seed: 1 },
    );
  });

  it('is exact on whole numbers, whatever the order of the additions', async () => {
    const [m, n, k] = [65, 39, 129];
    const whole = (count: number, seed: number) =>
      Float32Array.from(integers(count, seed, 4095), (v) => v - 2047);
    const [a, b] = [whole(m * k, 1), whole(k * n, 2).map((v) => v % 4)];
    const { c } = await run(device(), { a: f32(a, m, k), b: f32(b, k, n) }, (r, t) => ({
      c: matmul(r, { label: 'c', ...t, core }),
    }));
    const product = reference.matmul(reference.matrix(a, m, k), reference.matrix(b, k, n));
    expectWithin(
      `matmul ${core}, whole numbers`,
      c,
      product.map(({ value }) => ({ value, bound: 0 })),
    );
  });

  it('keeps a NaN through the rectifier and the mask', async () => {
    const a = f32([Number.NaN, 1, -1, 1], 2, 2);
    const mask = f32([1, 1, 0, 1], 2, 2);
    const { c, d } = await run(device(), { a, b: f32([1, 0, 0, 1], 2, 2), mask }, (r, t) => ({
      c: matmul(r, { label: 'c', a: t.a, b: t.b, relu: true, core }),
      d: matmul(r, { label: 'd', a: t.a, b: t.b, mask: t.mask, core }),
    }));
    expect(c[0]).toBeNaN();
    expect([...c.slice(2)]).toEqual([0, 1]);
    expect(d[0]).toBeNaN();
    expect([...d.slice(2)]).toEqual([0, 1]);
  });
});

it('refuses operands that do not fit, naming both', async () => {
  const work = run(device(), { x: f32(floats(6, 1), 2, 3), w: f32(floats(8, 1), 2, 4) }, (r, { x, w }) => ({
    c: matmul(r, { label: '2.linear.matmul', a: x, b: w, bTransposed: true }),
  }));
  await expect(work).rejects.toThrow('2.linear.matmul: inner sizes differ: x [2, 3] × wᵀ [2, 4]');
});

it.each([
  [{ chunk: 32 }, 'c: a chunk of 32, expected a multiple of 64'],
  [{ chunk: 64, relu: true }, 'c: a product in chunks takes no bias, relu, mask, sgd or accumulate'],
  [{ chunk: 64, accumulate: true }, 'c: a product in chunks takes no'],
])('refuses chunks that it cannot sum over: %j', async (options, message) => {
  const work = run(device(), { a: f32(floats(6, 1), 2, 3), b: f32(floats(6, 1), 3, 2) }, (r, t) => ({
    c: matmul(r, { label: 'c', ...t, ...options }),
  }));
  await expect(work).rejects.toThrow(message);
});

describe.each(transpositions)(
  'the subgroup core reads operands as images: $name',
  ({ aTransposed, bTransposed }) => {
    beforeEach((context) => {
      if (!ownCores().includes('subgroup')) context.skip();
    });

    // Along k by fours, and across it; rows that need not be folded, and such that do.
    it.each([
      [64, 128, 64],
      [48, 32, 80],
      [16, 16, 784],
    ])('[%i, %i, %i]', async (m, n, k) => {
      const [a, b] = [floats(m * k, 1), floats(k * n, 2)];
      const inputs = {
        a: aTransposed ? f32(transpose(a, m, k), k, m) : f32(a, m, k),
        b: bTransposed ? f32(transpose(b, k, n), n, k) : f32(b, k, n),
      };
      const variants = allMatmulVariants.filter(({ lanes }) => lanes === device().info.subgroupSize);
      expect(variants.length).toBeGreaterThan(1);
      const options = { aTransposed, bTransposed, images: true };
      const found = await run(device(), inputs, (r, t) =>
        Object.fromEntries(
          variants.map((variant) => [
            variant.name,
            matmul(r, { label: variant.name, ...t, ...options, variant }),
          ]),
        ),
      );
      const product = reference.matmul(reference.matrix(a, m, k), reference.matrix(b, k, n));
      for (const variant of variants)
        expectWithin(variant.name, found[variant.name] as Float32Array, product);
      const recorded = describeWork(device(), (r) => {
        const like = (name: 'a' | 'b') => r.tensor(name, inputs[name].shape);
        for (const variant of variants)
          matmul(r, { label: variant.name, a: like('a'), b: like('b'), ...options, variant });
      });
      for (const [i, { images }] of recorded.entries()) {
        const isDeep = ((variants[i] as MatmulVariant).constants.DEPTH as number) % 4 === 0;
        expect(images.map(({ name }) => name)).toEqual(isDeep ? ['a_image', 'b_image'] : []);
      }
    });
  },
);

it('the subgroup core finds every row of the tallest image', async (context) => {
  if (!ownCores().includes('subgroup')) return context.skip();
  const [m, n, k] = [131_072, 4, 4]; // sixteen rows side by side, 8,192 one above the other
  const [a, b] = [floats(m * k, 1), floats(k * n, 2)];
  const { c } = await run(device(), { a: f32(a, m, k), b: f32(b, k, n) }, (r, t) => ({
    c: matmul(r, { label: 'c', ...t, images: true }),
  }));
  expectWithin('c', c, reference.matmul(reference.matrix(a, m, k), reference.matrix(b, k, n)));
});

it('uses the subgroup core on software adapters whose subgroups it knows', () => {
  const { software, subgroupSize } = device().info;
  expect(matmulCore(device())).toBe(software && [4, 8, 16].includes(subgroupSize) ? 'subgroup' : 'tile');
});
