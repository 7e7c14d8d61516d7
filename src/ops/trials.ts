// What each kernel is tried on when it is checked: random data for its bindings, of the shapes of a recorded dispatch, and
// what float64 makes of them. A kernel without an entry here does not compile.
// Sums and products are tried on whole numbers, small enough that float32 holds every partial sum: whatever the order of
// the additions, the result must be right to the bit, and no error is too small to show. exp, log and the scaling of bytes
// get what WGSL allows. Kernels that look for NaN by its bits must find one.

import type { KernelName } from './kernels.generated.ts';
import * as reference from './reference.ts';
import { type Bounded, within } from './reference.ts';
import {
  largestLogit,
  largestTerm,
  nan,
  nothing,
  partOf,
  rectified,
  type Subject,
  type Trial,
  type Trials,
} from './trial.ts';
import { activationTrials } from './trials-activation.ts';
import { convTrials } from './trials-conv.ts';
import { dropoutTrials } from './trials-dropout.ts';
import { layerNormTrials } from './trials-layer-norm.ts';
import { lossTrials } from './trials-losses.ts';
import { normTrials } from './trials-norm.ts';
import { optimTrials } from './trials-optim.ts';

function checkMatmul({ params, on, constant, isU8, count, whole, integers }: Subject): Trial[] {
  const { m, n, k, accumulate, chunk } = params as Record<'m' | 'n' | 'k' | 'accumulate' | 'chunk', number>;
  // The subgroup core takes an operand by another binding where four of its elements come with one load, or as an image.
  const operand = (name: 'a' | 'b', size: number, fours: boolean, most: number) => {
    if (on(`${name}_IMAGE`.toUpperCase())) {
      const data = whole(size, most);
      const inputs = { [name]: nothing(4), [`${name}_fours`]: nothing(4), [`${name}_image`]: data };
      return { u8: false, values: data, inputs };
    }
    const binding = fours ? `${name}_fours` : name;
    const u8 = isU8(binding);
    // Bytes are 0 and 1 once scaled.
    const data = u8 ? Uint8Array.from(integers(size, 2), (bit) => 255 * bit) : whole(size, most);
    const values = u8 ? Array.from(data, (v) => v / 255) : data;
    return { u8, values, inputs: { [name]: nothing(4), [`${name}_fours`]: nothing(4), [binding]: data } };
  };
  const isRun4 = constant('RUN') === 4;
  const [aTransposed, bTransposed] = [on('A_TRANSPOSED'), on('B_TRANSPOSED')];
  const aFours = on('A_VECTOR') && (aTransposed || isRun4);
  const bFours = on('B_VECTOR') && (!bTransposed || isRun4);
  const a = operand('a', m * k, aFours, largestTerm(k));
  const b = operand('b', k * n, bFours, 3);
  // Scaled bytes may be a little off, and then partial sums round too: still far less than a whole number.
  const share = a.u8 || b.u8 ? (reference.u8Error / reference.u + k + 4) / (4 * k) : 0;
  const parts = Array.from(
    { length: Math.ceil(k / chunk) },
    (_, i) => [i * chunk, Math.min(k, (i + 1) * chunk)] as const,
  );
  const before = whole(parts.length * m * n, 2047);
  const other = on('MASK') ? rectified(whole(m * n, 3)) : whole(n, 2047);
  const [left, right] = [
    reference.matrix(a.values, m, k, aTransposed),
    reference.matrix(b.values, k, n, bTransposed),
  ];
  const product = parts.flatMap((part) =>
    reference.matmul(reference.block(left, [0, m], part), reference.block(right, part, [0, n])),
  );
  const c = product.map(({ value: sum, bound }, i) => {
    let value = on('BIAS') ? sum + (other[i % n] as number) : sum;
    if (on('RELU')) value = Math.max(0, value);
    if (on('MASK') && (other[i] as number) <= 0) value = 0;
    return { value: accumulate === 0 ? value : value + (before[i] as number), bound: share * bound };
  });
  const rowsBefore = whole(parts.length * m, 2047);
  const inputs = {
    ...a.inputs,
    ...b.inputs,
    bias_or_mask: other,
    c: accumulate === 0 && !on('SGD') ? nothing(before.length) : before,
    ...(on('C_IMAGE') ? { c_image: before } : {}),
    row_sums: rowsBefore,
    loss: new Float32Array(on('SGD') ? count('loss') : 1).fill(1), // stays, as long as all is finite
  };
  const loss = within(inputs.loss, 0);
  const lr = 0.5; // a whole number times it is exact
  const updated = (old: number, sum: number) => (on('SGD') ? old - lr * sum : accumulate * old + sum);
  const sums = on('ROW_SUMS')
    ? parts.flatMap(([from, to]) => reference.columnSum(a.values.slice(from * m, to * m), to - from, m))
    : undefined;
  const row_sums = within(rowsBefore, 0).map((old, i) => {
    const sum = sums?.[i];
    return sum === undefined ? old : { value: updated(old.value, sum.value), bound: share * sum.bound };
  });
  if (!on('SGD')) return [{ inputs, expected: { c, row_sums, loss } }];

  const step = { rows: 0, slot: inputs.loss.length - 1, lr };
  const after = product.map(({ value, bound }, i) => ({
    value: updated(before[i] as number, value),
    bound: share * bound,
  }));
  const broken = before.with(m * n - 1, Number.POSITIVE_INFINITY);
  return [
    { inputs, expected: { c: after, row_sums, loss }, step },
    {
      inputs: { ...inputs, c: broken, ...(on('C_IMAGE') ? { c_image: broken } : {}) },
      expected: { loss: loss.with(step.slot, nan) },
      step,
    },
  ];
}

