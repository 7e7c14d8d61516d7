// soft_cross_entropy.wgsl and pointwise_loss.wgsl against float64 and PyTorch, at ordinary, extreme and non-finite values.

import { describe, expect, it } from 'vitest';
import { meanLoss } from '../../src/ops/mean_loss.ts';
import { type PointwiseKind, pointwiseKinds, pointwiseLoss } from '../../src/ops/pointwise_loss.ts';
import * as reference from '../../src/ops/reference.ts';
import { run } from '../../src/ops/run.ts';
import { softCrossEntropy } from '../../src/ops/soft_cross_entropy.ts';
import { stepRecord } from '../../src/ops/step.ts';
import fixtures from '../fixtures/losses.json' with { type: 'json' };
import { expectWithin } from '../support/compare.ts';
import { awkwardSizes, f32, floats, integers, manyRows, u32 } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import { runEach } from '../support/run-each.ts';

const device = useDevice();
const label = 'y';
const { u, within } = reference;
const kinds = Object.keys(pointwiseKinds) as PointwiseKind[];

const rowCounts = [1, 3, 64, 65, 129];
/** Padded batches, of which about half of the rows hold data, and full ones take turns. */
const validRows = (rows: number, trial: number) => (trial % 2 === 0 ? Math.ceil(rows / 2) : rows);
const ignored = -100;

/** All that a soft cross-entropy may have, by the number of a trial. */
function softOptions(trial: number) {
  const [probabilities, weighted, log] = [trial % 2 === 1, trial % 3 > 0, trial % 5 > 2];
  return { probabilities, weighted, log, smoothing: [0, 0.1, 0.75, 1][trial % 4] as number };
}

function softTrial(rows: number, columns: number, trial: number) {
  const { probabilities, weighted, log, smoothing } = softOptions(trial);
  const seed = 1000 * rows + columns;
  const classes = Array.from(integers(rows, seed + 1, columns), (c, i) => (i % 4 === 2 ? ignored : c));
  const scale = 0.75;
  const valid = validRows(rows, trial);
  const inputs = {
    x: f32(log ? floats(rows * columns, seed, -9, 0) : floats(rows * columns, seed, -20, 20), rows, columns),
    targets: probabilities ? f32(floats(rows * columns, seed + 2, 0, 1), rows, columns) : u32(classes, rows),
    step: stepRecord({ rows: valid, scale }),
  };
  const weight = weighted ? floats(columns, seed + 3, 0, 2) : undefined;
  const facts = {
    rows,
    columns,
    valid,
    scale,
    smoothing,
    weight,
    log,
    probabilities,
    ignored: ignored >>> 0,
  };
  const expected = reference.softCrossEntropy(inputs.x.data, inputs.targets.data, facts);
  return { inputs, options: { weight, smoothing, log }, expected };
}

