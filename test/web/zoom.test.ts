// Keys on a chart: which part of it is seen after each.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Range, zoomedBy } from '../../src/web/zoom.ts';

const whole: Range = [1, 1001];
const seen = (key: string, range: Range, at?: number) => zoomedBy(key, { range, whole, at });

describe('keys on a chart', () => {
  test('plus halves what is seen around its middle, or around the pointer', () => {
    expect(seen('+', whole)).toEqual([251, 751]);
    expect(seen('=', whole)).toEqual([251, 751]);
    expect(seen('+', whole, 1)).toEqual([1, 501]);
    expect(seen('+', whole, 1001)).toEqual([501, 1001]);
    expect(seen('+', [401, 601], 451)).toEqual([426, 526]);
    expect(seen('+', [401, 601], 9)).toEqual([451, 551]); // the pointer is elsewhere
  });

  test('minus doubles it, up to the whole range, which it then follows', () => {
    expect(seen('-', [401, 601])).toEqual([301, 701]);
    expect(seen('-', [1, 201])).toEqual([1, 401]);
    expect(seen('-', [251, 751])).toBeUndefined();
    expect(seen('-', whole)).toBeUndefined();
  });

  test('arrows move it by a quarter, and not beyond an end', () => {
    expect(seen('ArrowRight', [401, 601])).toEqual([451, 651]);
    expect(seen('ArrowLeft', [401, 601])).toEqual([351, 551]);
    expect(seen('ArrowLeft', [11, 211])).toEqual([1, 201]);
    expect(seen('ArrowRight', [791, 991])).toEqual([801, 1001]);
    expect(seen('Home', [401, 601])).toEqual([1, 201]);
    expect(seen('End', [401, 601])).toEqual([801, 1001]);
  });

  test('0 and Escape show all of it; other keys mean nothing', () => {
    expect(seen('0', [401, 601])).toBeUndefined();
    expect(seen('Escape', [401, 601])).toBeUndefined();
    for (const key of ['a', 'Tab', 'Enter', ' ', 'ArrowUp', '1']) expect(seen(key, [401, 601])).toBe(false);
  });

  test('whatever keys come, what is seen lies in the whole range, and does not vanish', () => {
    const key = fc.constantFrom('+', '-', 'ArrowLeft', 'ArrowRight', 'Home', 'End', '0');
    fc.assert(
      fc.property(fc.array(key, { maxLength: 40 }), fc.integer({ min: 1, max: 1001 }), (keys, at) => {
        let range: Range = whole;
        for (const one of keys) {
          const next = seen(one, range, at);
          expect(next).not.toBe(false);
          range = next === undefined || next === false ? whole : next;
          expect(range[0]).toBeGreaterThanOrEqual(1 - 1e-9);
          expect(range[1]).toBeLessThanOrEqual(1001 + 1e-9);
          expect(range[1] - range[0]).toBeGreaterThanOrEqual(10 - 1e-9);
        }
      }),
    );
  });
});
