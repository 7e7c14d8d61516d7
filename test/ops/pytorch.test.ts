// Every op through its launcher against what PyTorch computed for the same inputs (test/fixtures/ops.json, made by
// scripts/torch-fixtures.py). Bounds are counted in roundings of one float32 computation: where results round, PyTorch's
// are in float64.

import { describe, expect, it } from 'vitest';
import type { Recorder } from '../../src/gpu/plan.ts';
import type { Tensor } from '../../src/gpu/tensor.ts';
import { biasAdd } from '../../src/ops/bias_add.ts';
import { columnSum } from '../../src/ops/column_sum.ts';
import { confusion } from '../../src/ops/confusion.ts';
import { crossEntropy } from '../../src/ops/cross_entropy.ts';
import { linearCrossEntropy, linearCrossEntropyKernels } from '../../src/ops/linear_cross_entropy.ts';
import { logSoftmax } from '../../src/ops/log_softmax.ts';
import { logSoftmaxBackward } from '../../src/ops/log_softmax_backward.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { type MatmulCore, matmulCore } from '../../src/ops/matmul_variants.ts';
import { meanLoss } from '../../src/ops/mean_loss.ts';
import { nllLoss } from '../../src/ops/nll_loss.ts';
import { nllLossBackward } from '../../src/ops/nll_loss_backward.ts';
import { u } from '../../src/ops/reference.ts';
import { relu } from '../../src/ops/relu.ts';
import { reluBackward } from '../../src/ops/relu_backward.ts';
import { run } from '../../src/ops/run.ts';
import { sgd } from '../../src/ops/sgd.ts';
import { stepRecord } from '../../src/ops/step.ts';
import { unpackU8 } from '../../src/ops/unpack_u8.ts';
import fixtures from '../fixtures/ops.json' with { type: 'json' };
import { expectWithin } from '../support/compare.ts';
import { f32, u8, u32 } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

type Linear = (typeof fixtures.linear)[number];
type LossCase = (typeof fixtures.losses)[number];

const device = useDevice();
const label = 'y';
/** WGSL lets a result below the normal numbers be flushed to 0. */
const smallest = 2 ** -126;

const sum = (values: readonly number[]) => values.reduce((total, v) => total + v, 0);
/** PyTorch's values with a bound for each. */
const bounded = (values: readonly number[], boundOf: (value: number, i: number) => number) =>
  values.map((value, i) => ({ value, bound: boundOf(value, i) }));
/** Has to be equal. */
const exactly = (values: readonly number[]) => bounded(values.map(Math.fround), () => 0);

/** Σ_k |a(i, k)·b(k, j)| for every element of an m × n product. */
function magnitudes(
  [m, n, k]: readonly [number, number, number],
  a: (i: number, k: number) => number,
  b: (k: number, j: number) => number,
): number[] {
  return Array.from({ length: m * n }, (_, c) => {
    let total = 0;
    for (let l = 0; l < k; l++) total += Math.abs(a(Math.floor(c / n), l) * b(l, c % n));
    return total;
  });
}

/**
 * PyTorch's output and gradients of a linear layer. A sum of K products is within 4·K·u·Σ|a·b|: each product and each
 * partial sum is rounded once, to either neighbour, in any order. A bias is one more rounding; bytes scaled by 1/255 are
 * within 3·u. ReLUs and their masks are exact: no pre-activation lies near 0.
 */
function expectedLinear({ rows, inputs, outputs, ...layer }: Linear) {
  const h = layer.x.map((v) => (layer.u8 ? v / 255 : layer.rectified ? Math.max(0, v) : v));
  const dz = layer.dy.map((v, i) => (layer.relu && (layer.y[i] as number) <= 0 ? 0 : v));
  const at = (data: readonly number[], columns: number) => (i: number, j: number) =>
    data[i * columns + j] as number;
  const transposed = (data: readonly number[], columns: number) => (i: number, j: number) =>
    data[j * columns + i] as number;
  const w = layer.weight;
  const scaling = layer.u8 ? 3 : 0;
  const forward = magnitudes([rows, outputs, inputs], at(h, inputs), transposed(w, inputs));
  const dWeight = magnitudes([outputs, inputs, rows], transposed(dz, outputs), at(h, inputs));
  const dInputs = magnitudes([rows, inputs, outputs], at(dz, outputs), at(w, inputs));
  const dBias = magnitudes([1, outputs, rows], () => 1, at(dz, outputs));
  return {
    y: bounded(layer.y, (y, i) => {
      const product = (4 * inputs + scaling) * u * (forward[i] as number);
      return product + 2 * u * (Math.abs(y) + product);
    }),
    dx: bounded(layer.dx, (_, i) => 4 * outputs * u * (dInputs[i] as number)),
    dWeight: bounded(layer.dWeight, (_, i) => (4 * rows + scaling) * u * (dWeight[i] as number)),
    dBias: bounded(layer.dBias, (_, i) => 4 * rows * u * (dBias[i] as number)),
  };
}

