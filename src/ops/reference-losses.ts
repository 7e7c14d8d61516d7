// What the losses with options and the pointwise losses should compute, in float64 on the host, with a bound for every
// element. The bounds count roundings in units of u: + and × give 1, ÷ is within 2.5 ULP, 5u, exp(a) within 3 + 2·|a| ULP
// of 2u, log within 3 ULP or 2⁻²¹.

import type { PointwiseKind } from './pointwise_loss.ts';
import { type Bounded, u } from './reference.ts';

/** WGSL lets what is smaller be flushed to 0. */
const smallest = 2 ** -126;

/** Relative error of exp(a) where float32 has a result above 0, as it has down to a = -104. */
const expError = (a: number) => (3 + 2 * Math.min(Math.abs(a), 110)) * 2 * u;

/** Room for the products of two errors, which the bounds leave out: errors are below 1e-4. */
const secondOrder = 1.001;

/** What soft_cross_entropy.wgsl is given besides its arrays. */
export interface SoftCrossEntropyFacts {
  readonly rows: number;
  readonly columns: number;
  /** Rows that hold data. */
  readonly valid: number;
  /** What the gradient is multiplied by. */
  readonly scale: number;
  /** How much is spread over all classes, 0 … 1. Default 0. */
  readonly smoothing?: number;
  /** A class whose rows count 0. */
  readonly ignored?: number | undefined;
  /** [columns]. Default: all 1. */
  readonly weight?: ArrayLike<number> | undefined;
  /** Whether x holds log-probabilities. */
  readonly log?: boolean;
  /** Whether targets are probabilities, [rows, columns]. */
  readonly probabilities?: boolean;
}

const sumOf = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);

/** log p and p of a row of logits. The difference from the largest rounds, which moves exp by as much. */
function logSoftmaxRow(x: readonly number[]): { log: Bounded[]; p: Bounded[] } {
  const largest = x.reduce((most, v) => Math.max(most, v));
  const distance = x.map((v) => largest - v);
  const exps = distance.map((d) => Math.exp(-d));
  const errors = distance.map((d) => expError(d) + u * Math.min(d, 110));
  const sum = sumOf(exps);
  const ofSum = sumOf(exps.map((e, j) => e * (errors[j] as number))) / sum + x.length * u;
  const logSum = Math.log(sum);
  const ofLog = ofSum + Math.max(6 * u * logSum, 2 ** -21);
  return {
    log: distance.map((d) => ({ value: -d - logSum, bound: u * d + ofLog + u * (d + logSum) })),
    p: exps.map((e, j) => ({
      value: e / sum,
      bound: (e / sum) * ((errors[j] as number) + ofSum + 5 * u) + smallest,
    })),
  };
}

/** Row losses and the gradient of their sum times `scale`: see soft_cross_entropy.wgsl. */
export function softCrossEntropy(
  x: ArrayLike<number>,
  targets: ArrayLike<number>,
  facts: SoftCrossEntropyFacts,
): { rowLoss: Bounded[]; gradient: Bounded[] } {
  const { rows, columns, valid, weight, ignored, log = false, probabilities = false, smoothing = 0 } = facts;
  const [keep, spread] = [Math.fround(1 - smoothing), Math.fround(smoothing / columns)];
  const scale = Math.fround(facts.scale);
  const rowLoss: Bounded[] = [];
  const gradient: Bounded[] = [];
  for (let i = 0; i < rows; i++) {
    const row = Array.from({ length: columns }, (_, j) => x[i * columns + j] as number);
    if (i >= valid || (!probabilities && targets[i] === ignored)) {
      rowLoss.push({ value: 0, bound: 0 });
      gradient.push(...row.map(() => ({ value: 0, bound: 0 })));
      continue;
    }
    const q = row.map((_, j): Bounded => {
      const truth = probabilities ? (targets[i * columns + j] as number) : targets[i] === j ? 1 : 0;
      const w = weight === undefined ? 1 : (weight[j] as number);
      const value = w * (keep * truth + spread);
      const magnitude = w * (Math.abs(keep * truth) + spread);
      return { value, bound: 3 * u * magnitude + smallest * w };
    });
    const { log: logs, p } = log
      ? { log: row.map((value) => ({ value, bound: 0 })), p: row.map(() => ({ value: 0, bound: 0 })) }
      : logSoftmaxRow(row);
    const total = sumOf(q.map(({ value }) => value));
    const totalBound = sumOf(q.map(({ value, bound }) => bound + columns * u * Math.abs(value)));
    let [loss, lossBound] = [0, 0];
    q.forEach(({ value, bound }, j) => {
      const of = logs[j] as Bounded;
      if (value === 0) return;
      loss -= value * of.value;
      const rounding = (columns + 1) * u * Math.abs(value * of.value);
      lossBound += Math.abs(value) * of.bound + bound * Math.abs(of.value) + rounding + smallest;
    });
    rowLoss.push({ value: loss, bound: secondOrder * lossBound });
    q.forEach(({ value, bound }, j) => {
      const of = p[j] as Bounded;
      const d = of.value * total - value;
      const product = of.bound * Math.abs(total) + of.value * totalBound + u * Math.abs(of.value * total);
      const rounding = log ? u * Math.abs(d) : 2 * u * Math.abs(d);
      const error = (log ? 0 : product) + bound + rounding;
      gradient.push({ value: d * scale, bound: secondOrder * scale * error + smallest });
    });
  }
  return { rowLoss, gradient };
}

