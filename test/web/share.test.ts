import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Settings } from '../../src/recipes/protocol.ts';
import { defaults } from '../../src/web/settings.ts';
import { hashOf, settingsOf } from '../../src/web/share.ts';

const anySettings: fc.Arbitrary<Settings> = fc.record(
  {
    dataset: fc.constantFrom('fashion-mnist', 'mnist', 'kmnist', 'synthetic'),
    model: fc.constantFrom('mlp', 'lenet', 'cnn'),
    hidden: fc.array(fc.integer({ min: 1, max: 8192 }), { maxLength: 8 }),
    optimizer: fc.constantFrom('sgd', 'adam', 'adamw', 'rmsprop', 'adagrad'),
    lr: fc.double({ min: 1e-12, max: 100, noNaN: true }),
    momentum: fc.double({ min: 0, max: 0.999, noNaN: true }).map(Math.abs),
    weightDecay: fc.double({ min: 0, max: 10, noNaN: true }).map(Math.abs),
    batchSize: fc.integer({ min: 1, max: 8192 }),
    epochs: fc.integer({ min: 1, max: 10_000 }),
    seed: fc.maxSafeNat(),
    shuffle: fc.boolean(),
    limit: fc.integer({ min: 1, max: 1_000_000 }),
  },
  {
    requiredKeys: Object.keys(defaults) as (keyof typeof defaults)[],
  },
) as fc.Arbitrary<Settings>;

test('a link brings all settings back', () => {
  fc.assert(
    fc.property(anySettings, (settings) => {
      expect(settingsOf(hashOf(settings))).toEqual({ settings, wrong: [] });
    }),
  );
});

test('a link is plain', () => {
  expect(hashOf(defaults)).toBe(
    '#dataset=fashion-mnist&model=mlp&hidden=512,512&optimizer=sgd&lr=0.001&momentum=0&weightDecay=0&batchSize=64&epochs=10&seed=0&shuffle=false',
  );
});

test('any text at all is read, and what it says wrongly is the default', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.webQueryParameters()), (text) => {
      const { settings } = settingsOf(text);
      expect(settingsOf(hashOf(settings))).toEqual({ settings, wrong: [] });
    }),
  );
});

test.each([
  ['lr=0', 'lr'],
  ['lr=-1', 'lr'],
  ['lr=Infinity', 'lr'],
  ['lr=0x10', 'lr'],
  ['lr= 1', 'lr'],
  ['lr=1&lr=2', 'lr'],
  ['momentum=1', 'momentum'],
  ['batchSize=64.5', 'batchSize'],
  ['batchSize=0', 'batchSize'],
  ['hidden=512,,512', 'hidden'],
  ['hidden=0', 'hidden'],
  ['model=transformer', 'model'],
  ['shuffle=yes', 'shuffle'],
  ['__proto__=1', '__proto__'],
])('#%s is the default, and said to be wrong', (hash, name) => {
  expect(settingsOf(`#${hash}`)).toEqual({ settings: defaults, wrong: [name] });
});

test('what a link does not say is the default', () => {
  expect(settingsOf('#model=cnn&lr=3e-4')).toEqual({
    settings: { ...defaults, model: 'cnn', lr: 3e-4 },
    wrong: [],
  });
  expect(settingsOf('')).toEqual({ settings: defaults, wrong: [] });
  expect(settingsOf('#hidden=').settings.hidden).toEqual([]);
});