const linearInputs = ({ rows, inputs, outputs, ...layer }: Linear) => ({
  x: layer.u8 ? u8(layer.x, rows, inputs) : f32(layer.x, rows, inputs),
  w: f32(layer.weight, outputs, inputs),
  b: f32(layer.bias, outputs),
  dy: f32(layer.dy, rows, outputs),
});
type LinearTensors = Readonly<Record<'x' | 'w' | 'b' | 'dy', Tensor>>;

/** One kernel an operation. */
function plainLinear(r: Recorder, { x, w, b, dy }: LinearTensors, layer: Linear, core: MatmulCore) {
  const scaled = layer.u8 ? unpackU8(r, { label: 'unpack', x }) : x;
  const h = layer.rectified ? relu(r, { label: 'h', x: scaled }) : scaled;
  const product = matmul(r, { label: 'product', a: h, b: w, bTransposed: true, core });
  const z = biasAdd(r, { label: 'z', x: product, bias: b });
  const y = layer.relu ? relu(r, { label, x: z }) : z;
  const dz = layer.relu ? reluBackward(r, { label: 'dz', dy, y }) : dy;
  const dh = matmul(r, { label: 'dh', a: dz, b: w, core });
  return {
    y,
    dx: layer.rectified ? reluBackward(r, { label: 'dx', dy: dh, y: h }) : dh,
    dWeight: matmul(r, { label: 'dWeight', a: dz, aTransposed: true, b: h, core }),
    dBias: columnSum(r, { label: 'dBias', x: dz }),
  };
}

/** Bias, ReLU, mask and the scaling of whole words of bytes inside the matmul. */
function fusedLinear(r: Recorder, { x, w, b, dy }: LinearTensors, layer: Linear, core: MatmulCore) {
  const readable = layer.u8 && layer.inputs % 4 !== 0 ? unpackU8(r, { label: 'unpack', x }) : x;
  const h = layer.rectified ? relu(r, { label: 'h', x: readable }) : readable;
  const y = matmul(r, { label, a: h, b: w, bTransposed: true, bias: b, relu: layer.relu, core });
  const dz = layer.relu ? reluBackward(r, { label: 'dz', dy, y }) : dy;
  return {
    y,
    dx: matmul(r, { label: 'dx', a: dz, b: w, core, ...(layer.rectified ? { mask: h } : {}) }),
    dWeight: matmul(r, { label: 'dWeight', a: dz, aTransposed: true, b: h, core }),
    dBias: columnSum(r, { label: 'dBias', x: dz }),
  };
}

/** The cores that this device can run. */
const cores = (): MatmulCore[] => (matmulCore(device()) === 'subgroup' ? ['tile', 'subgroup'] : ['tile']);

describe('linear', () => {
  it.each(fixtures.linear)(
    'gives PyTorch’s output and gradients, [$rows, $inputs] → $outputs, relu $relu, rectified input $rectified, u8 $u8',
    async (layer) => {
      const expected = expectedLinear(layer);
      for (const core of cores()) {
        for (const [name, work] of [
          ['plain', plainLinear],
          ['fused', fusedLinear],
        ] as const) {
          const found = await run(device(), linearInputs(layer), (r, t) => work(r, t, layer, core));
          expectWithin(`linear ${name} ${core} forward`, found.y, expected.y);
          expectWithin(`linear ${name} ${core} dX`, found.dx, expected.dx);
          expectWithin(`linear ${name} ${core} dW`, found.dWeight, expected.dWeight);
          expectWithin(`linear ${name} ${core} db`, found.dBias, expected.dBias);
        }
      }
    },
  );

  it('accumulates the gradients of parts of a batch to PyTorch’s of the whole', async () => {
    for (const layer of fixtures.linear.filter((l) => l.rows > 1 && !l.relu && !l.u8)) {
      const { rows, inputs, outputs, x, dy } = layer;
      const head = Math.floor(rows / 3);
      const parts = {
        x0: f32(x.slice(0, head * inputs), head, inputs),
        x1: f32(x.slice(head * inputs), rows - head, inputs),
        dy0: f32(dy.slice(0, head * outputs), head, outputs),
        dy1: f32(dy.slice(head * outputs), rows - head, outputs),
      };
      const expected = expectedLinear(layer);
      for (const core of cores()) {
        const found = await run(device(), parts, (r, { x0, x1, dy0, dy1 }) => {
          const dWeight = matmul(r, { label, a: dy0, aTransposed: true, b: x0, core });
          matmul(r, { label, a: dy1, aTransposed: true, b: x1, out: dWeight, accumulate: true, core });
          const dBias = columnSum(r, { label: 'dBias', x: dy0 });
          columnSum(r, { label: 'dBias', x: dy1, out: dBias, accumulate: true });
          return { dWeight, dBias };
        });
        expectWithin(`linear accumulated ${core} dW`, found.dWeight, expected.dWeight);
        expectWithin(`linear accumulated ${core} db`, found.dBias, expected.dBias);
      }
    }
  });
});

