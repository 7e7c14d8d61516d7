// Products over many rows, which the subgroup core computes in slices of them: what is recorded, and that slices come to the
// same as a whole.

import { beforeEach, describe, expect, it } from 'vitest';
import { describe as describeWork, type Recorder } from '../../src/gpu/plan.ts';
import type { Tensor } from '../../src/gpu/tensor.ts';
import { matmul } from '../../src/ops/matmul.ts';
import { matmulCore } from '../../src/ops/matmul_variants.ts';
import * as reference from '../../src/ops/reference.ts';
import { type HostTensor, run } from '../../src/ops/run.ts';
import { stepRecord } from '../../src/ops/step.ts';
import { expectWithin } from '../support/compare.ts';
import { f32, floats, integers, u8 } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();

type Tensors = Readonly<Record<string, Tensor>>;
/** Labels of what `work` records, given tensors like the inputs. */
function labelsOf(inputs: Readonly<Record<string, HostTensor>>, work: (r: Recorder, t: Tensors) => unknown) {
  const recorded = describeWork(device(), (r) => {
    const like = Object.entries(inputs).map(([name, { data, shape }]) => {
      const tensor = r.tensor(name, shape, data instanceof Uint8Array ? 'u8' : 'f32');
      return [name, tensor] as const;
    });
    work(r, Object.fromEntries(like));
  });
  return recorded.map(({ label }) => label);
}

/** What a product's dispatches are to be called; a single one keeps its label. */
const names = (label: string, ends: readonly number[]) =>
  ends.length === 1 ? [label] : ends.map((end, i) => `${label} ${ends[i - 1] ?? 0}…${end - 1}`);

/** Where slices of so many rows end. */
const cases = [
  { rows: 1024, ends: [1024] },
  { rows: 1025, ends: [768, 1025] },
  { rows: 2500, ends: [1024, 2048, 2500] },
];

beforeEach((context) => {
  if (matmulCore(device()) !== 'subgroup') context.skip();
});

describe.each(cases)('$rows rows, in slices up to $ends', ({ rows, ends }) => {
  it('are summed slice by slice', async () => {
    const [m, n, k] = [256, 256, rows];
    const [a, bytes] = [floats(k * m, 1), integers(k * n, 2, 256)];
    const [before, rowsBefore, lr] = [floats(m * n, 3), floats(m, 4), 0.125];
    const work = (r: Recorder, t: Tensors) => {
      const of = (name: string) => t[name] as Tensor;
      const product = { a: of('a'), b: of('b'), aTransposed: true };
      const sgd = { losses: of('losses'), step: of('step') };
      matmul(r, { label: 'sum', ...product, out: of('sum'), rowSums: of('sumRows'), accumulate: true });
      matmul(r, { label: 'less', ...product, out: of('less'), rowSums: of('lessRows'), sgd });
      return matmul(r, { label: 'c', ...product });
    };
    const inputs = {
      a: f32(a, k, m),
      b: u8(bytes, k, n),
      ...{ sum: f32(before, m, n), less: f32(before, m, n), losses: f32([0], 1) },
      ...{ sumRows: f32(rowsBefore, m), lessRows: f32(rowsBefore, m), step: stepRecord({ lr }) },
    };
    const found = await run(device(), inputs, (r, t) => {
      const c = work(r, t);
      const { sum, less, sumRows, lessRows } = t;
      return { c, sum, less, sumRows, lessRows };
    });

    const slices = ends.map((end, i) => [ends[i - 1] ?? 0, end] as const);
    const values = Array.from(bytes, (byte) => byte / 255);
    const products = slices.map(([first, end]) => {
      const left = reference.matrix(a.slice(first * m, end * m), m, end - first, true);
      return reference.matmul(left, reference.matrix(values.slice(first * n, end * n), end - first, n));
    });
    const sums = slices.map(([first, end]) =>
      reference.columnSum(a.slice(first * m, end * m), end - first, m),
    );
    /** What there was and, slice by slice, `factor` times what it sums to: every product and every sum is rounded once. */
    const added = (start: ArrayLike<number>, parts: readonly reference.Bounded[][], factor: number) =>
      Array.from(start, (value, i) => {
        let whole: reference.Bounded = { value, bound: 0 };
        for (const part of parts) {
          const { value: sum, bound } = part[i] as reference.Bounded;
          const next = whole.value + factor * sum;
          const carried = whole.bound + Math.abs(factor) * bound;
          const rounded = reference.u * (Math.abs(factor * sum) + Math.abs(next) + 2 * carried);
          whole = { value: next, bound: carried + rounded };
        }
        return whole;
      });
    expectWithin('c', found.c, added(new Float32Array(m * n), products, 1));
    expectWithin('sum', found.sum, added(before, products, 1));
    expectWithin('sum, rows', found.sumRows, added(rowsBefore, sums, 1));
    expectWithin('less', found.less, added(before, products, -lr));
    expectWithin('less, rows', found.lessRows, added(rowsBefore, sums, -lr));
    expect(labelsOf(inputs, work)).toEqual(['sum', 'less', 'c'].flatMap((label) => names(label, ends)));
  });

  it('are multiplied slice by slice', async () => {
    const [m, n, k] = [rows, 260, 256];
    const [a, b, bias] = [floats(m * k, 1), floats(k * n, 2), floats(n, 3)];
    const [mask, before] = [floats(m * n, 4).map((v, i) => (i % 5 === 0 ? 0 : v)), floats(m * n, 5)];
    const work = (r: Recorder, t: Tensors) => {
      const of = (name: string) => t[name] as Tensor;
      const product = { a: of('a'), b: of('b'), bTransposed: true };
      const y = matmul(r, { label: 'y', ...product, bias: of('bias'), relu: true });
      matmul(r, { label: 'dx', ...product, mask: of('mask'), out: of('dx'), accumulate: true });
      return y;
    };
    const inputs = {
      a: f32(a, m, k),
      b: f32(b, n, k),
      bias: f32(bias, n),
      mask: f32(mask, m, n),
      dx: f32(before, m, n),
    };
    const found = await run(device(), inputs, (r, t) => ({ y: work(r, t), dx: t.dx }));
    const product = reference.matmul(reference.matrix(a, m, k), reference.matrix(b, k, n, true));
    const y = product.map((sum, i) => reference.relu(reference.plus(sum, bias[i % n] as number)));
    const dx = product.map((sum, i) =>
      reference.plus(reference.masked(sum, mask[i] as number), before[i] as number),
    );
    expectWithin('y', found.y, y);
    expectWithin('dx', found.dx, dx);
    expect(labelsOf(inputs, work)).toEqual(['y', 'dx'].flatMap((label) => names(label, ends)));
  });
});