/**
 * Relative error, in u, of log(1 + exp(-|x|)) by the series of pointwise_loss.wgsl, besides that of exp, which it does not widen:
 * s = e / (2 + e) within 6u moves the result by up to 1.09 times as much, its square and the last step of the series
 * round by 1.2u, the product by 1u, and what the series leaves out is 2.6u.
 */
const log1pRoundings = 12;

/** log(1 + exp(x)) */
function softplus(x: number): Bounded {
  const rest = Math.log1p(Math.exp(-Math.abs(x)));
  const value = Math.max(x, 0) + rest;
  return { value, bound: rest * (expError(x) + log1pRoundings * u) + u * value + smallest };
}

/** 1 / (1 + exp(-x)), whose error is that of exp as far as it depends on it, of a sum and of a quotient. */
function logistic(x: number): Bounded {
  const value = 1 / (1 + Math.exp(-x));
  return { value, bound: value * (expError(x) / (1 + Math.exp(x)) + 6 * u) + smallest };
}

/** Loss of an element and its derivative. `edge` and `positive` as float32 holds them. */
export function pointwiseElement(
  kind: PointwiseKind,
  x: number,
  target: number,
  edge = 1,
  positive = 1,
): { loss: Bounded; slope: Bounded } {
  const d = x - target;
  const [size, side] = [Math.abs(d), Math.sign(d)];
  const relative = (value: number, roundings: number): Bounded => ({
    value,
    bound: roundings * u * Math.abs(value) + smallest,
  });
  switch (kind) {
    case 'mse':
      return { loss: relative(d * d, 3), slope: relative(2 * d, 1) };
    case 'l1':
      return { loss: relative(size, 1), slope: { value: side, bound: 0 } };
    case 'smoothL1': {
      // Where rounding takes the other branch, at the edge, both and their slopes agree but for the roundings counted here.
      if (size < edge) return { loss: relative((d * d) / (2 * edge), 9), slope: relative(d / edge, 7) };
      const loss = size - edge / 2;
      return {
        loss: { value: loss, bound: u * (size + loss) + smallest },
        slope: { value: side, bound: 2 * u },
      };
    }
    case 'huber': {
      if (size < edge) return { loss: relative((d * d) / 2, 4), slope: relative(d, 2) };
      const inner = size - edge / 2;
      const bound = edge * u * (size + 2 * inner) + smallest * (1 + edge);
      return { loss: { value: edge * inner, bound }, slope: relative(edge * side, 2) };
    }
    case 'bceWithLogits': {
      const terms = (yes: Bounded, no: Bounded, sign: 1 | -1): Bounded => {
        const [a, b] = [positive * target, 1 - target];
        const value = b * no.value + sign * a * yes.value;
        const ofYes = Math.abs(a) * (yes.bound + 2 * u * yes.value) + smallest * yes.value;
        const ofNo = Math.abs(b) * (no.bound + 2 * u * no.value);
        return { value, bound: secondOrder * (ofYes + ofNo) + u * Math.abs(value) + smallest };
      };
      return {
        loss: terms(softplus(-x), softplus(x), 1),
        slope: terms(logistic(-x), logistic(x), -1),
      };
    }
  }
}

/** What pointwise_loss.wgsl is given besides its arrays. */
export interface PointwiseFacts {
  readonly rows: number;
  readonly columns: number;
  /** Rows that hold data. */
  readonly valid: number;
  /** What the gradient is multiplied by. */
  readonly scale: number;
  readonly edge?: number;
  /** [columns]. Default: all 1. */
  readonly weight?: ArrayLike<number> | undefined;
  /** Whether a row's loss is the mean over its elements. */
  readonly mean?: boolean;
}

/** Row losses and the gradient of the sum of all elements' times `scale`. */
export function pointwiseLoss(
  kind: PointwiseKind,
  x: ArrayLike<number>,
  target: ArrayLike<number>,
  facts: PointwiseFacts,
): { rowLoss: Bounded[]; gradient: Bounded[] } {
  const { rows, columns, valid, weight, mean = false } = facts;
  const [edge, scale] = [Math.fround(facts.edge ?? 1), Math.fround(facts.scale)];
  const share = mean ? Math.fround(1 / columns) : 1;
  // Each strand adds up its own, then they are added in a tree. To add nothing rounds nothing.
  const additions = Math.min(columns - 1, Math.ceil(columns / 64) + 5);
  const rowLoss: Bounded[] = [];
  const gradient: Bounded[] = [];
  for (let i = 0; i < rows; i++) {
    let [sum, bound, magnitude] = [0, 0, 0];
    for (let j = i * columns; j < (i + 1) * columns; j++) {
      if (i >= valid) {
        gradient.push({ value: 0, bound: 0 });
        continue;
      }
      const positive = weight === undefined ? 1 : (weight[j % columns] as number);
      const { loss, slope } = pointwiseElement(kind, x[j] as number, target[j] as number, edge, positive);
      sum += loss.value;
      bound += loss.bound;
      magnitude += Math.abs(loss.value);
      const value = slope.value * scale;
      gradient.push({
        value,
        bound: scale * slope.bound + u * Math.abs(value) + (value === 0 ? 0 : smallest),
      });
    }
    const of = share * (bound + additions * u * magnitude) + u * Math.abs(share * sum);
    rowLoss.push({ value: share * sum, bound: i < valid ? secondOrder * of : 0 });
  }
  return { rowLoss, gradient };
}
