// log_softmax.wgsl, log_softmax_backward.wgsl, nll_loss.wgsl, nll_loss_backward.wgsl and cross_entropy.wgsl against
// float64, at ordinary, extreme and non-finite logits.

import { describe, expect, it } from 'vitest';
import { crossEntropy } from '../../src/ops/cross_entropy.ts';
import { linearCrossEntropy } from '../../src/ops/linear_cross_entropy.ts';
import { logSoftmax } from '../../src/ops/log_softmax.ts';
import { logSoftmaxBackward } from '../../src/ops/log_softmax_backward.ts';
import { meanLoss } from '../../src/ops/mean_loss.ts';
import { nllLoss } from '../../src/ops/nll_loss.ts';
import { nllLossBackward } from '../../src/ops/nll_loss_backward.ts';
import * as reference from '../../src/ops/reference.ts';
import { run } from '../../src/ops/run.ts';
import { stepRecord } from '../../src/ops/step.ts';
import { expectWithin } from '../support/compare.ts';
import { awkwardSizes, f32, floats, integers, manyRows, u32 } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import { runEach } from '../support/run-each.ts';

const device = useDevice();
const label = 'y';
const { u, within } = reference;

/** Every awkward number of columns for a number of rows; few for very many rows, or a grid of more than 65,535 groups. */
const widthsFor = (rows: number): readonly number[] => (rows === manyRows ? [2, 65] : awkwardSizes);
const rowCounts = [...awkwardSizes, manyRows];
/** Padded batches, of which about half of the rows hold data, and full ones take turns. */
const validRows = (rows: number, trial: number) => (trial % 2 === 0 ? Math.ceil(rows / 2) : rows);

describe.each(rowCounts)('%i rows', (rows) => {
  const widths = widthsFor(rows);

  it('log_softmax is within its bound for logits up to ±20', async () => {
    const trials = widths.map((columns) => ({
      x: f32(floats(rows * columns, rows + columns, -20, 20), rows, columns),
    }));
    const found = await runEach(device(), trials, (r, t) => ({ y: logSoftmax(r, { label, ...t }) }));
    widths.forEach((columns, i) => {
      const exact = reference.logSoftmax(trials[i]?.x.data ?? [], rows, columns);
      expectWithin('log_softmax', found[i]?.y ?? [], within(exact, reference.logSoftmaxBound(columns, 20)));
    });
  });

  it('log_softmax_backward takes the share of the summed gradient away', async () => {
    const trials = widths.map((columns) => {
      const x = floats(rows * columns, rows + columns, -5, 5);
      return {
        dy: f32(floats(rows * columns, rows + columns + 1), rows, columns),
        y: f32(reference.logSoftmax(x, rows, columns), rows, columns),
      };
    });
    const found = await runEach(device(), trials, (r, t) => ({ dx: logSoftmaxBackward(r, { label, ...t }) }));
    widths.forEach((columns, i) => {
      const { dy, y } = trials[i] as (typeof trials)[0];
      const exact = reference.logSoftmaxBackward(dy.data, y.data, rows, columns);
      expectWithin('log_softmax_backward', found[i]?.dx ?? [], exact);
    });
  });

  it('nll_loss picks the target, nll_loss_backward spreads the mean', async () => {
    const trials = widths.map((columns, i) => ({
      logProbability: f32(floats(rows * columns, rows + columns, -5, 0), rows, columns),
      targets: u32(integers(rows, rows + columns + 1, columns), rows),
      step: stepRecord({ rows: validRows(rows, i) }),
    }));
    const found = await runEach(device(), trials, (r, { logProbability, targets, step }, i) => ({
      y: nllLoss(r, { label, logProbability, targets, step }),
      d: nllLossBackward(r, { label: 'd', targets, columns: widths[i] as number, step }),
    }));
    widths.forEach((columns, i) => {
      const valid = validRows(rows, i);
      const { logProbability, targets } = trials[i] as (typeof trials)[0];
      const exact = reference.nllLoss(logProbability.data, targets.data, rows, columns, valid);
      expectWithin('nll_loss', found[i]?.y ?? [], exact);
      const gradient = reference.nllLossBackward(targets.data, rows, columns, valid);
      expectWithin('nll_loss_backward', found[i]?.d ?? [], gradient);
    });
  });

  it('cross_entropy is within its bounds for logits up to ±20', async () => {
    const trials = widths.map((columns, i) => ({
      logits: f32(floats(rows * columns, rows + columns, -20, 20), rows, columns),
      targets: u32(integers(rows, rows + columns + 1, columns), rows),
      step: stepRecord({ rows: validRows(rows, i) }),
    }));
    const found = await runEach(device(), trials, (r, t) => {
      const both = crossEntropy(r, { label, gradient: true, ...t });
      return { ...both, alone: crossEntropy(r, { label, gradient: false, ...t }).rowLoss };
    });
    widths.forEach((columns, i) => {
      const valid = validRows(rows, i);
      const { logits, targets } = trials[i] as (typeof trials)[0];
      const exact = reference.crossEntropy(logits.data, targets.data, rows, columns, valid, 20);
      const { rowLoss = [], dLogits = [], alone = [] } = found[i] ?? {};
      expectWithin('cross_entropy loss', rowLoss, exact.rowLoss);
      expectWithin('cross_entropy gradient', dLogits, exact.gradient);
      expectWithin('cross_entropy without gradient', alone, within(rowLoss, 0));
    });
  });
});