it('reads an image of a slice in both directions', () => {
  const rows = 2048;
  const plan = describeWork(device(), (r) => {
    const x = r.tensor('x', [rows, 512]);
    matmul(r, { label: 'forward', a: x, b: r.tensor('w', [512, 512]), bTransposed: true });
    matmul(r, { label: 'backward', a: r.tensor('dy', [rows, 512]), b: x, aTransposed: true });
  });
  const copied = plan.map(({ label, images }) => [label, images.filter((i) => i.copied).map((i) => i.label)]);
  const parts = ['0…1023', '1024…2047'];
  expect(copied).toEqual([
    ['forward 0…1023', ['x 0…1023.image', 'w.image']],
    ['forward 1024…2047', ['x 1024…2047.image']],
    ...parts.map((part) => [`backward ${part}`, [`dy ${part}.image`]]),
  ]);
});

it('takes whole what others add up, what is no sum, and what is not worth a slice', () => {
  const [m, n, k] = [256, 256, 2048];
  const labels = describeWork(device(), (r) => {
    const [at, b, bt] = [r.tensor('at', [k, m]), r.tensor('b', [k, n]), r.tensor('bt', [n, k])];
    const sum = { a: at, b, aTransposed: true };
    matmul(r, { label: 'chunks', ...sum, chunk: 1024 });
    matmul(r, { label: 'bias', ...sum, bias: r.tensor('bias', [n]) });
    matmul(r, { label: 'mask', ...sum, mask: r.tensor('mask', [m, n]) });
    matmul(r, { label: 'relu', ...sum, relu: true });
    matmul(r, { label: 'columns', a: at, b: bt, aTransposed: true, bTransposed: true });
    matmul(r, { label: 'tile', ...sum, core: 'tile' });
    matmul(r, { label: 'few columns', a: at, b: r.tensor('few', [k, 252]), aTransposed: true });
    matmul(r, { label: 'bytes', a: r.tensor('x', [k, m], 'u8'), b: r.tensor('w', [m, n]) });
    matmul(r, { label: 'short', a: at, b: r.tensor('short', [m, 252]) });
  }).map(({ label }) => label);
  expect(labels).toEqual('chunks,bias,mask,relu,columns,tile,few columns,bytes,short'.split(','));
});
