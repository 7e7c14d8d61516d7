import { expect, test } from 'vitest';
import { duration, percent, rate, real, short } from '../../src/web/format.ts';

test.each([
  [0.48213, '0.4821'],
  [2.305311, '2.305'],
  [12.3, '12.30'],
  [1234.5, '1235'],
  [0, '0.0000'],
  [0.00001234, '1.2e-5'],
  [-0.5, '-0.5000'],
  [2e9, '2.0e+9'],
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, '∞'],
  [Number.NEGATIVE_INFINITY, '−∞'],
  [undefined, '–'],
  [null, '–'],
])('the real number %s is written %s', (value, text) => expect(real(value)).toBe(text));

test.each([
  [0.001, '0.001'],
  [0.0001, '0.0001'],
  [0.000025, '2.5e-5'],
  [0.00012345, '0.000123'],
  [100, '100'],
])('the rate %s is written %s', (value, text) => expect(rate(value)).toBe(text));

test.each([
  [0.84321, '84.3%'],
  [1, '100.0%'],
  [undefined, '–'],
  [null, '–'],
  [Number.NaN, '–'],
])('the share %s is written %s', (value, text) => expect(percent(value)).toBe(text));

test.each([
  [0.00034, '340 µs'],
  [0.0000021, '2.1 µs'],
  [0.0042, '4.2 ms'],
  [0.042, '42 ms'],
  [1.25, '1.3 s'],
  [42, '42 s'],
  [200, '3 min 20 s'],
  [119.7, '2 min 0 s'],
  [Number.POSITIVE_INFINITY, '–'],
])('%s seconds are written %s', (value, text) => expect(duration(value)).toBe(text));

test.each([
  [999, '999'],
  [9999, '9,999'],
  [24_816, '25k'],
  [669_706, '670k'],
  [999_600, '1.0M'],
  [12_300_000, '12M'],
])('the count %s is written %s', (value, text) => expect(short(value)).toBe(text));
