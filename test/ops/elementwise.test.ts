// bias_add.wgsl, relu.wgsl, relu_backward.wgsl, unpack_u8.wgsl and sgd.wgsl against float64; and the grids of these and of
// nll_loss_backward.wgsl.

import { expect, it } from 'vitest';
import type { Recorder } from '../../src/gpu/plan.ts';
import { biasAdd } from '../../src/ops/bias_add.ts';
import { nllLossBackward } from '../../src/ops/nll_loss_backward.ts';
import * as reference from '../../src/ops/reference.ts';
import { relu } from '../../src/ops/relu.ts';
import { reluBackward } from '../../src/ops/relu_backward.ts';
import { run } from '../../src/ops/run.ts';
import { brokenBits, sgd } from '../../src/ops/sgd.ts';
import { stepRecord } from '../../src/ops/step.ts';
import { unpackU8 } from '../../src/ops/unpack_u8.ts';
import { expectWithin } from '../support/compare.ts';
import { awkwardSizes, f32, floats, integers, manyRows, u8, u32 } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import { runEach } from '../support/run-each.ts';

const device = useDevice();
const label = 'y';
const sizes = [...awkwardSizes, manyRows];
/** Needs more workgroups than fit one dimension of a grid. */
const folded = 64 * 65_535 + 1;

it.each(sizes)('bias_add adds the bias to each of %i rows', async (rows) => {
  const widths = rows === manyRows ? [3] : awkwardSizes;
  const trials = widths.map((columns) => ({
    x: f32(floats(rows * columns, rows + columns), rows, columns),
    bias: f32(floats(columns, columns), columns),
  }));
  const found = await runEach(device(), trials, (r, t) => ({ y: biasAdd(r, { label, ...t }) }));
  trials.forEach(({ x, bias }, i) => {
    const exact = Array.from(x.data, (v, c) =>
      reference.plus({ value: v, bound: 0 }, bias.data[c % bias.data.length] as number),
    );
    expectWithin('bias_add', found[i]?.y ?? [], exact);
  });
});

