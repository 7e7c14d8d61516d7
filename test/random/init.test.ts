// Initial parameters and permutations, byte for byte against real PyTorch (test/fixtures, scripts/torch-fixtures.py).

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createGenerator } from '../../src/random/generator.ts';
import { conv2dInit, linearInit } from '../../src/random/init.ts';
import { randperm } from '../../src/random/permutation.ts';

interface Parameter {
  name: string;
  shape: number[];
  sha256: string;
  first: number[];
  last: number[];
}
interface Inits {
  tutorial: { seed: number; parameters: Parameter[] }[];
  odd: { seed: number; layers: { in: number; out: number; weight: string; bias: string }[] };
}
interface ConvInit {
  in: number;
  out: number;
  kernel: number | [number, number];
  bias: boolean;
  weight: string;
  biasSum: string | null;
  next: number;
}
interface Orders {
  permutations: { seed: number; n: number; int32: string; next31: number; order?: number[] }[];
}

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../fixtures/${name}`, import.meta.url), 'utf8'));
const inits: Inits = read('init.json');
const convInits: { seed: number; layers: ConvInit[] } = read('conv.json').init;
const orders: Orders = read('order.json');
const sha256 = (values: Float32Array | Int32Array) =>
  createHash('sha256')
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest('hex');

it.each(convInits.layers)(
  'conv2dInit from $in to $out, kernel $kernel, is byte-equal to PyTorch’s',
  (layer) => {
    const generator = createGenerator(convInits.seed);
    const kernel = typeof layer.kernel === 'number' ? ([layer.kernel, layer.kernel] as const) : layer.kernel;
    const { weight, bias } = conv2dInit(generator, layer.in, layer.out, kernel, layer.bias);
    expect(sha256(weight)).toBe(layer.weight);
    expect(bias === undefined ? null : sha256(bias)).toBe(layer.biasSum);
    expect(generator.uniform(new Float32Array(1), 0, 1)[0]).toBe(Math.fround(layer.next));
  },
);

describe('linearInit', () => {
  it.each(inits.tutorial)(
    'the tutorial’s model at seed $seed is byte-equal to PyTorch’s',
    ({ seed, parameters }) => {
      const generator = createGenerator(seed);
      const layers = [
        linearInit(generator, 784, 512),
        linearInit(generator, 512, 512),
        linearInit(generator, 512, 10),
      ];
      const found = layers.flatMap(({ weight, bias }) => [weight, bias]);
      for (const [i, parameter] of parameters.entries()) {
        const values = found[i]!;
        expect([...values.subarray(0, 3)], parameter.name).toEqual(parameter.first);
        expect([...values.subarray(-3)], parameter.name).toEqual(parameter.last);
        expect(sha256(values), parameter.name).toBe(parameter.sha256);
      }
      expect(found.reduce((sum, values) => sum + values.length, 0)).toBe(669_706);
    },
  );

  it.each(inits.odd.layers)('a layer of $in to $out is byte-equal to PyTorch’s', (layer) => {
    const { weight, bias } = linearInit(createGenerator(inits.odd.seed), layer.in, layer.out);
    expect(sha256(weight)).toBe(layer.weight);
    expect(sha256(bias)).toBe(layer.bias);
  });

  it('refuses sizes that are not positive integers, before drawing', () => {
    const generator = createGenerator(0);
    const before = generator.state();
    for (const size of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => linearInit(generator, size, 3)).toThrow(/linear: expected positive integer sizes/);
      expect(() => linearInit(generator, 3, size)).toThrow(/linear: expected positive integer sizes/);
    }
    expect(generator.state()).toEqual(before);
  });
});

describe('randperm', () => {
  it.each(orders.permutations)('of $n is PyTorch’s, and takes as many draws', (row) => {
    const generator = createGenerator(row.seed);
    const order = randperm(generator, row.n);
    if (row.order) expect([...order]).toEqual(row.order);
    expect(sha256(order)).toBe(row.int32);
    expect(generator.random32() % 2 ** 31).toBe(row.next31);
  });

  it('is a permutation', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 500 }), fc.nat(), (n, seed) => {
        const order = randperm(createGenerator(seed), n);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
      }),
      { numRuns: 50, seed: 1 },
    );
  });

  it('refuses lengths it cannot do', () => {
    for (const n of [-1, 1.5, Number.NaN, 2 ** 32]) {
      expect(() => randperm(createGenerator(0), n)).toThrow(/randperm: expected an integer/);
    }
  });
});