/** A batch of `rows` followed by rows that hold no data, which must not count. */
function padded(rows: number, columns: number, data: readonly number[], targets: readonly number[]) {
  const padding = 3;
  return {
    x: f32([...data, ...Array.from({ length: padding * columns }, () => 50)], rows + padding, columns),
    targets: u32([...targets, ...Array.from({ length: padding }, () => 0)], rows + padding),
    step: stepRecord({ rows, slot: 1 }),
    out: f32([7, 7, 7], 3),
    zeros: (width: number) => Array.from({ length: padding * width }, () => ({ value: 0, bound: 0 })),
  };
}

/**
 * How many units of u the values of a loss case may be off, from the accuracy that WGSL asks for: +, - and × give one of
 * the two neighbours, 2·u; ÷ is within 2.5 ULP, 5·u; exp(x) within 3 + 2·|x| ULP of 2·u; log within 3 ULP or 2⁻²¹ = 8·u.
 */
function lossUnits({ rows, columns, logits, targets, dy, logSoftmax: y }: LossCase) {
  const largest = Array.from({ length: rows }, (_, i) =>
    Math.max(...logits.slice(i * columns, (i + 1) * columns).map(Math.fround)),
  );
  const rowOf = (c: number) => Math.floor(c / columns);
  const inRow = (i: number, of: (c: number) => number) =>
    sum(Array.from({ length: columns }, (_, j) => of(i * columns + j)));
  const p = y.map(Math.exp);
  const hot = p.map((_, c) => (targets[rowOf(c)] === c % columns ? 1 : 0));
  // exp(x - max): the difference rounds once, which moves the result by as much, and exp itself.
  const distance = y.map((_, c) => (largest[rowOf(c)] as number) - Math.fround(logits[c] as number));
  const exp = distance.map((d) => 2 * d + 2 * (3 + 2 * d));
  const rowSum = largest.map((_, i) => inRow(i, (c) => (p[c] as number) * (exp[c] as number)) + 2 * columns);
  const log = rowSum.map((relative, i) => {
    const c = i * columns;
    const logSum = Math.abs((y[c] as number) + (distance[c] as number));
    return relative + Math.max(6 * logSum, 8);
  });
  const logSoftmaxUnits = y.map(
    (v, c) => 2 * (distance[c] as number) + (log[rowOf(c)] as number) + 2 * Math.abs(v),
  );
  return {
    logSoftmax: logSoftmaxUnits,
    // dy - exp(y)·Σdy, where y brings its own error.
    dx: y.map((v, c) => {
      const magnitude = inRow(rowOf(c), (k) => Math.abs(dy[k] as number));
      const relative = (logSoftmaxUnits[c] as number) + 2 * (3 + 2 * Math.abs(v)) + 2 + 2 * columns;
      return (p[c] as number) * magnitude * relative + 2 * (Math.abs(dy[c] as number) + magnitude);
    }),
    rowLoss: targets.map((target, i) => logSoftmaxUnits[i * columns + target] as number),
    // (exp(x - max) / Σ - hot) / rows in one kernel.
    fused: p.map((v, c) => {
      const relative = (exp[c] as number) + (rowSum[rowOf(c)] as number) + 5;
      return (v * relative + 7 * Math.abs(v - (hot[c] as number))) / rows;
    }),
    // dy - exp(log_softmax)·Σdy in three, with dy = -hot / rows.
    plain: p.map((v, c) => {
      const relative = (logSoftmaxUnits[c] as number) + 2 * (3 + 2 * Math.abs(y[c] as number)) + 7;
      return (v * relative + 5 * (hot[c] as number) + 2 * Math.abs(v - (hot[c] as number))) / rows;
    }),
  };
}

/** The mean of row losses: sums and the division round, and the rows bring their own errors. */
const meanBound = (rowLoss: readonly number[], rowUnits: readonly number[]) =>
  (u * (sum(rowUnits) + (2 * rowLoss.length + 5) * sum(rowLoss.map(Math.abs)))) / rowLoss.length;

