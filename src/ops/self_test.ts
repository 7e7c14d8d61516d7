// A quick check of every kernel on the user's own device, against answers worked out here on the host in float64.
// Small integers keep sums exact, so that matmuls must be right to the bit; exp and log get the accuracy WGSL asks for.

import { messageOf } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import { biasAdd } from './bias_add.ts';
import { columnSum } from './column_sum.ts';
import { confusion } from './confusion.ts';
import { crossEntropy } from './cross_entropy.ts';
import { logSoftmax } from './log_softmax.ts';
import { logSoftmaxBackward } from './log_softmax_backward.ts';
import { type MatmulCore, matmul, matmulCore } from './matmul.ts';
import { meanLoss } from './mean_loss.ts';
import { nllLoss } from './nll_loss.ts';
import { nllLossBackward } from './nll_loss_backward.ts';
import { relu } from './relu.ts';
import { reluBackward } from './relu_backward.ts';
import { type HostTensor, run } from './run.ts';
import { sgd } from './sgd.ts';
import { stepRecord } from './step.ts';
import { unpackU8 } from './unpack_u8.ts';

/** How one kernel did. */
export interface SelfTestResult {
  readonly kernel: string;
  readonly shape: string;
  readonly ok: boolean;
  /** Largest error as a share of what is allowed; at most 1 when ok. */
  readonly worst: number;
  /** What is wrong, when something is. */
  readonly message?: string;
}

interface Case {
  readonly kernel: string;
  readonly shape: string;
  /** Allowed absolute error; 0 means equal to the bit. */
  readonly bound: number;
  readonly expected: readonly number[];
  run(device: Device): Promise<ArrayLike<number>>;
}

const f32 = (data: readonly number[], ...shape: number[]): HostTensor => ({
  data: new Float32Array(data),
  shape,
});
const u32 = (data: readonly number[], ...shape: number[]): HostTensor => ({
  data: new Uint32Array(data),
  shape,
});
/** Integers from -3 to 3, the same on every run. */
const integers = (count: number, salt: number) =>
  Array.from({ length: count }, (_, i) => ((i * 5 + salt * 3 + (i >> 3)) % 7) - 3);

function matmulCase(core: MatmulCore, aTransposed: boolean, bTransposed: boolean): Case {
  const [m, n, k] = [33, 37, 36];
  const a = integers(m * k, 1);
  const b = integers(k * n, 2);
  const bias = integers(n, 3);
  const at = (i: number, l: number) => a[aTransposed ? l * m + i : i * k + l] as number;
  const bt = (l: number, j: number) => b[bTransposed ? j * k + l : l * n + j] as number;
  const expected = Array.from({ length: m * n }, (_, c) => {
    const [i, j] = [Math.floor(c / n), c % n];
    let sum = bias[j] as number;
    for (let l = 0; l < k; l++) sum += at(i, l) * bt(l, j);
    return Math.max(0, sum);
  });
  const inputs = {
    a: f32(a, ...(aTransposed ? [k, m] : [m, k])),
    b: f32(b, ...(bTransposed ? [n, k] : [k, n])),
    bias: f32(bias, n),
  };
  return {
    kernel: core === 'tile' ? 'matmul' : 'matmul_subgroup',
    shape: `${aTransposed ? 'Aᵀ' : 'A'} [${m}, ${k}] · ${bTransposed ? 'Bᵀ' : 'B'} [${k}, ${n}] + bias, ReLU`,
    bound: 0,
    expected,
    run: async (device) =>
      (
        await run(device, inputs, (r, t) => ({
          c: matmul(r, { label: 'c', ...t, aTransposed, bTransposed, relu: true, core }),
        }))
      ).c,
  };
}

