// activation.wgsl and activation_backward.wgsl, softmax.wgsl and softmax_backward.wgsl against float64 and against PyTorch
// (test/fixtures/activations.json, made by scripts/torch_fixtures/activations.py).

import { describe, expect, it } from 'vitest';
import type { Recorder } from '../../src/gpu/plan.ts';
import type { Tensor } from '../../src/gpu/tensor.ts';
import { type ActivationKind, activation, activationKinds } from '../../src/ops/activation.ts';
import { activationBackward } from '../../src/ops/activation_backward.ts';
import { logSoftmax } from '../../src/ops/log_softmax.ts';
import * as reference from '../../src/ops/reference.ts';
import { run } from '../../src/ops/run.ts';
import { softmax } from '../../src/ops/softmax.ts';
import { softmaxBackward } from '../../src/ops/softmax_backward.ts';
import fixtures from '../fixtures/activations.json' with { type: 'json' };
import { expectWithin } from '../support/compare.ts';
import { awkwardSizes, f32, floats, manyRows } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import { runEach } from '../support/run-each.ts';

const device = useDevice();
const label = 'y';
const kinds = Object.keys(activationKinds) as ActivationKind[];
const slope = Math.fround(0.2);

/** Both ways of one kind, on the kernels' own x and, where that is what they go by, the y given. */
const bothWays =
  (kind: ActivationKind) =>
  (r: Recorder, { x, dy }: Readonly<Record<'x' | 'dy', Tensor>>) => {
    const y = activation(r, { label, kind, x, slope });
    return { y, dx: activationBackward(r, { label: 'dx', kind, dy, x, y, slope }) };
  };

/** Expects y within its bound of f(x), and dx within its bound of dy · f'(x), by the y that was found. */
function expectBoth(
  name: string,
  kind: ActivationKind,
  inputs: { x: ArrayLike<number>; dy: ArrayLike<number> },
  found: { y: ArrayLike<number>; dx: ArrayLike<number> },
) {
  const x = Float32Array.from(inputs.x);
  expectWithin(
    `${name} ${kind}`,
    found.y,
    Array.from(x, (v) => reference.activation(kind, v, slope)),
  );
  const dx = Array.from(x, (v, i) =>
    reference.activationBackward(
      kind,
      Math.fround(inputs.dy[i] as number),
      { x: v, y: found.y[i] as number },
      slope,
    ),
  );
  expectWithin(`${name} ${kind} backward`, found.dx, dx);
}

/** Every power of two and the numbers beside it, of both signs: all the sizes that a float32 has. */
const allMagnitudes = Float32Array.from({ length: 4 * 254 }, (_, i) => {
  const power = 2 ** ((i >> 2) - 126);
  return [power, -power, power * (1 + 2 ** -23), -power * 1.375][i % 4] as number;
});

describe.each(kinds)('%s', (kind) => {
  it('is within its bounds at awkward sizes', async () => {
    const trials = [...awkwardSizes, manyRows].map((size) => ({
      x: f32(floats(size, size, -12, 12), size),
      dy: f32(floats(size, size + 1), size),
    }));
    const found = await runEach(device(), trials, bothWays(kind));
    trials.forEach(({ x, dy }, i) => {
      const { y = [], dx = [] } = found[i] ?? {};
      expectBoth('activation', kind, { x: x.data, dy: dy.data }, { y, dx });
    });
  });

  it('is within its bounds from the smallest numbers to the largest, and where approximations meet', async () => {
    const steps = Float32Array.from({ length: 4001 }, (_, i) => (i - 2000) / 100);
    const seams = [0.625, 0.927734375 * Math.SQRT2, 10 * Math.SQRT2, 20, 110].flatMap((at) =>
      [-3, -2, -1, 0, 1, 2, 3].flatMap((ulps) => [at, -at].map((v) => v * (1 + ulps * 2 ** -23))),
    );
    const x = Float32Array.from([0, -0, ...seams, ...steps, ...allMagnitudes]);
    const dy = floats(x.length, 5);
    const inputs = { x: f32(x, x.length), dy: f32(dy, x.length) };
    expectBoth('activation, all magnitudes', kind, { x, dy }, await run(device(), inputs, bothWays(kind)));
  });

  it('finds its elements in a grid of any shape', async () => {
    const size = 3913;
    const [x, dy] = [floats(size, 1, -4, 4), floats(size, 2)];
    for (const height of [1, 2, 7]) {
      const inputs = { x: f32(x, size), dy: f32(dy, size) };
      const found = await run(device(), inputs, (recorder, t) => {
        const folding: Recorder = {
          ...recorder,
          dispatch(kernel, request) {
            const groups = request.workgroups[0];
            recorder.dispatch(kernel, {
              ...request,
              workgroups: [Math.ceil(groups / height) + 1, height, 1],
            });
          },
        };
        return bothWays(kind)(folding, t);
      });
      expectBoth('activation, folded', kind, { x, dy }, found);
    }
  });
});