/** Trials of either kernel. */
function checkLinearCrossEntropy({ params, on, count, whole, integers }: Subject): readonly Trial[] {
  const { rows, features } = params as { rows: number; features: number };
  const bias = whole(count('bias'), 32).map((v) => v / 16);
  const columns = bias.length;
  // Sixteenths, small enough that the logits are exact in any order of the additions, and of ordinary size.
  const x = whole(rows * features, 3).map((v) => v / 16);
  const weight = whole(columns * features, 3);
  const logits = Float32Array.from(
    reference.matmul(reference.matrix(x, rows, features), reference.matrix(weight, features, columns, true)),
    ({ value }, i) => value + (bias[i % columns] as number),
  );
  const targets = integers(rows, columns);
  const losses = on('MEAN') ? count('loss') : 1;
  const step = { rows: partOf(rows), slot: losses - 1, lr: 0 };
  const magnitude = logits.reduce((most, z) => Math.max(most, Math.abs(z)), 0);
  const { rowLoss, gradient } = reference.crossEntropy(logits, targets, rows, columns, step.rows, magnitude);
  const inputs = {
    x,
    weight,
    bias,
    target_class: targets,
    logits: nothing(rows * columns),
    dlogits: nothing(on('GRADIENT') ? rows * columns : 4),
    row_loss: nothing(on('MEAN') ? 4 : rows),
    loss: new Float32Array(losses).fill(1), // the other slots must stay as they are
  };
  const loss = within(inputs.loss, 0);
  const mean = reference.meanOf(rowLoss, step.rows);
  const lossesOf = (rowsThen: Bounded[], meanThen: Bounded) =>
    on('MEAN') ? { loss: loss.with(step.slot, meanThen) } : { row_loss: rowsThen, loss };
  const last = step.rows - 1;
  const broken = x.with(last * features + features - 1, Number.POSITIVE_INFINITY);
  return [
    {
      inputs,
      expected: {
        logits: within(logits, 0),
        ...(on('GRADIENT') ? { dlogits: gradient } : {}),
        ...lossesOf(rowLoss, mean),
      },
      step,
    },
    { inputs: { ...inputs, x: broken }, expected: lossesOf(rowLoss.with(last, nan), nan), step },
  ];
}