const logits = [1, 2, 3, 0, 0, 0, -4, 4, 1];
const targets = [2, 0, 1];
const softmaxRows = [0, 3, 6].map((start) => {
  const row = logits.slice(start, start + 3);
  const sum = row.reduce((total, x) => total + Math.exp(x), 0);
  return { log: row.map((x) => x - Math.log(sum)), probability: row.map((x) => Math.exp(x) / sum) };
});
const logProbabilities = softmaxRows.flatMap((row) => row.log);
const rowLosses = softmaxRows.map((row, i) => -(row.log[targets[i] as number] as number));
const oneHot = targets.flatMap((target) => [0, 1, 2].map((j) => (j === target ? 1 : 0)));
/** The third row is padding: a batch of two. */
const step = stepRecord({ rows: 2, lr: 0.5 });
const inBatch = (_: unknown, i: number) => i < 6;
const dLogits = logits.map((_, i) =>
  inBatch(0, i)
    ? ((softmaxRows[Math.floor(i / 3)]?.probability[i % 3] as number) - (oneHot[i] as number)) / 2
    : 0,
);

function cases(device: Device): Case[] {
  const x = integers(70 * 5, 4);
  const bias = integers(5, 5);
  const bytes = [0, 1, 127, 128, 254, 255, 3];
  const label = 'y';
  const classTargets = u32(targets, 3);
  const cores: MatmulCore[] = matmulCore(device) === 'subgroup' ? ['tile', 'subgroup'] : ['tile'];
  return [
    ...cores.flatMap((core) => [
      matmulCase(core, false, false),
      matmulCase(core, false, true),
      matmulCase(core, true, false),
    ]),
    {
      kernel: 'bias_add',
      shape: '[70, 5]',
      bound: 0,
      expected: x.map((v, i) => v + (bias[i % 5] as number)),
      run: async (d) =>
        (
          await run(d, { x: f32(x, 70, 5), bias: f32(bias, 5) }, (r, t) => ({
            y: biasAdd(r, { label, ...t }),
          }))
        ).y,
    },
    {
      kernel: 'column_sum',
      shape: '[70, 5]',
      bound: 0,
      expected: [0, 1, 2, 3, 4].map((j) => x.reduce((sum, v, i) => sum + (i % 5 === j ? v : 0), 0)),
      run: async (d) =>
        (await run(d, { x: f32(x, 70, 5) }, (r, t) => ({ y: columnSum(r, { label, ...t }) }))).y,
    },
    {
      kernel: 'relu',
      shape: '[350]',
      bound: 0,
      expected: x.map((v) => Math.max(0, v)),
      run: async (d) => (await run(d, { x: f32(x, 350) }, (r, t) => ({ y: relu(r, { label, ...t }) }))).y,
    },
    {
      kernel: 'relu_backward',
      shape: '[350]',
      bound: 0,
      expected: x.map((v) => (v > 0 ? 7 : 0)),
      run: async (d) =>
        (
          await run(
            d,
            {
              dy: f32(
                x.map(() => 7),
                350,
              ),
              y: f32(x, 350),
            },
            (r, t) => ({ y: reluBackward(r, { label, ...t }) }),
          )
        ).y,
    },
    {
      kernel: 'unpack_u8',
      shape: '[7]',
      bound: 2 ** -23,
      expected: bytes.map((v) => v / 255),
      run: async (d) =>
        (
          await run(d, { x: { data: new Uint8Array(bytes), shape: [7] } }, (r, t) => ({
            y: unpackU8(r, { label, ...t }),
          }))
        ).y,
    },
    {
      kernel: 'log_softmax',
      shape: '[3, 3]',
      bound: 1e-5,
      expected: logProbabilities,
      run: async (d) =>
        (await run(d, { x: f32(logits, 3, 3) }, (r, t) => ({ y: logSoftmax(r, { label, ...t }) }))).y,
    },
    {
      kernel: 'log_softmax_backward',
      shape: '[3, 3]',
      bound: 1e-5,
      expected: softmaxRows.flatMap((row) => row.probability.map((p, j) => (j === 0 ? 1 : 0) - p)),
      run: async (d) => {
        const dy = f32([1, 0, 0, 1, 0, 0, 1, 0, 0], 3, 3);
        return (
          await run(d, { dy, y: f32(logProbabilities, 3, 3) }, (r, t) => ({
            y: logSoftmaxBackward(r, { label, ...t }),
          }))
        ).y;
      },
    },
    {
      kernel: 'nll_loss',
      shape: '[3, 3], 2 rows',
      bound: 1e-6,
      expected: [...rowLosses.slice(0, 2), 0],
      run: async (d) =>
        (
          await run(
            d,
            { logProbability: f32(logProbabilities, 3, 3), targets: classTargets, step },
            (r, t) => ({
              y: nllLoss(r, { label, ...t }),
            }),
          )
        ).y,
    },
    {
      kernel: 'nll_loss_backward',
      shape: '[3, 3], 2 rows',
      bound: 0,
      expected: oneHot.map((hit, i) => (inBatch(0, i) && hit === 1 ? -0.5 : 0)),
      run: async (d) =>
        (
          await run(d, { targets: classTargets, step }, (r, t) => ({
            y: nllLossBackward(r, { label, columns: 3, ...t }),
          }))
        ).y,
    },
    {
      kernel: 'cross_entropy',
      shape: '[3, 3], 2 rows',
      bound: 1e-5,
      expected: [...rowLosses.slice(0, 2), 0, ...dLogits],
      run: async (d) => {
        const { rowLoss, dLogits: gradient } = await run(
          d,
          { logits: f32(logits, 3, 3), targets: classTargets, step },
          (r, t) => crossEntropy(r, { label, gradient: true, ...t }),
        );
        return [...rowLoss, ...gradient];
      },
    },
    {
      kernel: 'mean_loss',
      shape: '[3], 2 rows',
      bound: 0,
      expected: [2],
      run: async (d) =>
        (
          await run(d, { rowLoss: f32([1, 3, 100], 3), step, out: f32([0], 1) }, (r, t) => {
            meanLoss(r, { label, ...t });
            return { out: t.out };
          })
        ).out,
    },
    {
      kernel: 'sgd',
      shape: '[350]',
      bound: 0,
      expected: x.map((v) => 2 - 0.5 * v),
      run: async (d) =>
        (
          await run(
            d,
            {
              value: f32(
                x.map(() => 2),
                350,
              ),
              gradient: f32(x, 350),
              step,
            },
            (r, t) => {
              sgd(r, { label, ...t });
              return { value: t.value };
            },
          )
        ).value,
    },
    {
      kernel: 'confusion',
      shape: '[3, 3], 2 rows',
      bound: 0,
      expected: [1, 0, 0, 0, 0, 0, 0, 0, 1],
      run: async (d) => {
        const counts = u32([0, 0, 0, 0, 0, 0, 0, 0, 0], 3, 3);
        return (
          await run(d, { logits: f32(logits, 3, 3), targets: classTargets, counts, step }, (r, t) => {
            confusion(r, { label, ...t });
            return { counts: t.counts };
          })
        ).counts;
      },
    },
  ];
}

function judge({ kernel, shape, bound, expected }: Case, found: ArrayLike<number>): SelfTestResult {
  let worst = 0;
  let wrong = 0;
  let first = -1;
  expected.forEach((value, i) => {
    const error = Math.abs((found[i] as number) - value);
    const share = error === 0 ? 0 : error / bound;
    // A NaN compares false with everything, so ask for what is right.
    if (!(share <= 1)) {
      wrong++;
      if (first < 0) first = i;
    }
    if (!(share <= worst)) worst = share;
  });
  const base = { kernel, shape, ok: wrong === 0, worst };
  if (wrong === 0) return base;
  const message = `${wrong} of ${expected.length} values are wrong, the first at ${first}: found ${found[first]}, expected ${expected[first]}`;
  return { ...base, message };
}

/** Runs every kernel that this device would use on small data with known answers; yields one result after the other. */
export async function* selfTest(device: Device): AsyncGenerator<SelfTestResult> {
  for (const test of cases(device)) {
    try {
      yield judge(test, await test.run(device));
    } catch (error) {
      yield {
        kernel: test.kernel,
        shape: test.shape,
        ok: false,
        worst: Number.POSITIVE_INFINITY,
        message: messageOf(error),
      };
    }
  }
}