/** One row of logits by both ways, that of the plain plan and that of the fused one. */
async function bothWays(logits: readonly number[], target: number) {
  const inputs = {
    logits: f32(logits, 1, logits.length),
    targets: u32([target], 1),
    step: stepRecord({ rows: 1 }),
  };
  return run(device(), inputs, (r, t) => {
    const y = logSoftmax(r, { label, x: t.logits });
    const dy = nllLossBackward(r, { label: 'dy', targets: t.targets, columns: logits.length, step: t.step });
    return {
      ...crossEntropy(r, { label, gradient: true, ...t }),
      plainLoss: nllLoss(r, { label: 'loss', logProbability: y, targets: t.targets, step: t.step }),
      plainGradient: logSoftmaxBackward(r, { label: 'dx', dy, y }),
    };
  });
}

it.each([
  ['±1e4', [1e4, -1e4, 0], 0, 0],
  ['±1e4, the largest in the middle', [-1e4, 1e4, 0], 1, 0],
  ['±1e4, the largest last', [-1e4, 0, 1e4], 2, 0],
  ['±1e4, wrong', [1e4, -1e4, 0], 1, 2e4],
  ['1e30', [0, 1e30, 0], 1, 0],
  ['1e30, wrong', [1e30, 0, 0], 1, 1e30],
  ['far below 0', [-1e4, -1e4 - 1, -1e4 - 2], 0, Math.log(1 + Math.exp(-1) + Math.exp(-2))],
  ['all equal', [3, 3, 3], 2, Math.log(3)],
  ['a single class', [5], 0, 0],
])('losses are right and finite at logits of %s', async (_, logits, target, loss) => {
  const { rowLoss, dLogits, plainLoss, plainGradient } = await bothWays(logits, target);
  // Logits are within 2 of the largest, or so far below that exp gives 0. The loss is rounded relative to itself.
  const near = 2;
  const bound = reference.logSoftmaxBound(logits.length, near) + 4 * u * loss;
  expectWithin('cross_entropy extremes', rowLoss, [{ value: loss, bound }]);
  expectWithin('nll_loss(log_softmax) extremes', plainLoss, [{ value: loss, bound }]);
  const probabilities = reference.logSoftmax(Float32Array.from(logits), 1, logits.length).map(Math.exp);
  const gradient = probabilities.map((p, j) => p - (j === target ? 1 : 0));
  // A probability: an exp, a sum of exps and a quotient; or the exp of a log-probability that is off by its own bound.
  const relative = 2 * (3 + 2 * near) * 2 * u + (logits.length + 8) * u;
  expectWithin('cross_entropy extremes', dLogits, within(gradient, relative));
  const ofLog =
    (3 + 2 * near) * 2 * u + reference.logSoftmaxBound(logits.length, near) + (logits.length + 4) * u;
  expectWithin('log_softmax_backward extremes', plainGradient, within(gradient, ofLog));
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  'a logit of %d makes its row’s loss a NaN, and no other',
  async (bad) => {
    for (const column of [0, 1, 2]) {
      const x = [0, 0, 0, 1, 2, 3, 0, 0, 0];
      x[3 + column] = bad;
      const inputs = { logits: f32(x, 3, 3), targets: u32([0, 0, 0], 3), step: stepRecord({ rows: 3 }) };
      const { rowLoss, plain } = await run(device(), inputs, (r, t) => {
        const logProbability = logSoftmax(r, { label, x: t.logits });
        return {
          rowLoss: crossEntropy(r, { label, gradient: true, ...t }).rowLoss,
          plain: nllLoss(r, { label: 'loss', logProbability, targets: t.targets, step: t.step }),
        };
      });
      for (const losses of [rowLoss, plain]) {
        expect(losses[0]).toBeCloseTo(Math.log(3), 5);
        expect(losses[1]).toBeNaN();
        expect(losses[2]).toBeCloseTo(Math.log(3), 5);
      }
    }
  },
);

it('the step’s scale multiplies the loss and every gradient', async () => {
  const [rows, classes, features] = [3, 4, 8];
  const inputs = {
    logits: f32(floats(rows * classes, 1), rows, classes),
    targets: u32(integers(rows, 2, classes), rows),
    x: f32(floats(rows * features, 3), rows, features),
    weight: f32(floats(classes * features, 4), classes, features),
    bias: f32(floats(classes, 5), classes),
    whole: stepRecord({ rows, scale: 1 }),
    part: stepRecord({ rows, scale: 1 / 8 }), // a power of two: nothing rounds differently
  };
  const found = await run(device(), inputs, (r, t) => {
    const by = (name: 'whole' | 'part') => {
      const { logits, targets } = t;
      const step = t[name];
      const { rowLoss, dLogits } = crossEntropy(r, { label, logits, targets, step, gradient: true });
      const out = r.tensor('mean', [1]);
      meanLoss(r, { label: 'mean', rowLoss, out, step });
      const losses = r.tensor('head', [1]);
      const { x, weight, bias } = t;
      const head = linearCrossEntropy(r, { label, x, weight, bias, targets, losses, step, gradient: true });
      const d = nllLossBackward(r, { label, targets, columns: classes, step });
      return [out, losses, dLogits, head.dLogits, d];
    };
    return Object.fromEntries([...by('whole'), ...by('part')].map((tensor, i) => [i, tensor]));
  });
  for (let i = 0; i < 5; i++) {
    expect(found[i]?.every((v) => v === 0)).toBe(false);
    expect([...(found[i + 5] ?? [])].map((v) => 8 * v)).toEqual([...(found[i] ?? [])]);
  }
});
