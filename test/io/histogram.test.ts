import fc from 'fast-check';
import { expect, test } from 'vitest';
import { histogramOf } from '../../src/io/histogram.ts';

/** The buckets that hold something, as [left bound, right bound, count]. */
function filled({ limits, counts }: NonNullable<ReturnType<typeof histogramOf>>) {
  return limits.flatMap((limit, i) => (counts[i] ? [[limits[i - 1], limit, counts[i]]] : []));
}

test('the buckets are those that torch.utils.tensorboard makes', () => {
  const histogram = histogramOf(Float32Array.of(-0.75, -0.5, -1e-3, 0, 0, 1e-13, 0.25, 0.3, 1, 1.1, 100));
  if (histogram === undefined) throw new Error('no histogram');
  // From PyTorch 1.13's make_histogram with its default bins.
  expect(histogram.limits.length).toBe(629);
  expect(histogram.limits[0]).toBe(-0.7580548669750213);
  expect(filled(histogram).map(([, limit, count]) => [limit, count])).toEqual([
    [-0.6891407881591103, 1],
    [-0.47069243095356195, 1],
    [-0.0009598705768327891, 1],
    [1e-12, 3],
    [0.2656936063469233, 1],
    [0.3214892636797772, 1],
    [1.0089710279437536, 1],
    [1.109868130738129, 1],
    [107.67633591020055, 1],
  ]);
  expect(histogram).toMatchObject({ min: -0.75, max: 100, count: 11 });
  expect(histogram.sum).toBe(101.39900003571539);
  expect(histogram.sumOfSquares).toBe(10003.175001059604);
});

test('what is not finite is left out', () => {
  expect(histogramOf(Float32Array.of(NaN, Infinity, -Infinity))).toBeUndefined();
  expect(histogramOf(new Float32Array())).toBeUndefined();
  expect(histogramOf(Float32Array.of(NaN, 2, Infinity))).toMatchObject({ count: 1, min: 2, max: 2, sum: 2 });
});

test('every finite value is in the bucket that has it between its bounds', () => {
  fc.assert(
    fc.property(fc.float32Array({ minLength: 1, maxLength: 50, noNaN: true }), (values) => {
      const finite = [...values].filter(Number.isFinite);
      const histogram = histogramOf(values);
      if (histogram === undefined) return expect(finite).toEqual([]);
      const { limits, counts } = histogram;
      expect(limits.length).toBe(counts.length);
      expect(counts[0]).toBe(0);
      expect(counts[1]).toBeGreaterThan(0);
      expect(counts.at(-1)).toBeGreaterThan(0);
      for (const [left, right, count] of filled(histogram)) {
        expect(finite.filter((value) => value >= left! && value < right!).length).toBe(count);
      }
      expect(counts.reduce((a, b) => a + b)).toBe(finite.length);
    }),
  );
});
