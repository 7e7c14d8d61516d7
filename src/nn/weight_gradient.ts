// dW = dYᵀ·X and db = Σ rows of dY over any number of rows: whole in one kernel while they are few, else in chunks that
// workgroups sum on their own and column sums add up, always in the same order.

import type { Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { columnSum } from '../ops/column_sum.ts';
import { matmul } from '../ops/matmul.ts';
import { type ForwardContext, type Parameter, reshape } from './layer.ts';

/** What a weight's gradient is made of. */
export interface WeightGradient {
  /** Labels start with it. */
  readonly path: string;
  /** The gradient by the output, [rows, out]. */
  readonly dy: Tensor;
  /** The input, [rows, in]. */
  readonly x: Tensor;
  /** Of out × in elements; undefined when its gradient is not wanted. */
  readonly weight: Parameter | undefined;
  /** [out]; undefined likewise, or when there is none. */
  readonly bias: Parameter | undefined;
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
 * Records the gradients of weight and bias, as far as these are trained, or where `context.update` allows it and one kernel
 * makes them, the update by them.
 */
export function weightGradient(context: ForwardContext, gradient: WeightGradient): void {
  const trained = (parameter: Parameter | undefined) =>
    parameter !== undefined && context.trains(parameter) ? parameter : undefined;
  const of = { ...gradient, weight: trained(gradient.weight), bias: trained(gradient.bias) };
  const { recorder, accumulate, fused, update } = context;
  const { path, dy, x, weight, bias } = of;
  if (weight === undefined) {
    biasGradient(context, of);
    return;
  }
  const [rows, out] = dy.shape as [number, number];
  const into = x.shape[1] as number;
  const chunk = chunkOf(out, into, rows);
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
  const dweight = context.gradient(weight);
  // One kernel makes both where it may.
  const together = fused && bias !== undefined;
  if (!together) biasGradient(context, of);
  if (chunk === undefined) {
    const rowSums = together ? { rowSums: context.gradient(bias) } : {};
    matmul(recorder, { label, ...product, ...rowSums, out: matrixOf(dweight, out), accumulate });
    return;
  }
  const chunks = { label: `${label}.chunks`, chunk };
  if (!together) {
    addUp(context, label, matmul(recorder, { ...chunks, ...product }), dweight);
    return;
  }
  const rowSums = recorder.tensor(`${path}.backward.dbias.chunks`, [Math.ceil(rows / chunk), out]);
  addUp(context, label, matmul(recorder, { ...chunks, ...product, rowSums }), dweight);
  addUp(context, `${path}.backward.dbias`, rowSums, context.gradient(bias));
}

/** The sum of parts, along their first axis, into `out`. */
function addUp({ recorder, accumulate }: ForwardContext, label: string, parts: Tensor, out: Tensor): void {
  const count = parts.shape[0] as number;
  const x = reshape(parts, [count, elementCount(parts.shape) / count]);
  columnSum(recorder, { label, x, out, accumulate });
}

/** The bias's alone, in two stages where one workgroup would have too many rows. */
function biasGradient(context: ForwardContext, { path, dy, bias }: WeightGradient): void {
  if (bias === undefined) return;
  const label = `${path}.backward.dbias`;
  const many = (dy.shape[0] as number) > fewRows;
  const parts = many ? rowSumsOf(context.recorder, `${label}.parts`, dy) : dy;
  addUp(context, label, parts, context.gradient(bias));
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
