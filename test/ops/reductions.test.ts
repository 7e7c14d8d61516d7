// column_sum.wgsl, mean_loss.wgsl and confusion.wgsl against the host.

import { expect, it } from 'vitest';
import { columnSum } from '../../src/ops/column_sum.ts';
import { confusion } from '../../src/ops/confusion.ts';
import { meanLoss } from '../../src/ops/mean_loss.ts';
import { run } from '../../src/ops/run.ts';
import { stepRecord } from '../../src/ops/step.ts';
import { expectWithin, u } from '../support/compare.ts';
import { awkwardSizes, f32, floats, integers, triples, u32 } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import * as reference from '../support/reference.ts';

const device = useDevice();
const label = 'y';

it('column_sum adds up each column, and accumulates when asked', async () => {
  const shapes = [
    ...triples(awkwardSizes, 4).map(([rows, columns]) => [rows, columns] as const),
    [65_537, 10] as const,
  ];
  for (const [rows, columns] of shapes) {
    const x = floats(rows * columns, rows);
    const before = floats(columns, columns);
    const inputs = { x: f32(x, rows, columns), out: f32(before, columns) };
    const { y, out } = await run(device(), inputs, (r, t) => {
      columnSum(r, { label, ...t, accumulate: true });
      return { y: columnSum(r, { label, x: t.x }), out: t.out };
    });
    const expected = reference.columnSum(x, rows, columns);
    expectWithin('column_sum', y, expected);
    expectWithin(
      'column_sum accumulate',
      out,
      expected.map((sum, j) => reference.plus(sum, before[j] as number)),
    );
  }
});

it('mean_loss divides by the rows of the batch and writes to the slot of the step', async () => {
  for (const rows of [...awkwardSizes, 65_537]) {
    for (const valid of new Set([rows, Math.ceil(rows / 2), 1])) {
      const rowLoss = floats(rows, rows, 0, 4);
      const inputs = {
        rowLoss: f32(rowLoss, rows),
        out: f32([7, 7, 7, 7], 4),
        step: stepRecord({ rows: valid, slot: 2 }),
      };
      const { out } = await run(device(), inputs, (r, t) => {
        meanLoss(r, { label, ...t });
        return { out: t.out };
      });
      const sum = rowLoss.slice(0, valid).reduce((total, v) => total + v, 0);
      const bound = (2 * valid + 3) * u * (sum / valid);
      expectWithin(
        'mean_loss',
        out,
        [7, 7, sum / valid, 7].map((value, i) => ({ value, bound: i === 2 ? bound : 0 })),
      );
    }
  }
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  'mean_loss reports a row of %d',
  async (bad) => {
    for (const at of [0, 63, 64, 99]) {
      const rowLoss = floats(100, 1, 0, 4);
      rowLoss[at] = bad;
      const inputs = { rowLoss: f32(rowLoss, 100), out: f32([0], 1), step: stepRecord({ rows: 100 }) };
      const { out } = await run(device(), inputs, (r, t) => {
        meanLoss(r, { label, ...t });
        return { out: t.out };
      });
      expect(out[0]).toBeNaN();
    }
  },
);

it('confusion counts target and first largest logit, for the rows of the batch', async () => {
  const shapes = [
    ...triples(
      awkwardSizes.filter((s) => s < 130),
      5,
    ).map(([r, c]) => [r, c] as const),
    [65_537, 10] as const,
  ];
  for (const [rows, columns] of shapes) {
    const valid = Math.ceil(rows / 2);
    const logits = Float32Array.from(integers(rows * columns, rows, 5)); // few values: many ties
    const targets = integers(rows, rows + 1, columns);
    const before = integers(columns * columns, 3, 10);
    const inputs = {
      logits: f32(logits, rows, columns),
      targets: u32(targets, rows),
      counts: u32(before, columns, columns),
      step: stepRecord({ rows: valid }),
    };
    const { counts } = await run(device(), inputs, (r, t) => {
      confusion(r, { label, ...t });
      return { counts: t.counts };
    });
    const expected = [...before];
    for (let i = 0; i < valid; i++) {
      const row = [...logits.slice(i * columns, (i + 1) * columns)];
      const cell = (targets[i] as number) * columns + row.indexOf(Math.max(...row));
      expected[cell] = (expected[cell] as number) + 1;
    }
    expect([...counts]).toEqual(expected);
  }
});