/** The trials of each kernel. */
export const trials: Trials<KernelName> = {
  ...convTrials,
  ...dropoutTrials,
  ...normTrials,
  ...optimTrials,

  matmul: checkMatmul,
  matmul_subgroup: checkMatmul,
  ...activationTrials,
  ...layerNormTrials,
  ...lossTrials,

  bias_add({ count, whole }) {
    const [x, bias] = [whole(count('x'), 2047), whole(count('bias'), 2047)];
    const y = within(
      x.map((v, i) => v + (bias[i % bias.length] as number)),
      0,
    );
    return [{ inputs: { x, bias, y: nothing(x.length) }, expected: { y } }];
  },

  column_sum({ params, count, whole }) {
    const { rows, columns, accumulate } = params as { rows: number; columns: number; accumulate: number };
    const [x, before] = [whole(count('x'), largestTerm(rows)), whole(columns, 2047)];
    const y = reference.columnSum(x, rows, columns).map(({ value }, j) => ({
      value: accumulate === 0 ? value : value + (before[j] as number),
      bound: 0,
    }));
    return [{ inputs: { x, y: accumulate === 0 ? nothing(columns) : before }, expected: { y } }];
  },

  relu({ count, floats }) {
    const x = floats(count('x'));
    x[0] = Number.NaN; // must stay one
    const y = within(
      x.map((v) => (v <= 0 ? 0 : v)),
      0,
    );
    return [{ inputs: { x, y: nothing(x.length) }, expected: { y } }];
  },

  relu_backward({ count, floats }) {
    const [dy, y] = [floats(count('dy')), rectified(floats(count('y')))];
    const dx = Array.from(dy, (d, i) => reference.masked({ value: d, bound: 0 }, y[i] as number));
    return [{ inputs: { dy, y, dx: nothing(dy.length) }, expected: { dx } }];
  },

  unpack_u8({ count, integers }) {
    const x = Uint8Array.from(integers(count('x'), 256));
    return [{ inputs: { x, y: nothing(x.length) }, expected: { y: reference.unpackU8(x) } }];
  },

  log_softmax({ params, count, floats }) {
    const { rows, columns } = params as { rows: number; columns: number };
    const x = floats(count('x'), -largestLogit, largestLogit);
    const bound = reference.logSoftmaxBound(columns, largestLogit);
    const y = within(reference.logSoftmax(x, rows, columns), bound);
    const broken = x.with(x.length - 1, Number.NaN); // in the last row
    return [
      { inputs: { x, y: new Float32Array(x.length) }, expected: { y } },
      {
        inputs: { x: broken, y: new Float32Array(x.length) },
        expected: { y: y.map((value, i) => (i < x.length - columns ? value : nan)) },
      },
    ];
  },

  log_softmax_backward({ params, count, floats }) {
    const { rows, columns } = params as { rows: number; columns: number };
    const y = Float32Array.from(reference.logSoftmax(floats(count('y'), -5, 5), rows, columns));
    const dy = floats(count('dy'));
    return [
      {
        inputs: { dy, y, dx: nothing(y.length) },
        expected: { dx: reference.logSoftmaxBackward(dy, y, rows, columns) },
      },
    ];
  },

  nll_loss({ params, count, floats, integers }) {
    const { rows, columns } = params as { rows: number; columns: number };
    const logProbability = floats(count('log_probability'), -5, 0);
    const targets = integers(rows, columns);
    const step = { rows: partOf(rows), slot: 0, lr: 0 };
    return [
      {
        inputs: { log_probability: logProbability, target_class: targets, row_loss: nothing(rows) },
        expected: { row_loss: reference.nllLoss(logProbability, targets, rows, columns, step.rows) },
        step,
      },
    ];
  },

  nll_loss_backward({ params, count, integers }) {
    const { columns } = params as { columns: number };
    const rows = count('target_class');
    const targets = integers(rows, columns);
    const step = { rows: partOf(rows), slot: 0, lr: 0 };
    return [
      {
        inputs: { target_class: targets, d: nothing(rows * columns) },
        expected: { d: reference.nllLossBackward(targets, rows, columns, step.rows) },
        step,
      },
    ];
  },

  cross_entropy({ params, on, count, floats, integers }) {
    const { rows, columns } = params as { rows: number; columns: number };
    const x = floats(count('x'), -largestLogit, largestLogit);
    const targets = integers(rows, columns);
    const step = { rows: partOf(rows), slot: 0, lr: 0 };
    const { rowLoss, gradient } = reference.crossEntropy(x, targets, rows, columns, step.rows, largestLogit);
    const inputs = { x, target_class: targets, row_loss: new Float32Array(rows), dx: nothing(count('dx')) };
    const broken = x.with(0, Number.POSITIVE_INFINITY);
    return [
      { inputs, expected: { row_loss: rowLoss, ...(on('GRADIENT') ? { dx: gradient } : {}) }, step },
      { inputs: { ...inputs, x: broken }, expected: { row_loss: rowLoss.with(0, nan) }, step },
    ];
  },

  linear_backward({ params, on, count, whole }) {
    const { rows, features, outputs, accumulate } = params as Record<
      'rows' | 'features' | 'outputs' | 'accumulate',
      number
    >;
    const x = whole(rows * features, 3);
    const dy = whole(rows * outputs, largestTerm(rows));
    const weight = whole(outputs * features, 3);
    const bias = whole(outputs, 2047);
    const before = on('SGD') ? weight : whole(outputs * features, 2047);
    const gradients = reference.matrix(dy, rows, outputs);
    const dx = reference
      .matmul(gradients, reference.matrix(weight, outputs, features))
      .map((value, i) => (on('MASK') ? reference.masked(value, x[i] as number) : value));
    const dweight = reference.matmul(
      reference.matrix(dy, outputs, rows, true),
      reference.matrix(x, rows, features),
    );
    const lr = 0.5; // a whole number times it is exact
    // Every sum of whole numbers is exact.
    const updated = (sums: readonly Bounded[], old: Float32Array) =>
      within(
        sums.map(({ value }, i) => {
          const was = old[i] as number;
          return on('SGD') ? was - lr * value : accumulate * was + value;
        }),
        0,
      );
    const inputs = {
      x,
      dy,
      weight: on('SGD') ? nothing(4) : weight,
      dx: nothing(rows * features),
      dweight: accumulate === 0 && !on('SGD') ? nothing(before.length) : before,
      dbias: bias, // stays where it is not wanted
      loss: new Float32Array(on('SGD') ? count('loss') : 1).fill(1), // stays, as long as all is finite
    };
    const loss = within(inputs.loss, 0);
    const step = { rows: 0, slot: inputs.loss.length - 1, lr };
    const exactly = (values: readonly Bounded[]) =>
      within(
        values.map(({ value }) => value),
        0,
      );
    const right: Trial = {
      inputs,
      expected: {
        dx: exactly(dx),
        dweight: updated(dweight, before),
        dbias: on('BIAS') ? updated(reference.columnSum(dy, rows, outputs), bias) : within(bias, 0),
        loss,
      },
      step,
    };
    if (!on('SGD')) return [right];
    const infinite = Number.POSITIVE_INFINITY;
    const broken = [
      { ...inputs, dweight: before.with(before.length - 1, infinite) },
      ...(on('BIAS') ? [{ ...inputs, dbias: bias.with(outputs - 1, infinite) }] : []),
    ];
    const reported = { loss: loss.with(step.slot, nan) };
    return [right, ...broken.map((wrong) => ({ inputs: wrong, expected: reported, step }))];
  },

  linear_cross_entropy: checkLinearCrossEntropy,
  linear_cross_entropy_subgroup: checkLinearCrossEntropy,

  mean_loss({ params, count, floats }) {
    const { rows } = params as { rows: number };
    const rowLoss = floats(rows, 0, 4);
    const loss = floats(count('loss')); // the other slots must stay as they are
    const step = { rows: partOf(rows), slot: loss.length - 1, lr: 0 };
    const broken = rowLoss.with(step.rows - 1, Number.NEGATIVE_INFINITY);
    const expected = (mean: Bounded) => ({ loss: within(loss, 0).with(step.slot, mean) });
    return [
      {
        inputs: { row_loss: rowLoss, loss },
        expected: expected(reference.meanLoss(rowLoss, step.rows)),
        step,
      },
      { inputs: { row_loss: broken, loss }, expected: expected(nan), step },
    ];
  },

  sgd({ count, whole }) {
    const [gradient, value] = [whole(count('gradient'), 2047), whole(count('value'), 2047)];
    const loss = new Float32Array(count('loss')).fill(1); // stays, since all is finite
    const step = { rows: 0, slot: 0, lr: 0.5 };
    const after = within(
      value.map((v, i) => v - step.lr * (gradient[i] as number)),
      0,
    );
    const losses = within(loss, 0);
    const broken = gradient.with(gradient.length - 1, Number.POSITIVE_INFINITY);
    return [
      { inputs: { gradient, value, loss }, expected: { value: after, loss: losses }, step },
      { inputs: { gradient: broken, value, loss }, expected: { loss: losses.with(0, nan) }, step },
    ];
  },

  confusion({ params, count, integers }) {
    const { rows, columns, ignored } = params as { rows: number; columns: number; ignored: number };
    const logits = Float32Array.from(integers(count('logits'), 5)); // few values: many ties
    const targets = integers(rows, columns + 1); // some are no class
    const before = integers((columns + 1) * columns, 10);
    const step = { rows: partOf(rows), slot: 0, lr: 0 };
    const after = reference.confusion(logits, targets, columns, step.rows, before, ignored);
    return [
      {
        inputs: { logits, target_class: targets, counts: before },
        expected: { counts: within(after, 0) },
        step,
      },
    ];
  },
};
