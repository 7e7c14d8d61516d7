// The float64 references of activations and softmax held to central differences, and Φ to known values.

import { describe, expect, it } from 'vitest';
import { type ActivationKind, activationKinds } from '../../src/ops/activation.ts';
import * as reference from '../../src/ops/reference.ts';
import { floats } from './data.ts';

const h = 1e-5;
/** The differences' own error: h²·f‴/6 and roundoff/h. */
const error = 1e-8;

describe.each(Object.keys(activationKinds) as ActivationKind[])('the derivative of %s', (kind) => {
  it('is what central differences give', () => {
    const f = (x: number) => reference.activation(kind, x, 0.2).value;
    for (const x of [...floats(100, 3, -8, 8), 0.5, -0.5, 1.5, -1.5, 15, -15]) {
      const by = { x, y: f(x) };
      const { value } = reference.activationBackward(kind, 0.75, by, 0.2);
      expect(Math.abs((0.75 * (f(x + h) - f(x - h))) / (2 * h) - value), `at ${x}`).toBeLessThan(error);
    }
  });
});

it('the derivative of softmax is what central differences give', () => {
  const [rows, columns] = [4, 5];
  const x = [...floats(rows * columns, 1, -2, 2)];
  const g = floats(rows * columns, 2);
  const f = (moved: number[]) =>
    reference.softmax(moved, rows, columns).reduce((sum, { value }, i) => sum + (g[i] as number) * value, 0);
  const y = reference.softmax(x, rows, columns).map(({ value }) => value);
  reference.softmaxBackward(g, y, rows, columns).forEach(({ value }, i) => {
    const moved = (by: number) => f(x.with(i, (x[i] as number) + by));
    expect(Math.abs((moved(h) - moved(-h)) / (2 * h) - value), `element ${i}`).toBeLessThan(error);
  });
});

it.each([
  // By Python's math.erfc.
  [0, 0.5],
  [1, 0.841344746068543],
  [-1, 0.158655253931457],
  [-2.5, 0.00620966532577614],
  [2.5, 0.993790334674224],
  [-3, 0.00134989803163009],
  [-6, 9.86587645037698e-10],
  [-10, 7.61985302416053e-24],
])('Φ(%d) is %d', (x, value) => {
  expect(Math.abs(reference.normalDistribution(x) / value - 1)).toBeLessThan(1e-12);
});
