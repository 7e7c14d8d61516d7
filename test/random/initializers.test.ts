// Initial values by name and normal numbers, byte for byte against real PyTorch (test/fixtures/init-by-name.json, made by
// scripts/torch_fixtures/init-by-name.py on x86 with AVX2).

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { manualSeed, nn } from '../../src/index.ts';
import { namedParameters } from '../../src/nn/parameters.ts';
import { createGenerator } from '../../src/random/generator.ts';

interface Filled {
  shape: number[];
  first: number[];
  sha256: string;
  next: number[];
}
interface Fixtures {
  cases: { name: string; options?: Record<string, unknown>; numbers?: number[]; results: Filled[] }[];
  normals: { seed: number; count: number; mean: number; std: number; first: number[]; sha256: string }[];
  models: Record<'oneByOne' | 'together', { name: string; sha256: string }[]> & { seed: number };
}

const fixtures: Fixtures = JSON.parse(
  readFileSync(new URL('../fixtures/init-by-name.json', import.meta.url), 'utf8'),
);
const sha256 = (values: Float32Array) =>
  createHash('sha256')
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest('hex');
const sizeOf = (shape: readonly number[]) => shape.reduce((a, b) => a * b, 1);
/** The initializer of a name, by its options or its numbers. */
const make = (name: string, given: unknown[]): nn.init.Initializer =>
  (nn.init as unknown as Record<string, (...given: unknown[]) => nn.init.Initializer>)[name]?.(
    ...given,
  ) as nn.init.Initializer;

it.each(fixtures.normals)(
  '$count normal numbers of mean $mean and deviation $std are PyTorch’s to the bit',
  ({ seed, count, mean, std, ...expected }) => {
    const values = createGenerator(seed).normal(new Float32Array(count), mean, std);
    expect([...values.subarray(0, 3)]).toEqual(expected.first);
    expect(sha256(values)).toBe(expected.sha256);
  },
);

it.each(fixtures.cases)('$name of $options$numbers is PyTorch’s', ({ name, options, numbers, results }) => {
  const init = make(name, numbers ?? [options]);
  for (const { shape, first, next, ...expected } of results) {
    const generator = createGenerator(7);
    const data = new Float32Array(sizeOf(shape)).fill(Number.NaN);
    init.fill(generator, data, shape);
    expect([...data.subarray(0, 3)], `[${shape}]`).toEqual(first);
    expect(sha256(data), `[${shape}]`).toBe(expected.sha256);
    const following = [
      ...generator.normal(new Float32Array(3), 0, 1),
      ...generator.uniform(new Float32Array(1), 0, 1),
    ];
    expect(following, `after [${shape}]`).toEqual(next);
  }
});

describe('models', () => {
  const hashes = (model: nn.Layer) =>
    namedParameters(model).map(([name, { data }]) => ({ name, sha256: sha256(data) }));

  it('initialised layer by layer draw what PyTorch draws: a layer’s own values first, then those of its init', () => {
    manualSeed(fixtures.models.seed);
    const first = nn.linear(20, 17, { init: { weight: nn.init.xavierNormal(), bias: nn.init.zeros() } });
    const weight = nn.init.kaimingUniform({ nonlinearity: 'relu' });
    const second = nn.linear(17, 9, { bias: false, init: { weight } });
    const model = nn.sequential(first, nn.relu(), second, nn.linear(9, 3));
    expect(hashes(model)).toEqual(fixtures.models.oneByOne);
  });

  it('initialised by apply draw what PyTorch’s apply draws', () => {
    manualSeed(fixtures.models.seed);
    const inner = nn.sequential(nn.relu(), nn.linear(17, 9, { bias: false }));
    const model = nn.sequential(nn.linear(20, 17), inner, nn.linear(9, 3));
    const [weight, bias] = [nn.init.kaimingNormal(), nn.init.normal(0.1, 0.2)];
    expect(nn.init.apply(model, ({ kind }) => (kind === 'linear' ? { weight, bias } : {}))).toBe(model);
    expect(hashes(model)).toEqual(fixtures.models.together);
  });
});

it('a state keeps the normal number that is left over, and a new seed drops it', () => {
  const generator = createGenerator(3);
  const draw = (count: number) => [...generator.normal(new Float32Array(count), 0, 1)];
  draw(1);
  const state = generator.state();
  expect(state.length).toBe(627);
  const next = draw(4);
  generator.setState([...state]);
  expect(draw(4)).toEqual(next);
  draw(1);
  generator.manualSeed(3);
  expect(generator.state()).toEqual(createGenerator(3).state());
  draw(2);
  expect(generator.state().length).toBe(625);
  for (const words of [[...state].slice(0, 626), [...state, 0], [...state].with(626, 0.5)]) {
    expect(() => generator.setState(words)).toThrow(/625 words/);
  }
});

it('refuses what PyTorch refuses, and says what to do', () => {
  const generator = createGenerator(0);
  const before = generator.state();
  const data = new Float32Array(4);
  expect(() => nn.init.xavierNormal().fill(generator, data, [4])).toThrow(/\[4\] has no fans.*for a bias/s);
  expect(() => nn.init.kaimingUniform().fill(generator, data, [])).toThrow(/at least two dimensions/);
  expect(() => nn.init.kaimingUniform({ nonlinearity: 'swish' as 'relu' })).toThrow(
    /'swish': expected linear/,
  );
  expect(() => nn.init.kaimingNormal({ mode: 'fan_both' as 'fan_in' })).toThrow(/expected fan_in or fan_out/);
  expect(() => nn.init.xavierUniform({ gain: Number.NaN })).toThrow(/gain NaN: expected a finite number/);
  expect(() => nn.init.normal(0, Number.POSITIVE_INFINITY)).toThrow(/std Infinity: expected a finite number/);
  expect(() => nn.init.normal(0, -1).fill(generator, data, [4])).toThrow(/std >= 0, got mean 0, std -1/);
  expect(() => nn.init.uniform(1, 0).fill(generator, data, [4])).toThrow(/from <= to/);
  // @ts-expect-error no bias
  expect(() => nn.linear(3, 2, { bias: false, init: { bias: nn.init.zeros() } })).toThrow(/bias: false/);
  expect(generator.state()).toEqual(before);
});

it('knows PyTorch’s gains', () => {
  const gains = ['linear', 'sigmoid', 'tanh', 'relu', 'leaky_relu', 'selu'] as const;
  expect(gains.map((name) => nn.init.calculateGain(name))).toEqual([
    1,
    1,
    5 / 3,
    Math.SQRT2,
    Math.sqrt(2 / (1 + 0.01 ** 2)),
    0.75,
  ]);
  expect(nn.init.calculateGain('leaky_relu', 1)).toBe(1);
});
