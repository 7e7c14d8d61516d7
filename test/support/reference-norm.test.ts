// The float64 references of batch norm, held to the formulas in one piece and to central differences.

import { describe, expect, it } from 'vitest';
import * as reference from '../../src/ops/reference.ts';
import { floats } from './data.ts';

const values = (bounded: readonly reference.Bounded[]) => bounded.map(({ value }) => value);
const [rows, channels, eps] = [11, 3, 2 ** -7];
const weight = [...floats(channels, 1)];
const bias = [...floats(channels, 2)];
const running = { mean: floats(channels, 3), variance: floats(channels, 4, 0.5, 1) };
const x = [...floats(rows * channels, 5)];

/** Statistics by way of chunks. */
function normalOf(of: ArrayLike<number>, chunk: number) {
  const parts = reference.batchNormStatistics(of, rows, channels, chunk);
  return reference.batchNormMerge(parts, rows, channels, { chunk, eps, momentum: 0.25, running });
}

describe.each([1, 4, 11, 20])('in chunks of %i rows', (chunk) => {
  it('statistics are those of whole columns', () => {
    const { mean, inverse, runningMean, runningVar } = normalOf(x, chunk);
    for (let j = 0; j < channels; j++) {
      const column = x.filter((_, i) => i % channels === j);
      const middle = column.reduce((sum, v) => sum + v, 0) / rows;
      const squares = column.reduce((sum, v) => sum + (v - middle) ** 2, 0);
      expect(mean[j]?.value).toBeCloseTo(middle, 12);
      expect(inverse[j]?.value).toBeCloseTo(1 / Math.sqrt(squares / rows + eps), 12);
      expect(runningMean[j]?.value).toBeCloseTo(0.75 * (running.mean[j] ?? 0) + 0.25 * middle, 12);
      const unbiased = squares / (rows - 1);
      expect(runningVar[j]?.value).toBeCloseTo(0.75 * (running.variance[j] ?? 0) + 0.25 * unbiased, 12);
    }
  });

  it('the pullback gives what central differences give', () => {
    const g = [...floats(rows * channels, 6)];
    const loss = (input: readonly number[], w: readonly number[], b: readonly number[]) =>
      values(reference.batchNorm(input, channels, normalOf(input, chunk), { weight: w, bias: b })).reduce(
        (sum, v, i) => sum + (g[i] as number) * v,
        0,
      );
    const normal = normalOf(x, chunk);
    const parts = reference.batchNormBackwardSums(g, x, rows, channels, chunk, normal);
    const total = (sums: readonly reference.Bounded[]) =>
      reference.within(values(reference.columnSum(values(sums), sums.length / channels, channels)), 0);
    const [dySum, dyxSum] = [total(parts.dySum), total(parts.dyxSum)];
    const dx = values(reference.batchNormBackward(g, x, channels, { ...normal, weight, dySum, dyxSum }));
    const h = 1e-5;
    const check = (
      of: readonly number[],
      gradient: readonly number[],
      f: (moved: readonly number[]) => number,
    ) => {
      expect(gradient).toHaveLength(of.length);
      gradient.forEach((value, i) => {
        const moved = (by: number) => f(of.with(i, (of[i] as number) + by));
        expect(Math.abs((moved(h) - moved(-h)) / (2 * h) - value), `element ${i}`).toBeLessThan(1e-7);
      });
    };
    check(x, dx, (moved) => loss(moved, weight, bias));
    check(weight, values(dyxSum), (moved) => loss(x, moved, bias));
    check(bias, values(dySum), (moved) => loss(x, weight, moved));
  });
});

it('an evaluation’s inverse is that of its variance', () => {
  const [one] = reference.batchNormInverse(reference.within([4 - eps], 0), eps);
  expect(one?.value).toBeCloseTo(0.5, 12);
});