describe.each([...rowCounts, manyRows])('%i rows', (rows) => {
  const widths: readonly number[] = rows === manyRows ? [3] : awkwardSizes;

  it('soft_cross_entropy is within its bounds, with classes, probabilities, weights, smoothing, and log-probabilities', async () => {
    const trials = widths.flatMap((columns, i) => [
      softTrial(rows, columns, i),
      softTrial(rows, columns, i + 31),
    ]);
    const found = await runEach(
      device(),
      trials.map(({ inputs }) => inputs),
      (r, t, i) => {
        const { weight, ...options } = (trials[i] as (typeof trials)[0]).options;
        const both = (gradient: boolean) =>
          softCrossEntropy(r, {
            label,
            ...t,
            ...options,
            weight: weight && r.constant('weight', weight),
            ignoreIndex: ignored,
            gradient,
          });
        const { rowLoss, dx } = both(true);
        return { rowLoss, dx, alone: both(false).rowLoss };
      },
    );
    trials.forEach(({ expected }, i) => {
      const { rowLoss = [], dx = [], alone = [] } = found[i] ?? {};
      expectWithin('soft_cross_entropy loss', rowLoss, expected.rowLoss);
      expectWithin('soft_cross_entropy gradient', dx, expected.gradient);
      expectWithin('soft_cross_entropy without gradient', alone, within(rowLoss, 0));
    });
  });

  // The many rows are there for the grid, which all kinds have in common, and take software drivers long.
  it.each(rows === manyRows ? kinds.slice(0, 1) : kinds)(
    'pointwise_loss is within its bounds: %s',
    async (kind) => {
      const edge = 0.7;
      const trials = widths.map((columns, i) => {
        const seed = 1000 * rows + columns;
        const [from, to] = kind === 'bceWithLogits' ? [0, 1] : [-2, 2];
        const inputs = {
          x: f32(floats(rows * columns, seed, -4, 4), rows, columns),
          targets: f32(floats(rows * columns, seed + 1, from, to), rows, columns),
          step: stepRecord({ rows: validRows(rows, i), scale: 0.75 }),
        };
        const weight = kind === 'bceWithLogits' && i % 3 > 0 ? floats(columns, seed + 2, 0, 4) : undefined;
        const mean = i % 4 > 1;
        const facts = { rows, columns, valid: validRows(rows, i), scale: 0.75, edge, weight, mean };
        const expected = reference.pointwiseLoss(kind, inputs.x.data, inputs.targets.data, facts);
        return { inputs, weight, mean, expected };
      });
      const found = await runEach(
        device(),
        trials.map(({ inputs }) => inputs),
        (r, t, i) => {
          const { weight, mean } = trials[i] as (typeof trials)[0];
          const both = (gradient: boolean) =>
            pointwiseLoss(r, {
              label,
              kind,
              ...t,
              edge,
              mean,
              weight: weight && r.constant('weight', weight),
              gradient,
            });
          const { rowLoss, dx } = both(true);
          return { rowLoss, dx, alone: both(false).rowLoss };
        },
      );
      trials.forEach(({ expected }, i) => {
        const { rowLoss = [], dx = [], alone = [] } = found[i] ?? {};
        expectWithin(`pointwise_loss ${kind} loss`, rowLoss, expected.rowLoss);
        expectWithin(`pointwise_loss ${kind} gradient`, dx, expected.gradient);
        expectWithin(`pointwise_loss ${kind} without gradient`, alone, within(rowLoss, 0));
      });
    },
  );
});

/** A number of PyTorch's float64, with ten digits and a scale that is not rounded to float32, within the reference's bound. */
const near = (values: readonly number[], bounds: readonly reference.Bounded[]): reference.Bounded[] =>
  values.map((value, i) => ({ value, bound: (bounds[i]?.bound ?? 0) + (u + 1e-9) * Math.abs(value) }));

/** Rows past the batch's, of numbers that must not count. */
const padding = 2;
const padded = (values: readonly number[], columns: number, fill: number) => [
  ...values,
  ...new Array<number>(padding * columns).fill(fill),
];

/** The scaled sum of row losses by mean_loss.wgsl, for row losses with bounds of their own. */
function reduced(value: number, rowLoss: readonly reference.Bounded[], scale: number): reference.Bounded {
  const magnitude = rowLoss.reduce((sum, row) => sum + Math.abs(row.value), 0);
  const bound = rowLoss.reduce((sum, row) => sum + row.bound, 0);
  const rounding = (rowLoss.length + 3) * u * magnitude;
  return { value, bound: scale * (bound + rounding) + (u + 1e-9) * Math.abs(value) };
}

it.each(fixtures.classes)('soft_cross_entropy is PyTorch’s: $name', async (of) => {
  const { rows, columns, weight, smoothing, ignoreIndex, log, probabilities } = of;
  const counting = of.targets.filter((target) => target !== ignoreIndex);
  const denominator = probabilities ? rows : counting.reduce((sum, c) => sum + (weight?.[c] ?? 1), 0);
  for (const [total, gradient, scale] of [
    [of.mean, of.gradientOfMean, 1 / denominator],
    [of.sum, of.gradientOfSum, 1],
  ] as const) {
    const inputs = {
      x: f32(padded(of.x, columns, 50), rows + padding, columns),
      targets: probabilities
        ? f32(padded(of.targets, columns, 9), rows + padding, columns)
        : u32(padded(of.targets, 1, 0), rows + padding),
      step: stepRecord({ rows, slot: 1, scale }),
      out: f32([7, 7, 7], 3),
    };
    const expected = reference.softCrossEntropy(inputs.x.data, inputs.targets.data, {
      rows: rows + padding,
      columns,
      valid: rows,
      scale,
      smoothing,
      weight: weight === null ? undefined : Float32Array.from(weight),
      log,
      probabilities,
      ...(ignoreIndex === null ? {} : { ignored: ignoreIndex >>> 0 }),
    });
    const found = await run(device(), inputs, (r, { out, ...t }) => {
      const { rowLoss, dx } = softCrossEntropy(r, {
        label,
        ...t,
        weight: weight === null ? undefined : r.constant('weight', Float32Array.from(weight)),
        smoothing,
        ignoreIndex: ignoreIndex ?? undefined,
        log,
        gradient: true,
      });
      meanLoss(r, { label: 'mean', rowLoss, out, step: t.step });
      return { rowLoss, dx, out };
    });
    const name = 'soft_cross_entropy as PyTorch';
    const none = padded(of.none, 1, 0);
    expectWithin(`${name}, rows`, found.rowLoss, near(none, expected.rowLoss));
    expectWithin(`${name}, gradient`, found.dx, near(padded(gradient, columns, 0), expected.gradient));
    const seven = { value: 7, bound: 0 };
    expectWithin(`${name}, reduced`, found.out, [seven, reduced(total, expected.rowLoss, scale), seven]);
  }
});

