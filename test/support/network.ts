// A whole network in float64 on the host: linear layers with ReLU between them and mean cross-entropy, with the gradient
// of every parameter and a bound on what float32 may make of it.

import { type Bounded, u } from '../../src/ops/reference.ts';

/** Weights [out, in] and biases of a linear layer. */
export interface HostLinear {
  readonly weight: ArrayLike<number>;
  readonly bias: ArrayLike<number>;
  readonly inputs: number;
  readonly outputs: number;
}

/** Loss and gradients by layer: `[dWeight, dBias]`. */
export interface HostGradients {
  readonly loss: number;
  readonly gradients: readonly (readonly [Bounded[], Bounded[]])[];
  /** Smallest |pre-activation| of a hidden unit: rounding must not carry one across the kink of the ReLU. */
  readonly kinkDistance: number;
}

type Rows = number[][];

const linearForward = (x: Rows, { weight, bias, inputs, outputs }: HostLinear, absolute: boolean): Rows => {
  const f = absolute ? Math.abs : (v: number) => v;
  return x.map((row) =>
    Array.from({ length: outputs }, (_, o) => {
      let sum = f(bias[o] as number);
      for (let i = 0; i < inputs; i++) sum += (row[i] as number) * f(weight[o * inputs + i] as number);
      return sum;
    }),
  );
};

/**
 * The logits of `layers` for rows of `x`, [rows, classes]. Their bound: 4·K·u for each sum of K products on the way, and
 * `more` roundings besides, of the same sums with every factor's absolute value.
 */
export function hostLogits(layers: readonly HostLinear[], x: Rows, more = 0): Bounded[] {
  let value = x;
  let magnitude = x.map((row) => row.map(Math.abs));
  layers.forEach((layer, l) => {
    value = linearForward(value, layer, false);
    magnitude = linearForward(magnitude, layer, true);
    if (l < layers.length - 1) value = value.map((row) => row.map((v) => Math.max(0, v)));
  });
  const roundings = more + 4 * layers.reduce((sum, { inputs }) => sum + inputs + 1, 0);
  return value.flatMap((row, r) =>
    row.map((v, c) => ({ value: v, bound: roundings * u * ((magnitude[r] as number[])[c] as number) })),
  );
}

/**
 * Forward and backward of `layers` on rows of `x`. The bound of a gradient is γ times the same sums with every factor's
 * absolute value, where γ counts the roundings on the way: 4·K·u for each sum of K products, 128·u for exp and log.
 */
export function hostGradients(
  layers: readonly HostLinear[],
  x: Rows,
  targets: readonly number[],
): HostGradients {
  const rows = x.length;
  const inputs: Rows[] = [];
  const masks: boolean[][][] = [];
  const magnitudes: Rows[] = [];
  let value = x;
  let magnitude = x.map((row) => row.map(Math.abs));
  let kinkDistance = Number.POSITIVE_INFINITY;
  layers.forEach((layer, l) => {
    inputs.push(value);
    magnitudes.push(magnitude);
    value = linearForward(value, layer, false);
    magnitude = linearForward(magnitude, layer, true);
    if (l === layers.length - 1) return;
    masks.push(value.map((row) => row.map((v) => v > 0)));
    for (const row of value) for (const v of row) kinkDistance = Math.min(kinkDistance, Math.abs(v));
    value = value.map((row) => row.map((v) => Math.max(0, v)));
  });
  let loss = 0;
  const softmax = value.map((row, r) => {
    const largest = Math.max(...row);
    const exps = row.map((v) => Math.exp(v - largest));
    const sum = exps.reduce((a, b) => a + b, 0);
    loss += (Math.log(sum) + largest - (row[targets[r] as number] as number)) / rows;
    return exps.map((e) => e / sum);
  });
  const hot = (r: number, j: number) => (targets[r] === j ? 1 : 0);
  let d = softmax.map((row, r) => row.map((p, j) => (p - hot(r, j)) / rows));
  let dMagnitude = softmax.map((row, r) => row.map((p, j) => (p + hot(r, j)) / rows));
  const roundings = 128 + 4 * (rows + layers.reduce((sum, layer) => sum + layer.inputs + layer.outputs, 0));

  const gradients: [Bounded[], Bounded[]][] = [];
  for (let l = layers.length - 1; l >= 0; l--) {
    const { weight, inputs: ni, outputs: no } = layers[l] as HostLinear;
    const [xs, xMagnitudes] = [inputs[l] as Rows, magnitudes[l] as Rows];
    const sumRows = (of: (r: number) => number) =>
      Array.from({ length: rows }, (_, r) => of(r)).reduce((a, b) => a + b, 0);
    const bounded = (of: (r: number) => number, ofMagnitude: (r: number) => number): Bounded => ({
      value: sumRows(of),
      bound: roundings * u * sumRows(ofMagnitude),
    });
    const at = (m: Rows, r: number, c: number) => (m[r] as number[])[c] as number;
    const [dNow, dMagnitudeNow] = [d, dMagnitude];
    gradients.unshift([
      Array.from({ length: no * ni }, (_, c) => {
        const [o, i] = [Math.floor(c / ni), c % ni];
        return bounded(
          (r) => at(dNow, r, o) * at(xs, r, i),
          (r) => at(dMagnitudeNow, r, o) * at(xMagnitudes, r, i),
        );
      }),
      Array.from({ length: no }, (_, o) =>
        bounded(
          (r) => at(dNow, r, o),
          (r) => at(dMagnitudeNow, r, o),
        ),
      ),
    ]);
    if (l === 0) break;
    const mask = masks[l - 1] as boolean[][];
    const back = (m: Rows, absolute: boolean): Rows =>
      m.map((row, r) =>
        Array.from({ length: ni }, (_, i) => {
          if (!(mask[r] as boolean[])[i]) return 0;
          let sum = 0;
          for (let o = 0; o < no; o++) {
            const w = weight[o * ni + i] as number;
            sum += (row[o] as number) * (absolute ? Math.abs(w) : w);
          }
          return sum;
        }),
      );
    d = back(d, false);
    dMagnitude = back(dMagnitude, true);
  }
  return { loss, gradients, kinkDistance };
}
