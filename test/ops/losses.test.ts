// log_softmax.wgsl, log_softmax_backward.wgsl, nll_loss.wgsl, nll_loss_backward.wgsl and cross_entropy.wgsl against
// float64, at ordinary and extreme logits.

import { describe, expect, it } from 'vitest';
import { crossEntropy } from '../../src/ops/cross_entropy.ts';
import { logSoftmax } from '../../src/ops/log_softmax.ts';
import { logSoftmaxBackward } from '../../src/ops/log_softmax_backward.ts';
import { nllLoss } from '../../src/ops/nll_loss.ts';
import { nllLossBackward } from '../../src/ops/nll_loss_backward.ts';
import { run } from '../../src/ops/run.ts';
import { stepRecord } from '../../src/ops/step.ts';
import { expectWithin, u, within } from '../support/compare.ts';
import { awkwardSizes, f32, floats, integers, triples, u32 } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import * as reference from '../support/reference.ts';

const device = useDevice();
const label = 'y';
const shapes = [
  ...triples(awkwardSizes, 6).map(([rows, columns]) => [rows, columns] as const),
  [64, 10] as const,
  [65_537, 2] as const,
];
/** A padded batch: about half of the rows hold data. */
const validOf = (rows: number) => Math.ceil(rows / 2);

it('log_softmax is within its bound for logits up to ±20', async () => {
  for (const [rows, columns] of shapes) {
    const x = floats(rows * columns, rows, -20, 20);
    const { y } = await run(device(), { x: f32(x, rows, columns) }, (r, t) => ({
      y: logSoftmax(r, { label, ...t }),
    }));
    expectWithin(
      'log_softmax',
      y,
      within(reference.logSoftmax(x, rows, columns), reference.logSoftmaxBound(columns, 20)),
    );
  }
});

it('log_softmax_backward takes the share of the summed gradient away', async () => {
  for (const [rows, columns] of shapes) {
    const y = Float32Array.from(reference.logSoftmax(floats(rows * columns, rows, -5, 5), rows, columns));
    const dy = floats(rows * columns, rows + 1);
    const { dx } = await run(device(), { dy: f32(dy, rows, columns), y: f32(y, rows, columns) }, (r, t) => ({
      dx: logSoftmaxBackward(r, { label, ...t }),
    }));
    const expected = [...dy].map((d, c) => {
      const start = c - (c % columns);
      const row = [...dy.slice(start, start + columns)];
      const sum = row.reduce((total, v) => total + v, 0);
      const magnitude = row.reduce((total, v) => total + Math.abs(v), 0);
      const probability = Math.exp(y[c] as number);
      // exp is within 3 + 2·|x| ULP, the sum rounds once an element, product and difference once each.
      const relative = (3 + 2 * Math.abs(y[c] as number)) * 2 * u + columns * u + 2 * u;
      return {
        value: d - probability * sum,
        bound: probability * magnitude * relative + 2 * u * (Math.abs(d) + magnitude),
      };
    });
    expectWithin('log_softmax_backward', dx, expected);
  }
});

it('nll_loss picks the target, nll_loss_backward spreads the mean', async () => {
  for (const [rows, columns] of shapes) {
    const valid = validOf(rows);
    const logProbability = floats(rows * columns, rows, -5, 0);
    const targets = integers(rows, rows + 1, columns);
    const inputs = {
      logProbability: f32(logProbability, rows, columns),
      targets: u32(targets, rows),
      step: stepRecord({ rows: valid }),
    };
    const { y, d } = await run(device(), inputs, (r, { logProbability: x, targets: t, step }) => ({
      y: nllLoss(r, { label, logProbability: x, targets: t, step }),
      d: nllLossBackward(r, { label: 'd', targets: t, columns, step }),
    }));
    const picked = Array.from(targets, (target, i) =>
      i < valid ? -(logProbability[i * columns + target] as number) : 0,
    );
    expectWithin('nll_loss', y, within(picked, 0));
    const gradient = Array.from({ length: rows * columns }, (_, c) => {
      const i = Math.floor(c / columns);
      return i < valid && targets[i] === c % columns ? -1 / valid : 0;
    });
    expectWithin(
      'nll_loss_backward',
      d,
      gradient.map((value) => ({ value, bound: 5 * u * Math.abs(value) })),
    );
  }
});

describe('cross_entropy', () => {
  const compute = async (
    x: ArrayLike<number>,
    targets: ArrayLike<number>,
    rows: number,
    columns: number,
    valid: number,
    gradient = true,
  ) =>
    run(
      device(),
      { logits: f32(x, rows, columns), targets: u32(targets, rows), step: stepRecord({ rows: valid }) },
      (r, t) => {
        const { rowLoss, dLogits } = crossEntropy(r, { label, gradient, ...t });
        return gradient ? { rowLoss, dLogits } : { rowLoss, dLogits: rowLoss };
      },
    );

  it('is within its bounds for logits up to ±20, with padded rows', async () => {
    for (const [rows, columns] of shapes) {
      const valid = validOf(rows);
      const x = floats(rows * columns, rows, -20, 20);
      const targets = integers(rows, rows + 1, columns);
      const { rowLoss, dLogits } = await compute(x, targets, rows, columns, valid);
      const expected = reference.crossEntropy(x, targets, rows, columns, valid);
      expectWithin(
        'cross_entropy loss',
        rowLoss,
        within(expected.rowLoss, reference.logSoftmaxBound(columns, 20)),
      );
      // A probability carries the relative error of an exp and of the sum of exps, then of two divisions.
      const relative = 2 * (3 + 2 * 40) * 2 * u + (columns + 8) * u;
      expectWithin('cross_entropy gradient', dLogits, within(expected.gradient, relative / valid));
    }
  });

  it('gives the same losses without the gradient', async () => {
    const x = floats(64 * 10, 1, -5, 5);
    const targets = integers(64, 2, 10);
    const withGradient = await compute(x, targets, 64, 10, 64);
    const without = await compute(x, targets, 64, 10, 64, false);
    expect([...without.rowLoss]).toEqual([...withGradient.rowLoss]);
  });

  it.each([
    ['±1e4', [1e4, -1e4, 0], 0, 0],
    ['±1e4, wrong', [1e4, -1e4, 0], 1, 2e4],
    ['1e30', [1e30, 0, 0], 0, 0],
    ['1e30, wrong', [1e30, 0, 0], 1, 1e30],
    ['all equal', [3, 3, 3], 2, Math.log(3)],
  ])('is right and finite at %s', async (_, logits, target, loss) => {
    const { rowLoss, dLogits } = await compute(logits, [target], 1, 3, 1);
    expectWithin('cross_entropy extremes', rowLoss, [{ value: loss, bound: 1e-6 + 4 * u * loss }]);
    const { gradient } = reference.crossEntropy(Float32Array.from(logits), [target], 1, 3, 1);
    expectWithin('cross_entropy extremes', dLogits, within(gradient, 1e-6));
  });

  it('of a single class is 0', async () => {
    const { rowLoss, dLogits } = await compute([5, -5], [0, 0], 2, 1, 2);
    expect([...rowLoss, ...dLogits]).toEqual([0, 0, 0, 0]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'marks a row with a logit of %d',
    async (bad) => {
      for (const column of [0, 1, 2]) {
        const x = [0, 0, 0, 1, 2, 3];
        x[3 + column] = bad;
        const { rowLoss } = await compute(x, [0, 0], 2, 3, 2);
        expect(rowLoss[0]).toBeCloseTo(Math.log(3), 5);
        expect(rowLoss[1]).toBeNaN();
      }
    },
  );
});