it('relu is exact, gives 0 at ±0 and keeps NaN and infinity', async () => {
  const special = [Number.NaN, -0, 0, 1e-38, -1e-38, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const trials = sizes.map((size) => {
    const x = floats(size, size);
    x.set(special.slice(0, size));
    return { x: f32(x, size) };
  });
  const found = await runEach(device(), trials, (r, t) => ({ y: relu(r, { label, ...t }) }));
  trials.forEach(({ x }, i) => {
    const exact = Array.from(x.data, (v) => ({
      value: v <= 0 ? 0 : v,
      bound: Math.abs(v) < 2 ** -126 ? 2 ** -126 : 0, // WGSL lets subnormal numbers be flushed to 0
    }));
    expectWithin('relu', found[i]?.y ?? [], exact);
  });
});

it('relu_backward is exact, 0 where the output is 0, and lets dy through where the output is a NaN', async () => {
  const trials = sizes.map((size) => {
    const y = floats(size, size + 1).map((v, i) => (i % 3 === 0 ? 0 : Math.max(0, v)));
    y.set([0, -0, 1, Number.NaN].slice(0, size));
    return { dy: f32(floats(size, size), size), y: f32(y, size) };
  });
  const found = await runEach(device(), trials, (r, t) => ({ dx: reluBackward(r, { label, ...t }) }));
  trials.forEach(({ dy, y }, i) => {
    const exact = Array.from(dy.data, (d, c) =>
      reference.masked({ value: d, bound: 0 }, y.data[c] as number),
    );
    expectWithin('relu_backward', found[i]?.dx ?? [], exact);
  });
});

it('unpack_u8 gives every byte divided by 255', async () => {
  const everyByte = Uint32Array.from({ length: 256 }, (_, i) => i);
  const trials = [everyByte, ...sizes.map((size) => integers(size, size, 256))].map((x) => ({
    x: u8(x, x.length),
  }));
  const found = await runEach(device(), trials, (r, t) => ({ y: unpackU8(r, { label, ...t }) }));
  trials.forEach(({ x }, i) => {
    expectWithin('unpack_u8', found[i]?.y ?? [], reference.unpackU8(x.data));
  });
});

it('sgd moves every value against its gradient', async () => {
  for (const lr of [0.125, Math.fround(0.1), 0]) {
    // Any number of elements in the last four.
    const trials = [4, 5, 6, 10, ...sizes].map((size) => {
      const gradient = floats(size, size + 1);
      if (size > 10) gradient.set([0, 1e-20, 1e10]);
      return {
        value: f32(floats(size, size), size),
        gradient: f32(gradient, size),
        losses: f32([1, 2, 3], 3),
        step: stepRecord({ lr, slot: 1 }),
      };
    });
    const found = await runEach(device(), trials, (r, t) => {
      sgd(r, { label, ...t });
      return { value: t.value, losses: t.losses };
    });
    trials.forEach(({ value, gradient }, i) => {
      expect([...(found[i]?.losses ?? [])]).toEqual([1, 2, 3]);
      expectWithin('sgd', found[i]?.value ?? [], reference.sgd(value.data, gradient.data, lr));
    });
  }
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  'sgd reports a gradient or value of %d in the step’s own loss, wherever it is',
  async (bad) => {
    const size = 66; // the last four reach beyond it, where NaNs lie
    const trials = ['value' as const, 'gradient' as const].flatMap((where) =>
      Array.from({ length: size }, (_, at) => {
        const broken = floats(size, at);
        broken[at] = bad;
        const whole = f32(floats(size, at + 1), size);
        const given = { value: whole, gradient: whole, [where]: f32(broken, size) };
        return { ...given, losses: f32([1, 2, 3], 3), step: stepRecord({ lr: 0, slot: 1 }) };
      }),
    );
    const found = await runEach(device(), trials, (r, t) => {
      sgd(r, { label, ...t });
      return { losses: t.losses };
    });
    for (const { losses } of found) {
      const bits = new Uint32Array(losses.buffer);
      expect([losses[0], bits[1], losses[2]]).toEqual([1, brokenBits, 3]);
    }
  },
);

it('sgd reports a value that overflows, and leaves a loss that is not finite as it is', async () => {
  const broken = f32([Number.NaN], 1);
  const inputs = {
    value: f32([-3e38], 1),
    gradient: f32([3e38], 1),
    losses: f32([2], 1),
    kept: broken,
    step: stepRecord({ lr: 1 }),
  };
  const { losses, kept } = await run(device(), inputs, (r, t) => {
    const { gradient, step } = t;
    sgd(r, { label, value: t.value, gradient, losses: t.losses, step });
    sgd(r, { label, value: t.value, gradient, losses: t.kept, step });
    return { losses: t.losses, kept: t.kept };
  });
  expect(new Uint32Array(losses.buffer)[0]).toBe(brokenBits);
  expect(new Uint32Array(kept.buffer)[0]).toBe(new Uint32Array(broken.data.buffer)[0]);
});

it('every invocation finds its elements in a grid of any shape', async () => {
  const [rows, columns] = [301, 13];
  const size = rows * columns;
  const bytes = Uint8Array.from(integers(size, 1, 256));
  const [x, y, bias] = [floats(size, 2), floats(size, 3), floats(columns, 4)];
  const targets = integers(rows, 5, columns);
  for (const height of [1, 2, 7]) {
    const inputs = {
      bytes: u8(bytes, size),
      x: f32(x, rows, columns),
      y: f32(y, rows, columns),
      bias: f32(bias, columns),
      targets: u32(targets, rows),
      losses: f32([0], 1),
      step: stepRecord({ rows, lr: 0.5 }),
    };
    const found = await run(device(), inputs, (recorder, t) => {
      /** Spreads the same workgroups, and a few that have nothing to do, over so many rows of a grid. */
      const r: Recorder = {
        ...recorder,
        dispatch(kernel, request) {
          const [groups] = request.workgroups;
          recorder.dispatch(kernel, { ...request, workgroups: [Math.ceil(groups / height) + 1, height, 1] });
        },
      };
      const relued = relu(r, { label: 'relu', x: t.x });
      const results = {
        relued,
        scaled: unpackU8(r, { label: 'unpack', x: t.bytes }),
        added: biasAdd(r, { label: 'bias', x: t.x, bias: t.bias }),
        masked: reluBackward(r, { label: 'masked', dy: t.x, y: t.y }),
        spread: nllLossBackward(r, { label: 'nll', targets: t.targets, columns, step: t.step }),
      };
      sgd(r, { label: 'sgd', value: t.y, gradient: t.x, losses: t.losses, step: t.step });
      return { ...results, value: t.y };
    });
    const { plus, masked, within } = reference;
    const exact = (values: ArrayLike<number>) => within(values, 0);
    expectWithin('relu', found.relued, exact(x.map((v) => (v > 0 ? v : 0))));
    expectWithin('unpack_u8', found.scaled, reference.unpackU8(bytes));
    expectWithin(
      'bias_add',
      found.added,
      exact(x).map((v, i) => plus(v, bias[i % columns] as number)),
    );
    expectWithin(
      'relu_backward',
      found.masked,
      exact(x).map((d, i) => masked(d, y[i] as number)),
    );
    expectWithin('nll_loss_backward', found.spread, reference.nllLossBackward(targets, rows, columns, rows));
    expectWithin('sgd', found.value, reference.sgd(y, x, 0.5));
  }
});

it('folds grids that are too long for one dimension', async () => {
  const x = floats(folded, 1);
  const bias = floats(1, 2);
  const inputs = {
    x: f32(x, folded, 1),
    bias: f32(bias, 1),
    step: stepRecord({ lr: 0.5 }),
    losses: f32([1], 1),
    value: f32(x, folded),
    bytes: u8(new Uint8Array(folded).fill(255), folded),
  };
  const found = await run(device(), inputs, (r, t) => {
    sgd(r, { label, value: t.value, gradient: t.x, losses: t.losses, step: t.step });
    const y = relu(r, { label, x: t.x });
    return {
      y,
      dx: reluBackward(r, { label, dy: t.x, y }),
      sum: biasAdd(r, { label, x: t.x, bias: t.bias }),
      value: t.value,
      scaled: unpackU8(r, { label, x: t.bytes }),
    };
  });
  const wrong = { y: 0, dx: 0, sum: 0, value: 0, scaled: 0 };
  for (let i = 0; i < folded; i++) {
    const v = x[i] as number;
    const rectified = v > 0 ? v : 0;
    if (found.y[i] !== rectified) wrong.y++;
    if (found.dx[i] !== rectified) wrong.dx++;
    if (found.sum[i] !== Math.fround(v + (bias[0] as number))) wrong.sum++;
    if (found.value[i] !== v / 2) wrong.value++;
    if (found.scaled[i] !== 1) wrong.scaled++;
  }
  expect(wrong).toEqual({ y: 0, dx: 0, sum: 0, value: 0, scaled: 0 });
});
