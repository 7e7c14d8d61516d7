import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  type Chart,
  chartBody,
  escaped,
  logTicks,
  type Point,
  rangeOf,
  smoothed,
  smoothing,
  strokeOf,
  thinned,
  ticks,
} from '../../src/cli/chart.ts';
import { faultOf } from '../support/well-formed.ts';

describe('ticks', () => {
  it('are round numbers', () => {
    expect(ticks(0, 1)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
    expect(ticks(0.05, 0.6, 6)).toEqual([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);
    expect(ticks(-1.2, 2.4)).toEqual([-1, 0, 1, 2]);
    expect(ticks(0, 9380, 8)).toEqual([0, 2000, 4000, 6000, 8000]);
    expect(ticks(1e-7, 9e-7)).toEqual([2e-7, 4e-7, 6e-7, 8e-7]);
    expect(ticks(5, 5)).toEqual([5]);
    expect(ticks(1, 1 + 1e-13)).toEqual([1]);
    expect(ticks(0, Number.POSITIVE_INFINITY)).toEqual([0]);
    expect(ticks(Number.NaN, 1)).toEqual([]);
  });

  it('lie within the axis, equally far apart, neither few nor many', () => {
    const bound = fc.double({ min: -1e9, max: 1e9, noNaN: true });
    fc.assert(
      fc.property(
        bound,
        fc.double({ min: 1, max: 1e9, noNaN: true }),
        fc.integer({ min: 3, max: 12 }),
        (low, length, most) => {
          const high = low + length;
          const found = ticks(low, high, most);
          expect(found.length).toBeGreaterThanOrEqual(Math.floor(most / 3));
          expect(found.length).toBeLessThanOrEqual(most);
          const slack = 1e-11 * Math.max(Math.abs(low), Math.abs(high)); // they are rounded to 12 digits
          for (const tick of found) {
            expect(tick).toBeGreaterThanOrEqual(low - slack);
            expect(tick).toBeLessThanOrEqual(high + slack);
          }
          const step = (found[1] ?? 0) - (found[0] ?? 0);
          for (const [i, tick] of found.entries())
            if (i > 0)
              expect(Math.abs(tick - (found[i - 1] as number) - step)).toBeLessThanOrEqual(4 * slack);
        },
      ),
    );
  });

  it('of a logarithmic axis are powers of ten, with 2 and 5 times these where there is room', () => {
    expect(logTicks(0.4, 45)).toEqual([0.5, 1, 2, 5, 10, 20]);
    expect(logTicks(0.01, 2e4)).toEqual([0.01, 0.1, 1, 10, 100, 1000, 10000]);
    expect(logTicks(1e-9, 1e11).length).toBeLessThanOrEqual(8);
    expect(logTicks(1e-9, 1e11)).toContain(1);
  });
});

const ramp = (length: number): Point[] => Array.from({ length }, (_, i) => [i, i]);

test('smoothing leaves short curves, level curves and first values as they are', () => {
  expect([1, 30].map(smoothing)).toEqual([0, 0]);
  expect(smoothing(60)).toBe(0.5);
  expect(smoothing(1e6)).toBe(0.98);
  expect(smoothed(ramp(9), 0)).toEqual(ramp(9));
  expect(
    smoothed(
      [
        [1, 4],
        [2, 8],
      ],
      0.5,
    ),
  ).toEqual([
    [1, 4],
    [2, (0.25 * 4 + 0.5 * 8) / 0.75],
  ]);
  for (const [, y] of smoothed(
    ramp(50).map(([x]) => [x, 3] as const),
    0.9,
  ))
    expect(y).toBeCloseTo(3, 12);
});

test('thinning keeps the least and the greatest of each part, in order', () => {
  expect(thinned(ramp(10), 5)).toEqual(ramp(10));
  const curve = ramp(1000).map(([x]) => [x, x === 501 ? 99 : Math.sin(x)] as const);
  const thin = thinned(curve, 20);
  expect(thin.length).toBeLessThanOrEqual(40);
  expect(thin).toContainEqual([501, 99]);
  expect(thin.map(([x]) => x)).toEqual(thin.map(([x]) => x).toSorted((a, b) => a - b));
});

test('a few points that lie far above do not press the others down', () => {
  const bulk = Array.from({ length: 99 }, (_, i) => 1 + i / 99);
  expect(rangeOf(bulk)).toMatchObject({ above: 0 });
  const { high, above } = rangeOf([...bulk, 1e6]);
  expect(above).toBe(1);
  expect(high).toBeLessThan(3);
  expect(rangeOf([2, 2])).toEqual({ low: 1.8, high: 2.2, above: 0 });
  expect(rangeOf([0])).toEqual({ low: -1, high: 1, above: 0 });
});

test('text is escaped, and what XML cannot hold is replaced', () => {
  expect(escaped(`<a href="x">&'`)).toBe('&lt;a href=&quot;x&quot;&gt;&amp;&#39;');
  expect(escaped('a\u0000b\ud800c\uffff\n')).toBe('a\ufffdb\ufffdc\ufffd\ufffd');
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(faultOf(`<a b="${escaped(text)}">${escaped(text)}</a>`)).toBeUndefined();
    }),
  );
});

test('seven curves have colours of their own, and the next ones dashes', () => {
  expect(new Set(Array.from({ length: 28 }, (_, i) => strokeOf(i))).size).toBe(28);
});

describe('a chart', () => {
  const chart = (series: Chart['series']): Chart => ({
    ...{ id: 'c', title: 'loss', xLabel: 'step', fromZero: true, series, yText: String },
  });
  const body = (...points: Point[]) => chartBody(chart([{ name: 'r', style: 0, points }]));

  it('of nothing is nothing', () => {
    expect(chartBody(chart([]))).toBeUndefined();
    expect(body([1, Number.NaN])).toBeUndefined();
  });

  it('puts points where the axes say', () => {
    const svg = body([0, 0], [50, 5], [100, 10]) ?? '';
    // Plot: x 58…744, y 292…40 with a margin of 0.04 of the range on both sides.
    expect(svg).toMatch(/d="M58 282\.7L401 166 744 49\.3"/);
    expect(svg).toContain('r: 5 at step 50');
    expect(svg).toMatch(/<text x="332\.4" [^>]*>40<\/text>/);
    expect(svg).toMatch(/<text x="50" y="53\.3" [^>]*>10<\/text>/);
    expect(faultOf(`<svg>${svg}</svg>`)).toBeUndefined();
  });

  it('of one point is a dot, and what is not finite is left out', () => {
    expect(body([3, 1])).toMatch(/class="line" stroke="#0072B2" d="M401 166h0"/);
    expect(body([0, 1], [1, Number.NaN], [2, 1])).toMatch(/d="M58 166L744 166"/);
  });

  it('is logarithmic where curves lie far apart, and says so', () => {
    const series = [1, 1000].map((factor, style) => ({
      ...{ name: 'r', style, points: ramp(20).map(([x]) => [x, factor * (1 + x / 20)] as const) },
    }));
    expect(chartBody(chart(series))).toContain('loss (logarithmic)');
    expect(body(...ramp(20))).not.toContain('logarithmic');
  });
});
