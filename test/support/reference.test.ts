// The float64 references that the GPU is held to, themselves held to central differences: the pullback of each op, and
// the whole network.

import { describe, expect, it } from 'vitest';
import * as reference from '../../src/ops/reference.ts';
import { floats, integers } from './data.ts';
import { type HostLinear, hostGradients } from './network.ts';

it('gives the gradients that central differences of the loss give', () => {
  const sizes = [5, 7, 4, 3];
  const layers = sizes.slice(1).map((outputs, l): HostLinear => {
    const inputs = sizes[l] as number;
    return {
      weight: [...floats(outputs * inputs, l + 1)],
      bias: [...floats(outputs, l + 9)],
      inputs,
      outputs,
    };
  });
  const x = Array.from({ length: 6 }, (_, r) => [...floats(5, 20 + r)]);
  const targets = [...integers(6, 30, 3)];
  const { gradients, kinkDistance } = hostGradients(layers, x, targets);
  const h = 1e-6;
  expect(kinkDistance).toBeGreaterThan(100 * h);
  layers.forEach((layer, l) => {
    (['weight', 'bias'] as const).forEach((name, p) => {
      gradients[l]?.[p]?.forEach(({ value }, i) => {
        const moved = (by: number) => {
          const values = Array.from(layer[name], (v, c) => (c === i ? v + by : v));
          return hostGradients(layers.with(l, { ...layer, [name]: values }), x, targets).loss;
        };
        // The differences' own error: h²·f‴/6 and roundoff 2⁻⁵³/h.
        expect(Math.abs((moved(h) - moved(-h)) / (2 * h) - value)).toBeLessThan(1e-8);
      });
    });
  });
});

/** Σ g·y: a function of one number whose gradient by x is the pullback of g. */
const dot = (g: ArrayLike<number>, y: readonly number[]) =>
  y.reduce((sum, v, i) => sum + (g[i] as number) * v, 0);
const values = (bounded: readonly reference.Bounded[]) => bounded.map(({ value }) => value);

/** Expects `gradient` to be what central differences of `f` at `x` give, within their own error: h²·f‴/6 and roundoff/h. */
function expectGradient(f: (x: number[]) => number, x: ArrayLike<number>, gradient: readonly number[]): void {
  const h = 1e-5;
  expect(gradient).toHaveLength(x.length);
  gradient.forEach((value, i) => {
    const moved = (by: number) => f(Array.from(x, (v, c) => (c === i ? v + by : v)));
    expect(Math.abs((moved(h) - moved(-h)) / (2 * h) - value), `element ${i}`).toBeLessThan(1e-8);
  });
}

describe('the pullback of', () => {
  const [rows, columns, inner] = [5, 4, 3];
  const x = [...floats(rows * columns, 1, -2, 2)];
  const g = [...floats(rows * columns, 2)];
  const targets = [...integers(rows, 3, columns)];

  it('a product, by both of its operands', () => {
    const [a, b] = [[...floats(rows * inner, 4)], [...floats(inner * columns, 5)]];
    const { matmul, matrix } = reference;
    const product = (left: number[], right: number[]) =>
      values(matmul(matrix(left, rows, inner), matrix(right, inner, columns)));
    const dA = values(matmul(matrix(g, rows, columns), matrix(b, columns, inner, true)));
    const dB = values(matmul(matrix(a, inner, rows, true), matrix(g, rows, columns)));
    expectGradient((moved) => dot(g, product(moved, b)), a, dA);
    expectGradient((moved) => dot(g, product(a, moved)), b, dB);
  });

  it('a bias', () => {
    const bias = [...floats(columns, 6)];
    const added = (moved: number[]) => x.map((v, i) => v + (moved[i % columns] as number));
    expectGradient((moved) => dot(g, added(moved)), bias, values(reference.columnSum(g, rows, columns)));
  });

  it('a rectifier', () => {
    const rectified = (moved: readonly number[]) =>
      moved.map((value) => reference.relu({ value, bound: 0 }).value);
    const y = rectified(x);
    const dx = g.map((value, i) => reference.masked({ value, bound: 0 }, y[i] as number).value);
    expect(Math.min(...x.map(Math.abs))).toBeGreaterThan(1e-4); // none at the kink
    expectGradient((moved) => dot(g, rectified(moved)), x, dx);
  });

  it('log-softmax', () => {
    const y = reference.logSoftmax(x, rows, columns);
    const dx = values(reference.logSoftmaxBackward(g, y, rows, columns));
    expectGradient((moved) => dot(g, reference.logSoftmax(moved, rows, columns)), x, dx);
  });

  it.each([rows, 3])('the mean NLL and cross-entropy of %i valid rows', (valid) => {
    const nll = (moved: number[]) => {
      const losses = values(reference.nllLoss(moved, targets, rows, columns, valid));
      return reference.meanLoss(losses, valid).value;
    };
    expectGradient(nll, x, values(reference.nllLossBackward(targets, rows, columns, valid)));
    const crossEntropy = (moved: number[]) => nll(reference.logSoftmax(moved, rows, columns));
    const { rowLoss, gradient } = reference.crossEntropy(x, targets, rows, columns, valid, 2);
    expect(reference.meanLoss(values(rowLoss), valid).value).toBeCloseTo(crossEntropy(x), 14);
    expectGradient(crossEntropy, x, values(gradient));
  });
});

describe('compare', () => {
  it('counts what is outside of its bound, and takes a NaN only where one belongs', () => {
    const { compare, within } = reference;
    expect(compare([1, 2, 3], within([1, 2.5, 3], 1))).toEqual({
      worst: 0.5,
      error: 0.5,
      wrong: 0,
      first: -1,
    });
    expect(compare([1, 4, 9], within([1, 2, 3], 1))).toEqual({ worst: 6, error: 6, wrong: 2, first: 1 });
    expect(compare([Number.NaN], within([Number.NaN], 0))).toMatchObject({ wrong: 0, worst: 0 });
    for (const [found, expected] of [
      [Number.NaN, 1],
      [1, Number.NaN],
      [Number.POSITIVE_INFINITY, 1],
    ]) {
      const result = compare([found as number], within([expected as number], 1));
      expect(result).toMatchObject({ wrong: 1, first: 0, worst: Number.POSITIVE_INFINITY });
    }
    expect(compare([], within([1], 1)).wrong).toBe(1); // what is missing is wrong
  });
});