it.each(fixtures.pointwise)('pointwise_loss is PyTorch’s: $name', async (of) => {
  const { rows, columns, edge, weight } = of;
  const kind = of.kind === 'smoothL1' && edge === 0 ? 'l1' : (of.kind as PointwiseKind);
  const scale = 1 / (rows * columns);
  const inputs = {
    x: f32(padded(of.x, columns, 50), rows + padding, columns),
    targets: f32(padded(of.targets, columns, 9), rows + padding, columns),
    step: stepRecord({ rows, slot: 1, scale }),
    out: f32([7, 7, 7], 3),
  };
  const weights = weight === null ? undefined : Float32Array.from(weight);
  const facts = {
    rows: rows + padding,
    columns,
    valid: rows,
    scale,
    edge: edge ?? 1,
    weight: weights,
  };
  const found = await run(device(), inputs, (r, { out, ...t }) => {
    const options = { label, kind, ...t, edge: edge ?? 1, weight: weights && r.constant('weight', weights) };
    const { rowLoss, dx } = pointwiseLoss(r, { ...options, gradient: true });
    meanLoss(r, { label: 'mean', rowLoss, out, step: t.step });
    const rowMean = pointwiseLoss(r, { ...options, gradient: false, mean: true }).rowLoss;
    return { rowMean, dx, out };
  });
  const expected = reference.pointwiseLoss(kind, inputs.x.data, inputs.targets.data, facts);
  const means = reference.pointwiseLoss(kind, inputs.x.data, inputs.targets.data, { ...facts, mean: true });
  const name = `pointwise_loss ${of.kind} as PyTorch`;
  expectWithin(`${name}, rows`, found.rowMean, near(padded(of.rowMean, 1, 0), means.rowLoss));
  expectWithin(`${name}, gradient`, found.dx, near(padded(of.gradientOfMean, columns, 0), expected.gradient));
  const seven = { value: 7, bound: 0 };
  expectWithin(`${name}, mean`, found.out, [seven, reduced(of.mean, expected.rowLoss, scale), seven]);
});

describe.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('%d', (bad) => {
  const rows = 3;

  it.each([1, 3, 130])('in one of %i columns makes its row’s loss a NaN, and no other', async (columns) => {
    const zeros = new Array<number>(rows * columns).fill(0);
    for (const column of new Set([0, columns >> 1, columns - 1])) {
      const broken = f32(zeros.with(columns + column, bad), rows, columns);
      const inputs = {
        broken,
        fine: f32(zeros, rows, columns),
        classes: u32([0, 0, 0], rows),
        step: stepRecord({ rows }),
      };
      const found = await run(device(), inputs, (r, t) => {
        const soft = (options: Partial<Parameters<typeof softCrossEntropy>[1]>) =>
          softCrossEntropy(r, {
            label,
            x: t.broken,
            targets: t.classes,
            smoothing: 0.5,
            step: t.step,
            gradient: false,
            ...options,
          }).rowLoss;
        const pointwise = (kind: PointwiseKind, x: typeof t.fine, targets: typeof t.fine) =>
          pointwiseLoss(r, { label, kind, x, targets, step: t.step, gradient: false }).rowLoss;
        return {
          soft: soft({}),
          log: soft({ log: true }),
          ignoring: soft({ ignoreIndex: 0 }),
          probabilities: soft({ x: t.fine, targets: t.broken }),
          ...Object.fromEntries(kinds.map((kind) => [kind, pointwise(kind, t.broken, t.fine)])),
          ...Object.fromEntries(kinds.map((kind) => [`${kind} target`, pointwise(kind, t.fine, t.broken)])),
        };
      });
      for (const [name, losses] of Object.entries(found)) {
        const states = Array.from(losses, (loss) => Number.isFinite(loss));
        expect(states, name).toEqual([true, false, true]);
        expect(losses[1], name).toBeNaN();
      }
    }
  });

  it('past the batch’s rows is not looked at', async () => {
    const inputs = {
      x: f32([1, 2, bad, bad], 2, 2),
      classes: u32([0, 0], 2),
      step: stepRecord({ rows: 1 }),
    };
    const found = await run(device(), inputs, (r, { x, classes: targets, step }) => {
      const soft = softCrossEntropy(r, { label, x, targets, step, gradient: true });
      const point = pointwiseLoss(r, { label, kind: 'mse', x, targets: x, step, gradient: true });
      return { soft: soft.rowLoss, softGradient: soft.dx, point: point.rowLoss, pointGradient: point.dx };
    });
    expect(found.soft[1]).toBe(0);
    expect(found.point[1]).toBe(0);
    expect([...found.softGradient.slice(2), ...found.pointGradient.slice(2)]).toEqual([0, 0, 0, 0]);
  });
});

