// Weights as JSON: what is written is read back to the bit, and no digit is too many.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { float32Text, weightsJson } from '../../src/io/weights-json.ts';

const finite = fc.float({ noNaN: true, noDefaultInfinity: true });

it('writes float32s so that they are read back to the bit, in as few digits as there are', () => {
  const digitsOf = (text: string) => text.replace(/e.*|[.-]/g, '').replace(/^0+|0+$/g, '').length;
  const check = (value: number) => {
    const text = float32Text(value);
    expect(Math.fround(JSON.parse(text))).toBe(value); // tells -0 from 0
    const fewest = [1, 2, 3, 4, 5, 6, 7, 8, 9].find(
      (n) => Math.fround(Number(value.toPrecision(n))) === value,
    ) as number;
    expect(digitsOf(text)).toBeLessThanOrEqual(fewest);
  };
  for (const value of [0, -0, 1, 0.1, 1e-45, 2 ** -126, 2 ** 24, 3.4028234663852886e38, 1e10])
    check(Math.fround(value));
  fc.assert(fc.property(finite, check), { numRuns: 2000, seed: 5 });
});

it('writes tensors of any size and name, and what they belong to', () => {
  const data = Float32Array.from({ length: 20_000 }, (_, i) => Math.fround(Math.sin(i)));
  const tensors = new Map([
    ['a.weight', { shape: [100, 200], data }],
    ['__proto__', { shape: [], data: Float32Array.of(-0) }],
    ['empty', { shape: [0], data: new Float32Array() }],
  ]);
  const facts = { model: 'm', inputShape: [1, 2], classes: 2, classNames: ['x', '"'] };
  const pieces = [...weightsJson(tensors, facts)];
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(200_000);
  const { tensors: found, ...head } = JSON.parse(pieces.join(''));
  expect(head).toEqual({ format: 'heddle-weights', version: 1, ...facts });
  expect(Object.keys(found)).toEqual([...tensors.keys()]);
  for (const [key, { shape, data: values }] of tensors) {
    expect(found[key].shape).toEqual(shape);
    expect(Float32Array.from(found[key].data)).toEqual(values);
  }
});

it('has no numbers for what is not finite', () => {
  const tensors = new Map([['w', { shape: [2], data: Float32Array.of(1, Number.NaN) }]]);
  expect(() => [...weightsJson(tensors, { model: '', inputShape: [], classes: 1 })]).toThrow(
    'JSON: w: element 1 is NaN, expected finite numbers. Write safetensors',
  );
});
