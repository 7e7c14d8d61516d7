// dW = dYᵀ·X and db = Σ rows of dY over any number of rows: whole in one kernel while they are few, else in chunks that
// workgroups sum on their own and column sums add up, always in the same order.

import type { Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { columnSum } from '../ops/column_sum.ts';
import { matmul } from '../ops/matmul.ts';
import { matmulCore } from '../ops/matmul_variants.ts';
import { transpose } from '../ops/transpose.ts';
import { type ForwardContext, type Parameter, reshape } from './layer.ts';

/** What a weight's gradient is made of. */
export interface WeightGradient {
  /** Labels start with it. */
  readonly path: string;
  /** The gradient by the output, [rows, out]. */
  readonly dy: Tensor;
  /** The input, [rows, in]. */
  readonly x: Tensor;
  /** Of out × in elements. */
  readonly weight: Parameter;
  /** [out] */
  readonly bias?: Parameter;
}

/** Up to so many rows one workgroup sums them all. */
const fewRows = 1024;
/** Workgroups that keep most GPUs busy. */
const manyGroups = 256;
/** A chunk has at least so many rows: below, adding chunks up costs more than it saves. */
const leastChunk = 256;

/** Rows that a workgroup should sum, of all of them; undefined for all. */
function chunkOf(out: number, into: number, rows: number): number | undefined {
  const tiles = Math.ceil(out / 32) * Math.ceil(into / 32);
  const parts = Math.min(Math.ceil(manyGroups / tiles), Math.ceil(rows / leastChunk));
  return rows <= fewRows || parts < 2 ? undefined : 64 * Math.ceil(rows / parts / 64);
}

/**
 * Records the gradients of weight and bias, as far as they are trained, or where `context.update` allows it and one kernel
 * makes them, the update by them.
 */
export function weightGradient(context: ForwardContext, gradient: WeightGradient): void {
  const { path, dy, x, weight } = gradient;
  const { recorder, accumulate, fused, update } = context;
  const bias = gradient.bias !== undefined && context.trains(gradient.bias) ? gradient.bias : undefined;
  const sumBias = (rows: Tensor) => {
    if (bias !== undefined)
      columnSum(recorder, {
        label: `${path}.backward.dbias`,
        x: rows,
        out: context.gradient(bias),
        accumulate,
      });
  };
  if (!context.trains(weight)) {
    if (bias !== undefined) sumBias(rowSumsOf(recorder, `${path}.backward.dbias.parts`, dy));
    return;
  }
  const [rows, out] = dy.shape as [number, number];
  const into = x.shape[1] as number;
  const { device } = recorder;
  // A core that cannot store rows of an odd length, but would be the faster one, makes the transpose of dW.
  const turned = matmulCore(device, into) !== matmulCore(device, out) && into % 2 === 1;
  const chunk = chunkOf(out, into, rows) ?? (turned ? 64 * Math.ceil(rows / 64) : undefined);
  const product = { a: dy, aTransposed: true, b: x };
  if (chunk === undefined && update !== undefined) {
    matmul(recorder, {
      label: `${path}.backward.update`,
      ...product,
      out: matrixOf(context.value(weight), out),
      ...(bias === undefined ? {} : { rowSums: context.value(bias) }),
      sgd: update,
    });
    update.done(weight, ...(bias === undefined ? [] : [bias]));
    return;
  }
  const label = `${path}.backward.dweight`;
  const dbias = bias === undefined ? undefined : context.gradient(bias);
  if (chunk === undefined) {
    const rowSums = fused && dbias !== undefined ? { rowSums: dbias } : {};
    matmul(recorder, {
      label,
      ...product,
      ...rowSums,
      out: matrixOf(context.gradient(weight), out),
      accumulate,
    });
    if (!fused) sumBias(dy);
    return;
  }
  const addUp = (name: string, parts: Tensor, sum: Tensor) => {
    const count = parts.shape[0] as number;
    const x = reshape(parts, [count, elementCount(parts.shape) / count]);
    columnSum(recorder, { label: `${path}.backward.${name}`, x, out: sum, accumulate });
  };
  const chunks = { label: `${label}.chunks`, chunk };
  if (turned) {
    const parts = matmul(recorder, { ...chunks, a: x, aTransposed: true, b: dy });
    addUp('dweight', transpose(recorder, { label: `${label}.turned`, x: parts }), context.gradient(weight));
    if (dbias !== undefined) addUp('dbias', rowSumsOf(recorder, `${path}.backward.dbias.parts`, dy), dbias);
    return;
  }
  const rowSums =
    dbias === undefined
      ? undefined
      : recorder.tensor(`${path}.backward.dbias.chunks`, [Math.ceil(rows / chunk), out]);
  addUp(
    'dweight',
    matmul(recorder, { ...chunks, ...product, ...(rowSums && { rowSums }) }),
    context.gradient(weight),
  );
  if (dbias !== undefined && rowSums !== undefined) addUp('dbias', rowSums, dbias);
}

/** Sums of some of many rows each, [parts, columns]: as many parts as rows in a part, or nearly so. */
function rowSumsOf(recorder: Recorder, label: string, x: Tensor): Tensor {
  const [rows, columns] = x.shape as [number, number];
  const parts = partsOf(rows);
  if (parts === 1) return x;
  const sums = columnSum(recorder, { label, x: reshape(x, [rows / parts, parts * columns]) });
  return reshape(sums, [parts, columns]);
}

/** A divisor of `rows`, the first from their square root on: then both stages are short. */
function partsOf(rows: number): number {
  for (let parts = Math.ceil(Math.sqrt(rows)); parts <= fewRows; parts++)
    if (rows % parts === 0) return parts;
  return 1;
}

/** A weight of any shape as [out, in]. */
const matrixOf = (tensor: Tensor, out: number): Tensor =>
  reshape(tensor, [out, elementCount(tensor.shape) / out]);