it('probabilities are no classes, whatever class is ignored', async () => {
  const inputs = { x: f32([0, 0], 1, 2), targets: f32([0, 1], 1, 2), step: stepRecord({ rows: 1 }) };
  const { rowLoss } = await run(device(), inputs, (r, t) => ({
    rowLoss: softCrossEntropy(r, { label, ...t, ignoreIndex: 0, gradient: false }).rowLoss,
  }));
  expect(rowLoss[0]).toBeCloseTo(Math.LN2, 5);
});

it('the gradient of L1 and smooth L1 at no difference is 0', async () => {
  const inputs = { x: f32([0, -0, 3, 1e30], 1, 4), step: stepRecord({ rows: 1, scale: 1 }) };
  const found = await run(device(), inputs, (r, { x, step }) =>
    Object.fromEntries(
      kinds.slice(0, 4).flatMap((kind) => {
        const { rowLoss, dx } = pointwiseLoss(r, { label, kind, x, targets: x, step, gradient: true });
        return [
          [`${kind} loss`, rowLoss],
          [`${kind} gradient`, dx],
        ];
      }),
    ),
  );
  for (const [name, values] of Object.entries(found))
    expect(
      [...values].every((value) => value === 0),
      name,
    ).toBe(true);
});

it('binary cross-entropy keeps its relative accuracy where the model is right and sure', async () => {
  const x = Array.from({ length: 60 }, (_, i) => -30 + i);
  for (const [kind, targets] of [
    ['right', x.map((v) => (v < 0 ? 0 : 1))],
    ['wrong', x.map((v) => (v < 0 ? 1 : 0))],
    ['undecided', x.map(() => 0.5)],
  ] as const) {
    const inputs = {
      x: f32(x, x.length, 1),
      targets: f32(targets, x.length, 1),
      step: stepRecord({ rows: 60, scale: 1 }),
    };
    const found = await run(device(), inputs, (r, t) => {
      const { rowLoss, dx } = pointwiseLoss(r, { label, kind: 'bceWithLogits', ...t, gradient: true });
      return { rowLoss, dx };
    });
    const facts = { rows: 60, columns: 1, valid: 60, scale: 1 };
    const expected = reference.pointwiseLoss('bceWithLogits', inputs.x.data, inputs.targets.data, facts);
    expectWithin(`bce ${kind}, loss`, found.rowLoss, expected.rowLoss);
    expectWithin(`bce ${kind}, gradient`, found.dx, expected.gradient);
  }
});

it('binary cross-entropy at 0 is log 2, by a series that needs all its terms', async () => {
  const inputs = { x: f32([0], 1, 1), targets: f32([1], 1, 1), step: stepRecord({ rows: 1 }) };
  const { rowLoss } = await run(device(), inputs, (r, t) => ({
    rowLoss: pointwiseLoss(r, { label, kind: 'bceWithLogits', ...t, gradient: false }).rowLoss,
  }));
  // exp(0) is 1 on every driver that we know, and then 2 + e and the sums and products behind the series are exact.
  expectWithin('bce at 0', rowLoss, [{ value: Math.LN2, bound: 11 * u * Math.LN2 }]);
});

it('the reference’s bounds are small: losses within 1e-4 of themselves', () => {
  for (const kind of kinds) {
    for (const x of floats(50, 3, -15, 15)) {
      const { loss } = reference.pointwiseElement(kind, x, kind === 'bceWithLogits' ? 1 : 0.25, 0.5);
      expect(loss.bound).toBeLessThan(1e-4 * loss.value);
    }
  }
});