describe.each(fixtures.losses)('losses at $name', (loss) => {
  const { rows, columns, logits, targets, dy } = loss;
  const units = lossUnits(loss);
  const inUnits = (values: readonly number[], of: readonly number[]) =>
    bounded(values, (_, i) => u * (of[i] as number) + smallest);
  const kind = loss.name.startsWith('[') ? '' : ' extremes';

  it('log_softmax and its gradient are PyTorch’s', async () => {
    const inputs = { x: f32(logits, rows, columns), dy: f32(dy, rows, columns) };
    const { y, dx } = await run(device(), inputs, (r, t) => {
      const y = logSoftmax(r, { label, x: t.x });
      return { y, dx: logSoftmaxBackward(r, { label: 'dx', dy: t.dy, y }) };
    });
    expectWithin(`log_softmax${kind}`, y, inUnits(loss.logSoftmax, units.logSoftmax));
    expectWithin(`log_softmax_backward${kind}`, dx, inUnits(loss.dx, units.dx));
  });

  it('cross_entropy, its mean and its gradient are PyTorch’s, in one kernel, in two and in four', async () => {
    const { zeros, ...inputs } = padded(rows, columns, logits, targets);
    const mean = [7, loss.loss[0] as number, 7].map((value, i) => ({
      value,
      bound: i === 1 ? meanBound(loss.rowLoss, units.rowLoss) + smallest : 0,
    }));

    const fused = await run(device(), inputs, (r, { x, out, ...t }) => {
      const { rowLoss, dLogits } = crossEntropy(r, { label, logits: x, gradient: true, ...t });
      meanLoss(r, { label: 'mean', rowLoss, out, step: t.step });
      return { rowLoss, dLogits, out };
    });
    const rowLoss = [...inUnits(loss.rowLoss, units.rowLoss), ...zeros(1)];
    expectWithin(`cross_entropy rows${kind}`, fused.rowLoss, rowLoss);
    expectWithin(`cross_entropy mean${kind}`, fused.out, mean);
    const gradient = [...inUnits(loss.gradient, units.fused), ...zeros(columns)];
    expectWithin(`cross_entropy gradient${kind}`, fused.dLogits, gradient);

    // The kernel that makes the logits itself makes these by the unit matrix.
    const features = 4 * Math.ceil(columns / 4);
    const widened = (row: readonly number[]) => [...row, ...new Array(features - columns).fill(0)];
    const rowsWithPadding = inputs.x.shape[0] as number;
    const rowsOfX = Array.from({ length: rowsWithPadding }, (_, i) =>
      widened([...inputs.x.data.slice(i * columns, (i + 1) * columns)]),
    );
    const unit = Array.from({ length: columns }, (_, i) =>
      Array.from({ length: features }, (_, j) => (i === j ? 1 : 0)),
    );
    const head = {
      ...inputs,
      x: f32(rowsOfX.flat(), rowsWithPadding, features),
      weight: f32(unit.flat(), columns, features),
      bias: f32(new Array(columns).fill(0), columns),
    };
    for (const name of columns <= 16 ? linearCrossEntropyKernels(device()) : []) {
      const one = await run(device(), head, (r, { out, ...t }) => {
        const made = linearCrossEntropy(r, { label, gradient: true, losses: out, name, ...t });
        return { ...made, out };
      });
      expectWithin(`${name} mean${kind}`, one.out, mean);
      expectWithin(`${name} gradient${kind}`, one.dLogits, gradient);
    }

    const plain = await run(device(), inputs, (r, { x, out, targets: classes, step }) => {
      const logProbability = logSoftmax(r, { label, x });
      const rowLoss = nllLoss(r, { label: 'rows', logProbability, targets: classes, step });
      meanLoss(r, { label: 'mean', rowLoss, out, step });
      const d = nllLossBackward(r, { label: 'd', targets: classes, columns, step });
      return { rowLoss, out, dx: logSoftmaxBackward(r, { label: 'dx', dy: d, y: logProbability }) };
    });
    expectWithin(`log_softmax + nll rows${kind}`, plain.rowLoss, rowLoss);
    expectWithin(`log_softmax + nll mean${kind}`, plain.out, mean);
    const plainGradient = [...inUnits(loss.gradient, units.plain), ...zeros(columns)];
    expectWithin(`log_softmax + nll gradient${kind}`, plain.dx, plainGradient);
  });
});

