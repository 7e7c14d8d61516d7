// The generator against draws made by real PyTorch (test/fixtures/random.json, made by scripts/torch-fixtures.py).

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeddleError } from '../../src/errors.ts';
import { createGenerator, DEFAULT_SEED, defaultGenerator, manualSeed } from '../../src/random/generator.ts';

interface Fixtures {
  draws: {
    seed: string;
    draws31: number[];
    int64: string[];
    rand: number[];
    rand1000: string;
    next31: number;
  }[];
  uniform: { seed: number; from: number; to: number; count: number; first: number[]; sha256: string }[];
}

const fixtures: Fixtures = JSON.parse(
  readFileSync(new URL('../fixtures/random.json', import.meta.url), 'utf8'),
);
const sha256 = (values: Float32Array) =>
  createHash('sha256')
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest('hex');
const MASK31 = 2 ** 31;
const MASK63 = 2n ** 63n - 1n;

describe('generator', () => {
  it('starts as mt19937 does', () => {
    const generator = createGenerator(0);
    expect([generator.random32(), generator.random32()]).toEqual([2357136044, 2546248239]);
    const reference = createGenerator(5489);
    for (let i = 0; i < 9999; i++) reference.random32();
    // The C++ standard's check value for mt19937.
    expect(reference.random32()).toBe(4123659995);
  });

  it.each(fixtures.draws)('draws what PyTorch draws with seed $seed', (row) => {
    const seed = BigInt(row.seed);
    const generator = createGenerator(seed);
    expect(generator.seed).toBe(Number(BigInt.asUintN(32, seed)));
    expect(row.draws31.map(() => generator.random32() % MASK31)).toEqual(row.draws31);
    generator.manualSeed(seed);
    expect(row.int64.map(() => String(generator.random64() & MASK63))).toEqual(row.int64);
    generator.manualSeed(seed);
    const rand = generator.uniform(new Float32Array(1000), 0, 1);
    expect([...rand.subarray(0, 4)]).toEqual(row.rand);
    expect(sha256(rand)).toBe(row.rand1000);
    expect(generator.random32() % MASK31).toBe(row.next31);
  });

  it.each(fixtures.uniform)('uniform($from, $to) is byte-equal to uniform_', (row) => {
    const values = createGenerator(row.seed).uniform(new Float32Array(row.count), row.from, row.to);
    expect([...values.subarray(0, 3)]).toEqual(row.first);
    expect(sha256(values)).toBe(row.sha256);
  });

  it('the default generator has PyTorch’s default seed until it is given one', () => {
    const fresh = createGenerator();
    expect(createGenerator(DEFAULT_SEED).state()).toEqual(fresh.state());
    expect(manualSeed(3)).toBe(defaultGenerator);
    expect(defaultGenerator.random64()).toBe(createGenerator(3).random64());
  });

  it('takes numbers and bigints of the same value alike, and their low 32 bits only', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (seed) => {
        const draw = createGenerator(seed).random32();
        expect(createGenerator(BigInt(seed)).random32()).toBe(draw);
        expect(createGenerator(BigInt.asUintN(32, BigInt(seed))).random32()).toBe(draw);
      }),
      { numRuns: 20, seed: 1 },
    );
  });

  it('continues from a saved state, and a saved state is a copy', () => {
    const generator = createGenerator(11);
    for (let i = 0; i < 700; i++) generator.random32();
    const state = generator.state();
    const words: number[] = JSON.parse(JSON.stringify([...state]));
    const next = Array.from({ length: 1300 }, () => generator.random32());
    expect([...state]).toEqual(words);
    const other = createGenerator(99);
    other.setState(words);
    expect(Array.from({ length: 1300 }, () => other.random32())).toEqual(next);
  });

  it('refuses bad seeds, states and ranges', () => {
    const bad = [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, 2n ** 64n, -(2n ** 63n) - 1n];
    for (const seed of bad) expect(() => manualSeed(seed)).toThrow(/seed: expected an integer/);
    for (const seed of ['1', null, undefined, {}, true]) {
      expect(() => defaultGenerator.manualSeed(seed as number)).toThrow(HeddleError);
    }
    expect(() => manualSeed(2 ** 60)).toThrow(/as bigint/);
    const generator = createGenerator(0);
    const state = [...generator.state()];
    for (const words of [state.slice(1), [624, ...state.slice(1)], [0.5, ...state.slice(1)], []]) {
      expect(() => generator.setState(words)).toThrow(/625 words/);
    }
    expect(() => generator.uniform(new Float32Array(1), 1, 0)).toThrow(/from <= to/);
    expect(() => generator.uniform(new Float32Array(1), 0, Number.NaN)).toThrow(/from <= to/);
  });
});
