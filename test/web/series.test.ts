import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  append,
  countBelow,
  emptySeries,
  envelope,
  evenly,
  gridOf,
  seriesOf,
  smoother,
  smoothingWeight,
  stepsOf,
  valuesOf,
} from '../../src/web/series.ts';

const points = (from: number, values: readonly number[]) =>
  values.map((value, i) => ({ step: from + i, value }));

test('appending keeps what was there, however much comes at a time', () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.double(), { maxLength: 300 }), { maxLength: 12 }), (parts) => {
      let series = emptySeries();
      const all: number[] = [];
      for (const part of parts) {
        series = append(series, points(all.length + 1, part));
        all.push(...part);
      }
      expect([...valuesOf(series)]).toEqual(all);
      expect([...stepsOf(series)]).toEqual(all.map((_, i) => i + 1));
    }),
  );
});

test('going back to a step drops what came after it, and an older series keeps its own', () => {
  const five = append(emptySeries(), points(1, [1, 2, 3, 4, 5]));
  const back = append(five, points(3, [30]));
  const other = append(five, points(6, [6]));
  expect([...valuesOf(back)]).toEqual([1, 2, 30]);
  expect([...valuesOf(five)]).toEqual([1, 2, 3, 4, 5]);
  expect([...valuesOf(other)]).toEqual([1, 2, 3, 4, 5, 6]);
});

test('countBelow counts', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 50 })), fc.integer({ min: -1, max: 51 }), (some, step) => {
      const steps = some.sort((a, b) => a - b);
      expect(countBelow(steps, step)).toBe(steps.filter((one) => one < step).length);
    }),
  );
});

const value = fc.oneof(fc.double(), fc.constant(Number.NaN));
const anySeries = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 4 }), value), { maxLength: 400 })
  .map((gaps) => {
    let step = 0;
    const steps = gaps.map(([gap]) => {
      step += gap;
      return step;
    });
    return seriesOf(
      steps,
      gaps.map(([, one]) => one),
    );
  });

test('what is drawn has every column’s least and greatest value, in order, and no more points than there is room for', () => {
  fc.assert(
    fc.property(
      anySeries,
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: 1, max: 200 }),
      (series, columns, from) => {
        const to = from + 3 * columns + 40;
        const grid = gridOf(from, to, columns);
        const drawn = envelope(series, grid);
        expect(drawn).toHaveLength(grid.steps.length);
        expect(grid.steps.length).toBeLessThanOrEqual(2 * columns);
        for (let i = 1; i < grid.steps.length; i++)
          expect(grid.steps[i]).toBeGreaterThan(grid.steps[i - 1] as number);
        const steps = stepsOf(series);
        const inside = [...valuesOf(series)].filter(
          (one, i) => Number.isFinite(one) && (steps[i] as number) >= from && (steps[i] as number) <= to,
        );
        const shown = drawn.filter((one) => one !== null);
        const extremes = (values: readonly number[]) => [
          values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
          values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
        ];
        expect(extremes(shown)).toEqual(extremes(inside));
        for (const one of shown) expect(inside).toContain(one);
      },
    ),
    { numRuns: 200 },
  );
});

test('where there is room every step is drawn at its place', () => {
  const grid = gridOf(1, 6, 10);
  expect([...grid.steps]).toEqual([1, 2, 3, 4, 5, 6]);
  expect(envelope(seriesOf([2, 5], [0.5, Number.NaN]), grid)).toEqual([null, 0.5, null, null, null, null]);
});

test('a point of a column lies within the column', () => {
  const grid = gridOf(1, 100_000, 500);
  const series = seriesOf([100_000], [7]);
  const drawn = envelope(series, grid);
  expect(drawn.indexOf(7)).toBe(998);
  expect(grid.steps[998]).toBeGreaterThan(99_800);
  expect(grid.steps.at(-1)).toBeLessThanOrEqual(100_000);
});

test('smoothing by parts is smoothing at once, and does not pull to zero', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -10, max: 10, noNaN: true }), { minLength: 1, maxLength: 80 }),
      fc.integer({ min: 1, max: 100 }),
      fc.nat(80),
      (values, window, cut) => {
        const weight = smoothingWeight(window);
        const smooth = smoother();
        const part = append(emptySeries(), points(1, values.slice(0, cut)));
        smooth(part, weight);
        const whole = append(part, points(part.length + 1, values.slice(cut)));
        const found = [...valuesOf(smooth(whole, weight))];
        const shares = values.map((_, i) => weight ** i);
        const expected = values.map((_, i) => {
          const used = values.slice(0, i + 1);
          const sum = used.reduce((total, one, j) => total + one * (shares[i - j] as number), 0);
          return sum / shares.slice(0, i + 1).reduce((a, b) => a + b, 0);
        });
        for (const [i, one] of expected.entries()) expect(found[i]).toBeCloseTo(one, 9);
      },
    ),
  );
});

test('smoothing leaves out what is not finite', () => {
  const series = seriesOf([1, 2, 3], [4, Number.NaN, 4]);
  expect([...valuesOf(smoother()(series, 0.9))].map((one) => Math.round(one * 1e9) / 1e9)).toEqual([4, 4, 4]);
});

test('evenly has both ends and no place twice', () => {
  fc.assert(
    fc.property(fc.nat(1000), fc.integer({ min: 2, max: 50 }), (length, most) => {
      const places = evenly(length, most);
      expect(new Set(places).size).toBe(Math.min(length, most));
      if (length > 0) expect([places[0], places.at(-1)]).toEqual([0, length - 1]);
    }),
  );
});