it.each(fixtures.nll)('nll_loss is PyTorch’s, [$rows, $columns]', async (nll) => {
  const { rows, columns } = nll;
  const { zeros, ...batch } = padded(rows, columns, nll.logProbability, nll.targets);
  // Past the batch's rows the mean meets losses that are not 0, which nll_loss would not give it.
  const inputs = { ...batch, rowLosses: padded(rows, 1, nll.rowLoss, nll.targets).x };
  const found = await run(device(), inputs, (r, { x, rowLosses, out, targets, step }) => {
    const rowLoss = nllLoss(r, { label, logProbability: x, targets, step });
    meanLoss(r, { label: 'mean', rowLoss: rowLosses, out, step });
    return { rowLoss, out, d: nllLossBackward(r, { label: 'd', targets, columns, step }) };
  });
  expectWithin('nll_loss rows', found.rowLoss, [...exactly(nll.rowLoss), ...zeros(1)]);
  const noUnits = nll.rowLoss.map(() => 0);
  const mean = [7, nll.loss[0] as number, 7].map((value, i) => ({
    value,
    bound: i === 1 ? meanBound(nll.rowLoss, noUnits) : 0,
  }));
  expectWithin('nll_loss mean', found.out, mean);
  // A division of WGSL is within 2.5 ULP.
  const gradient = bounded(nll.gradient, (value) => 5 * u * Math.abs(value));
  expectWithin('nll_loss_backward', found.d, [...gradient, ...zeros(columns)]);
});

it('relu and relu_backward are PyTorch’s to the bit, also at ±0', async () => {
  const { x, dy, ...expected } = fixtures.relu;
  const inputs = { x: f32(x, x.length), dy: f32(dy, dy.length) };
  const { y, dx } = await run(device(), inputs, (r, t) => {
    const y = relu(r, { label, x: t.x });
    return { y, dx: reluBackward(r, { label: 'dx', dy: t.dy, y }) };
  });
  expectWithin('relu', y, exactly(expected.y));
  expectWithin('relu_backward', dx, exactly(expected.dx));
});

it.each(fixtures.columnSum)('column_sum is PyTorch’s sum over [$rows, $columns]', async (sums) => {
  const { rows, columns, x } = sums;
  const { y } = await run(device(), { x: f32(x, rows, columns) }, (r, t) => ({
    y: columnSum(r, { label, ...t }),
  }));
  // Each addition rounds once, to either neighbour.
  const magnitude = (j: number) => sum(x.filter((_, c) => c % columns === j).map(Math.abs));
  expectWithin(
    'column_sum',
    y,
    bounded(sums.sums, (_, j) => 2 * rows * u * magnitude(j)),
  );
});

it.each(fixtures.sgd)(
  'sgd moves values as torch.optim.SGD does, lr $lr',
  async ({ lr, value, gradient, after }) => {
    const size = value.length;
    const inputs = {
      value: f32(value, size),
      gradient: f32(gradient, size),
      losses: f32([0], 1),
      step: stepRecord({ lr }),
    };
    const found = await run(device(), inputs, (r, t) => {
      sgd(r, { label, ...t });
      return { value: t.value };
    });
    // lr becomes a float32 (u), the product (2·u) and the difference (2·u) round to either neighbour.
    const bound = (v: number, i: number) =>
      u * (3 * lr * Math.abs(gradient[i] as number) + 2 * Math.abs(v)) * (1 + 4 * u) + smallest;
    expectWithin('sgd', found.value, bounded(after, bound));
  },
);

it.each(fixtures.confusion)(
  'confusion counts as argmax predicts, the first largest: [$rows, $classes]',
  async ({ rows, classes, logits, targets, counts }) => {
    const { x, targets: classesOf, step } = padded(rows, classes, logits, targets);
    const zeros = Array.from({ length: (classes + 1) * classes }, () => 0);
    const inputs = { x, targets: classesOf, step, counts: u32(zeros, classes + 1, classes) };
    const found = await run(device(), inputs, (r, t) => {
      confusion(r, { label, logits: t.x, targets: t.targets, counts: t.counts, step: t.step });
      return { counts: t.counts };
    });
    expect([...found.counts].slice(0, classes * classes)).toEqual(counts);
  },
);

it('unpack_u8 scales every byte as ToTensor does', async () => {
  const bytes = Array.from({ length: 256 }, (_, i) => i);
  const { y } = await run(device(), { x: u8(bytes, 256) }, (r, t) => ({ y: unpackU8(r, { label, ...t }) }));
  // PyTorch's quotient is rounded once (u); a multiplication by the reciprocal rounds twice.
  expectWithin(
    'unpack_u8',
    y,
    bounded(fixtures.unpackU8, (value) => 3 * u * value),
  );
});