describe.each(fixtures.elementwise)('PyTorch’s $kind', (fixture) => {
  const kind = fixture.kind as ActivationKind;

  it('gives these values and gradients', async () => {
    const { x, dy, y, dx } = fixture;
    const inputs = { x: f32(x, x.length), dy: f32(dy, dy.length) };
    const found = await run(device(), inputs, bothWays(kind));
    // PyTorch's are float64 values, by the exact y and by a slope that we round: another u. They are kept in ten digits.
    const also = 1e-9 + (kind === 'leakyRelu' ? reference.u : 0);
    const bounds = x.map((v) => reference.activation(kind, Math.fround(v), slope));
    expectWithin(
      `PyTorch’s ${kind}`,
      found.y,
      y.map((value, i) => ({ value, bound: (bounds[i]?.bound ?? 0) + also * Math.abs(value) })),
    );
    expectWithin(
      `PyTorch’s ${kind} backward`,
      found.dx,
      dx.map((value, i) => {
        const [d, by] = [Math.fround(dy[i] as number), { x: Math.fround(x[i] as number), y: y[i] as number }];
        const { bound } = reference.activationBackward(kind, d, by, slope);
        // y's own error e moves y·(1 - y) and 1 - y² by at most 2·e.
        const ofY =
          activationKinds[kind].derivativeBy === 'y' ? 2 * (bounds[i]?.bound ?? 0) * Math.abs(d) : 0;
        return { value, bound: bound + ofY + also * Math.abs(value) };
      }),
    );
  });

  it('is ours at ±1e4, ±1e30, infinities and NaN', async () => {
    const x = fixture.extremes.x.map(Number);
    const inputs = { x: f32(x, x.length), dy: f32(new Array(x.length).fill(1), x.length) };
    const { y, dx } = await run(device(), inputs, bothWays(kind));
    const exactly = (values: readonly number[]) =>
      values.map((value) => ({ value, bound: Number.isFinite(value) ? reference.u * Math.abs(value) : 0 }));
    expectWithin(`PyTorch’s ${kind} extremes`, y, exactly(fixture.extremes.y.map(Number)));
    // Where PyTorch's cube overflows we have the derivative; and a NaN stays one behind a leaky ReLU too.
    const gradients = fixture.extremes.dx.map((text, i) => {
      if (Number.isNaN(x[i])) return Number.NaN;
      if (kind === 'geluTanh' && Math.abs(x[i] as number) === Math.fround(1e30))
        return Number((x[i] as number) > 0);
      return Number(text);
    });
    expectWithin(`PyTorch’s ${kind} extremes backward`, dx, exactly(gradients));
  });
});

it('a NaN in dy reaches dx', async () => {
  for (const kind of kinds) {
    const inputs = { x: f32([-1, 1, 2], 3), dy: f32([1, Number.NaN, 1], 3) };
    const { dx } = await run(device(), inputs, bothWays(kind));
    expect([...dx].map(Number.isNaN), kind).toEqual([false, true, false]);
  }
});

