// column_sum.wgsl, mean_loss.wgsl and confusion.wgsl against the host.

import { expect, it } from 'vitest';
import { columnSum } from '../../src/ops/column_sum.ts';
import { confusion } from '../../src/ops/confusion.ts';
import { meanLoss } from '../../src/ops/mean_loss.ts';
import * as reference from '../../src/ops/reference.ts';
import { run } from '../../src/ops/run.ts';
import { stepRecord } from '../../src/ops/step.ts';
import { expectWithin } from '../support/compare.ts';
import { awkwardSizes, f32, floats, integers, manyRows, u32 } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import { runEach } from '../support/run-each.ts';

const device = useDevice();
const label = 'y';
const sizes = [...awkwardSizes, manyRows];

const strandsOf = [1, 16] as const;
const cases = sizes.flatMap((rows) => strandsOf.map((strands) => ({ rows, strands })));

it.each(cases)(
  'column_sum adds up columns of $rows rows by $strands strands each',
  async ({ rows, strands }) => {
    const widths = rows === manyRows ? [10] : awkwardSizes;
    const trials = widths.map((columns) => ({
      x: f32(floats(rows * columns, rows + columns), rows, columns),
      out: f32(floats(columns, columns), columns),
    }));
    const found = await runEach(device(), trials, (r, t) => {
      columnSum(r, { label, ...t, accumulate: true, strands });
      return { y: columnSum(r, { label, x: t.x, strands }), out: t.out };
    });
    widths.forEach((columns, i) => {
      const { x, out } = trials[i] as (typeof trials)[0];
      const sums = reference.columnSum(x.data, rows, columns);
      expectWithin('column_sum', found[i]?.y ?? [], sums);
      const added = sums.map((sum, j) => reference.plus(sum, out.data[j] as number));
      expectWithin('column_sum accumulate', found[i]?.out ?? [], added);
    });
  },
);

it('mean_loss divides by the rows of the batch and writes to the slot of the step', async () => {
  const shapes = sizes.flatMap((rows) =>
    [...new Set([rows, Math.ceil(rows / 2), 1])].map((valid) => ({ rows, valid })),
  );
  const trials = shapes.map(({ rows, valid }) => ({
    rowLoss: f32(floats(rows, rows, 0, 4), rows),
    out: f32([7, 7, 7, 7], 4),
    step: stepRecord({ rows: valid, slot: 2 }),
  }));
  const found = await runEach(device(), trials, (r, t) => {
    meanLoss(r, { label, ...t });
    return { out: t.out };
  });
  shapes.forEach(({ valid }, i) => {
    const mean = reference.meanLoss(trials[i]?.rowLoss.data ?? [], valid);
    expectWithin('mean_loss', found[i]?.out ?? [], reference.within([7, 7, 7, 7], 0).with(2, mean));
  });
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  'mean_loss reports a row of %d, wherever it is, unless it is padding',
  async (bad) => {
    const [rows, valid] = [200, 150];
    const trials = Array.from({ length: rows }, (_, at) => {
      const rowLoss = floats(rows, at, 0, 4);
      rowLoss[at] = bad;
      return { rowLoss: f32(rowLoss, rows), out: f32([0], 1), step: stepRecord({ rows: valid }) };
    });
    const found = await runEach(device(), trials, (r, t) => {
      meanLoss(r, { label, ...t });
      return { out: t.out };
    });
    // A NaN for each of them, also where the sum would give an infinity.
    const reported = found.map(({ out }) => Number.isNaN(out[0]));
    expect(reported).toEqual(Array.from({ length: rows }, (_, at) => at < valid));
  },
);

it.each(sizes)(
  'confusion counts target and first largest logit, and the target’s rank, of %i rows',
  async (rows) => {
    const widths = rows === manyRows ? [10] : awkwardSizes.filter((columns) => columns < 130);
    const trials = widths.flatMap((columns) =>
      [Math.ceil(rows / 2), rows].map((valid) => ({
        logits: f32(integers(rows * columns, rows + columns, 5), rows, columns), // few values: many ties
        targets: u32(integers(rows, rows + columns + 1, columns + 1), rows), // some are no class
        counts: u32(integers((columns + 1) * columns, 3, 10), columns + 1, columns),
        step: stepRecord({ rows: valid }),
      })),
    );
    const found = await runEach(device(), trials, (r, t) => {
      confusion(r, { label, ...t, ignoreIndex: 2 });
      return { counts: t.counts };
    });
    trials.forEach(({ logits, targets, counts }, i) => {
      const columns = logits.shape[1] as number;
      const valid = i % 2 === 0 ? Math.ceil(rows / 2) : rows;
      const exact = reference.confusion(logits.data, targets.data, columns, valid, counts.data, 2);
      expectWithin('confusion', found[i]?.counts ?? [], reference.within(exact, 0));
    });
  },
);

it('a step of more rows than the batch has reads none beyond it', async () => {
  const logits = f32([3, 1, 1, 3], 2, 2);
  const inputs = {
    logits,
    targets: u32([0, 0], 2),
    counts: u32([0, 0, 0, 0, 0, 0], 3, 2),
    rowLoss: f32([1, 3], 2),
    out: f32([0], 1),
    step: stepRecord({ rows: 4 }),
  };
  const { counts, out } = await run(device(), inputs, (r, t) => {
    confusion(r, { label, logits: t.logits, targets: t.targets, counts: t.counts, step: t.step });
    meanLoss(r, { label, rowLoss: t.rowLoss, out: t.out, step: t.step });
    return { counts: t.counts, out: t.out };
  });
  expect([...counts]).toEqual([1, 1, 0, 0, 1, 1]);
  expect([...out]).toEqual([1]);
});
