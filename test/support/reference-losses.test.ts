// The float64 references of the losses held to central differences.

import { describe, expect, it } from 'vitest';
import { type PointwiseKind, pointwiseKinds } from '../../src/ops/pointwise_loss.ts';
import * as reference from '../../src/ops/reference.ts';
import { floats, integers } from './data.ts';

const h = 1e-5;
const scale = 0.5;
const [rows, columns, valid] = [5, 4, 4];
const values = (bounded: readonly reference.Bounded[]) => bounded.map(({ value }) => value);
const total = (bounded: readonly reference.Bounded[]) => scale * values(bounded).reduce((a, b) => a + b, 0);

/** Expects `gradient` to be what central differences of `f` at `x` give, within their own error: h²·f‴/6 and roundoff/h. */
function expectGradient(f: (x: number[]) => number, x: readonly number[], gradient: readonly number[]): void {
  expect(gradient).toHaveLength(x.length);
  gradient.forEach((value, i) => {
    const moved = (by: number) => f(x.with(i, (x[i] as number) + by));
    expect(Math.abs((moved(h) - moved(-h)) / (2 * h) - value), `element ${i}`).toBeLessThan(1e-8);
  });
}

describe.each([false, true])('the gradient of cross-entropy, of log-probabilities %s', (log) => {
  it.each([
    { probabilities: false, smoothing: 0 },
    { probabilities: false, smoothing: 0.3, ignored: 2 },
    { probabilities: true, smoothing: 0 },
    { probabilities: true, smoothing: 0.3 },
  ])('is what central differences give, %o', (options) => {
    const x = [...floats(rows * columns, 1, -3, log ? 0 : 3)];
    const targets = options.probabilities ? floats(rows * columns, 2, 0, 1) : integers(rows, 3, columns);
    for (const weight of [undefined, floats(columns, 4, 0, 2)]) {
      const facts = { rows, columns, valid, scale, weight, log, ...options };
      const f = (moved: number[]) => total(reference.softCrossEntropy(moved, targets, facts).rowLoss);
      expectGradient(f, x, values(reference.softCrossEntropy(x, targets, facts).gradient));
    }
  });
});

it('cross-entropy without options is that of the kernels made for it', () => {
  const x = [...floats(rows * columns, 1, -3, 3)];
  const targets = integers(rows, 3, columns);
  const facts = { rows, columns, valid, scale: 1 / valid };
  const soft = reference.softCrossEntropy(x, targets, facts);
  const plain = reference.crossEntropy(x, targets, rows, columns, valid, 3);
  for (const part of ['rowLoss', 'gradient'] as const)
    soft[part].forEach(({ value }, i) => {
      expect(value).toBeCloseTo(plain[part][i]?.value as number, 14);
    });
});

describe.each(Object.keys(pointwiseKinds) as PointwiseKind[])('the gradient of %s', (kind) => {
  it('is what central differences give', () => {
    const x = [...floats(rows * columns, 5, -3, 3)];
    const targets = floats(rows * columns, 6, 0, 1);
    const edge = 0.7;
    for (const weight of kind === 'bceWithLogits' ? [undefined, floats(columns, 4, 0, 3)] : [undefined]) {
      const facts = { rows, columns, valid, scale, edge, weight };
      x.forEach((v, i) => {
        const size = Math.abs(v - (targets[i] as number));
        expect(Math.min(size, Math.abs(size - edge)), 'none at a kink').toBeGreaterThan(2 * h);
      });
      const f = (moved: number[]) => total(reference.pointwiseLoss(kind, moved, targets, facts).rowLoss);
      expectGradient(f, x, values(reference.pointwiseLoss(kind, x, targets, facts).gradient));
    }
  });
});