describe.each([...awkwardSizes, manyRows])('softmax of %i rows', (rows) => {
  const widths = rows === manyRows ? [2, 65] : awkwardSizes;

  it('and its gradient are within their bounds', async () => {
    const trials = widths.map((columns) => ({
      x: f32(floats(rows * columns, rows + columns, -20, 20), rows, columns),
      p: f32(floats(rows * columns, rows + columns + 2, 0, 1), rows, columns),
      dy: f32(floats(rows * columns, rows + columns + 1), rows, columns),
    }));
    const found = await runEach(device(), trials, (r, t) => ({
      y: softmax(r, { label, x: t.x }),
      dx: softmaxBackward(r, { label: 'dx', dy: t.dy, y: t.p }),
    }));
    widths.forEach((columns, i) => {
      const { x, p, dy } = trials[i] as (typeof trials)[0];
      const { y = [], dx = [] } = found[i] ?? {};
      expectWithin('softmax', y, reference.softmax(x.data, rows, columns));
      expectWithin('softmax_backward', dx, reference.softmaxBackward(dy.data, p.data, rows, columns));
    });
  });
});

it.each(fixtures.softmax)(
  'softmax is PyTorch’s, [$rows, $columns]',
  async ({ rows, columns, ...softmaxOf }) => {
    const inputs = { x: f32(softmaxOf.x, rows, columns), dy: f32(softmaxOf.dy, rows, columns) };
    const found = await run(device(), inputs, (r, t) => {
      const y = softmax(r, { label, x: t.x });
      return { y, dx: softmaxBackward(r, { label: 'dx', dy: t.dy, y }) };
    });
    const bounds = reference.softmax(inputs.x.data, rows, columns).map(({ bound }) => bound);
    expectWithin(
      'PyTorch’s softmax',
      found.y,
      softmaxOf.y.map((value, i) => ({ value, bound: (bounds[i] as number) + 1e-9 * value })),
    );
    // |dx| depends on y by |dy - Σ| + |y·dy| ≤ 3 at most, dy being within 1.
    const worst = bounds.reduce((sum, bound) => sum + bound, 0);
    const backward = reference.softmaxBackward(inputs.dy.data, softmaxOf.y, rows, columns);
    expectWithin(
      'PyTorch’s softmax backward',
      found.dx,
      softmaxOf.dx.map((value, i) => ({ value, bound: (backward[i]?.bound ?? 0) + 3 * worst })),
    );
  },
);

it.each([
  ['±1e4', [1e4, -1e4, 0], [1, 0, 0]],
  ['±1e4, the largest in the middle', [-1e4, 1e4, 0], [0, 1, 0]],
  ['±1e4, the largest last', [-1e4, 0, 1e4], [0, 0, 1]],
  ['1e30', [0, 1e30, 0], [0, 1, 0]],
  ['far below 0', [-1e4, -1e4, -1e4], [1 / 3, 1 / 3, 1 / 3]],
  ['all equal', [3, 3], [0.5, 0.5]],
  ['a single class', [5], [1]],
])('softmax is right and finite at logits of %s', async (_, logits, probabilities) => {
  const columns = logits.length;
  const inputs = { x: f32(logits, 1, columns), dy: f32(floats(columns, 1), 1, columns) };
  const { y, dx } = await run(device(), inputs, (r, t) => {
    const y = softmax(r, { label, x: t.x });
    return { y, dx: softmaxBackward(r, { label: 'dx', dy: t.dy, y }) };
  });
  expectWithin(
    'softmax extremes',
    y,
    probabilities.map((value) => ({ value, bound: 20 * reference.u * value })),
  );
  expectWithin('softmax_backward extremes', dx, reference.softmaxBackward(inputs.dy.data, y, 1, columns));
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
  'a logit of %d makes its row of softmax NaNs, and no other, as it does log_softmax’s',
  async (bad) => {
    for (const column of [0, 1, 2]) {
      const x = [0, 0, 0, 1, 2, 3, 0, 0, 0];
      x[3 + column] = bad;
      const { y, log } = await run(device(), { x: f32(x, 3, 3) }, (r, t) => ({
        y: softmax(r, { label, x: t.x }),
        log: logSoftmax(r, { label: 'log', x: t.x }),
      }));
      const row = [false, false, false];
      for (const values of [y, log]) {
        expect([...values].map(Number.isNaN)).toEqual([...row, true, true, true, ...row]);
      }
    }
  },
);
