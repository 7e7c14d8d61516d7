// What the activation and softmax kernels should compute, in float64 on the host, with a bound for every element. The
// bounds count roundings in units of u: + and × give 1, ÷ is within 2.5 ULP, 5u, and exp(a) within 3 + 2·|a| ULP of 2u.

import type { ActivationKind } from './activation.ts';
import { type Bounded, u } from './reference.ts';

/** WGSL lets what is smaller be flushed to 0. */
const smallest = 2 ** -126;

/** Relative error of exp(a) where float32 has a result above 0, as it has down to a = -104. */
const expError = (a: number) => (3 + 2 * Math.min(Math.abs(a), 110)) * 2 * u;

/** Logistic function. */
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** Relative error of σ(x) by e = exp(-|x|): of e, as far as σ depends on it (1 - σ), of the sum and of the quotient. */
const sigmoidError = (x: number) => sigmoid(-x) * expError(x) + 6 * u;

/** 1 - erf(x) for x ≥ 0, within 1e-15: a series of positive terms, and further out Lentz's continued fraction. */
function erfc(x: number): number {
  const scale = Math.exp(-x * x);
  if (x < 2) {
    let [term, sum] = [x, x];
    for (let n = 1; term > 1e-18 * sum; n++) {
      term *= (2 * x * x) / (2 * n + 1);
      sum += term;
    }
    return 1 - (2 / Math.sqrt(Math.PI)) * scale * sum;
  }
  let fraction = x;
  for (let n = 200; n > 0; n--) fraction = x + n / 2 / fraction;
  return scale / (fraction * Math.sqrt(Math.PI));
}

/** The standard normal distribution function. */
export function normalDistribution(x: number): number {
  const tail = erfc(Math.abs(x) / Math.SQRT2) / 2;
  return x < 0 ? tail : 1 - tail;
}

/**
 * Absolute error of Φ(x). Near 0: erf within 1 ULP, its argument's roundings, the sum. Beyond: Φ(-|x|) = exp(r)/2 with r
 * a polynomial of degree 7 of which Σ|terms| ≤ 2·|r|; each of its steps rounds twice, and |x|/√2 does, by which r changes
 * at most twice as much. It approximates Φ within 1.1e-8, and within 7e-5 of itself down to Φ(-5.6).
 */
function distributionError(x: number): number {
  if (Math.abs(x) < 1.31) return 4 * u;
  const tail = normalDistribution(-Math.abs(x));
  const r = Math.min(-Math.log(2 * tail), 110);
  const approximation = Math.min(1.1e-8, Math.abs(x) < 5.6 ? 7e-5 * tail : tail);
  const ofTail = tail * (expError(r) + (2 * 7 * 2 + 2 * 2) * u * r) + approximation;
  return ofTail + (x > 0 ? u : 0) + (Math.abs(x) < 15 ? smallest : 0);
}

const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** w of the GELU by tanh, x · σ(w), and dw/dx: sums of terms of one sign, so that 5u bounds their relative errors. */
const geluTanhInner = (x: number) => {
  const [a, b] = [Math.sqrt(8 / Math.PI), Math.sqrt(8 / Math.PI) * 0.044715];
  return { w: a * x + b * x ** 3, slope: a + 3 * b * x * x };
};

/** x · g, with infinities as PyTorch has them: what is no number in IEEE 754 asks for a NaN. */
const product = (x: number, g: number, relative: number): Bounded => {
  const value = x * g;
  if (!Number.isFinite(value)) return { value, bound: 0 };
  return { value, bound: Math.abs(value) * relative + smallest * (1 + Math.min(Math.abs(x), 110)) };
};

/** f(x) of a kind and the error allowed around it. `slope` is that of the leaky ReLU, as float32 holds it. */
export function activation(kind: ActivationKind, x: number, slope = 0): Bounded {
  switch (kind) {
    case 'leakyRelu':
      return product(x, x > 0 ? 1 : slope, x > 0 ? 0 : u);
    case 'gelu': {
      const g = normalDistribution(x);
      if (!Number.isFinite(x)) return product(x, g, 0);
      return { value: x * g, bound: Math.abs(x) * (distributionError(x) + u * g) + smallest };
    }
    case 'geluTanh': {
      const { w } = geluTanhInner(x);
      const error = sigmoid(-w) * 5 * u * Math.min(Math.abs(w), 1e3);
      return product(x, sigmoid(w), error + sigmoidError(w) + u);
    }
    case 'sigmoid':
      return { value: sigmoid(x), bound: sigmoid(x) * sigmoidError(x) + smallest };
    case 'tanh': {
      // Near 0 a polynomial within 1e-8 whose first term is x; beyond, 1 - 2e / (1 + e).
      const value = Math.tanh(x);
      if (Math.abs(x) < 0.625) return { value, bound: 4 * u * Math.abs(value) + smallest };
      const share = 2 * sigmoid(-2 * Math.abs(x)); // 2e / (1 + e)
      return { value, bound: share * (expError(2 * x) + 8 * u) + u * Math.abs(value) };
    }
    case 'silu':
      return product(x, sigmoid(x), sigmoidError(x) + u);
  }
}

/**
 * dy · f'(x). The kinds whose derivative is taken from the output get it as float32 holds it, as `y`; it says all about x.
 */
export function activationBackward(
  kind: ActivationKind,
  dy: number,
  { x, y }: { x: number; y: number },
  slope = 0,
): Bounded {
  const times = (derivative: number, error: number): Bounded => {
    if (!Number.isFinite(derivative)) return { value: Number.NaN, bound: 0 };
    const value = dy * derivative;
    return { value, bound: Math.abs(dy) * (error + smallest) + u * Math.abs(value) + smallest };
  };
  /** σ(w) · (1 + q · σ(-w)), where q and w have relative errors. */
  const gated = (w: number, q: number, wError: number, qError: number) => {
    const [s, t] = [sigmoid(w), sigmoid(-w)];
    const limited = Math.min(Math.abs(w), 1e3);
    const inner = 1 + q * t;
    const flushed = Math.abs(w) < 110 ? smallest : 0; // beyond, the smaller σ is 0 in any case
    const tError = sigmoidError(-w) + s * wError * limited;
    const sError = sigmoidError(w) + t * wError * limited;
    const innerError = Math.abs(q) * t * (tError + qError + u) + u * Math.abs(inner) + flushed * Math.abs(q);
    const ofGate = Math.abs(s * inner) * (sError + u) + flushed * Math.abs(inner);
    return times(s * inner, s * innerError + ofGate);
  };
  switch (kind) {
    case 'leakyRelu':
      return Number.isNaN(x) ? times(x, 0) : times(x > 0 ? 1 : slope, 0);
    case 'gelu': {
      const derivative = normalDistribution(x) + x * density(x);
      // φ(x) by the exp of -x²/2, which rounds twice; and the density's factor, the products and the sum.
      const ofDensity = expError((x * x) / 2) + x * x * u + 3 * u;
      const flushed = smallest * Math.min(Math.abs(x), 20);
      const error = distributionError(x) + Math.abs(x) * density(x) * ofDensity + flushed;
      return times(derivative, error + u * Math.abs(derivative));
    }
    case 'geluTanh': {
      const c = Math.max(-20, Math.min(x, 20)); // σ is 0 or 1 in float32 from there on
      if (!Number.isFinite(x)) return times(Number.NaN, 0);
      const { w, slope: q } = geluTanhInner(c);
      return gated(w, c * q, 5 * u, 6 * u);
    }
    case 'sigmoid':
      return times(y * (1 - y), 2 * u * Math.abs(y * (1 - y)));
    case 'tanh':
      return times((1 - y) * (1 + y), 3 * u * Math.abs((1 - y) * (1 + y)));
    case 'silu':
      return Number.isFinite(x) ? gated(x, x, 0, 0) : times(Number.NaN, 0);
  }
}

/**
 * Rows of softmax. The difference from the largest rounds, which moves exp by as much, and exp itself is off; the sum of
 * exps has their errors and a rounding an addition, the quotient its own.
 */
export function softmax(x: ArrayLike<number>, rows: number, columns: number): Bounded[] {
  const result: Bounded[] = new Array(rows * columns);
  for (let start = 0; start < rows * columns; start += columns) {
    const row = Array.from({ length: columns }, (_, j) => x[start + j] as number);
    const largest = row.reduce((most, v) => Math.max(most, v));
    const exps = row.map((v) => Math.exp(v - largest));
    const errors = row.map((v) => expError(v - largest) + u * Math.min(largest - v, 110));
    const sum = exps.reduce((total, e) => total + e, 0);
    const ofSum = exps.reduce((total, e, j) => total + e * (errors[j] as number), 0) / sum + columns * u;
    exps.forEach((e, j) => {
      const bound = (e / sum) * ((errors[j] as number) + ofSum + 5 * u) + smallest;
      result[start + j] = { value: e / sum, bound };
    });
  }
  return result;
}

/** dx = y · (dy - Σ dy·y) over each row, with y = softmax(x): a rounding for each product, sum and difference. */
export function softmaxBackward(
  dy: ArrayLike<number>,
  y: ArrayLike<number>,
  rows: number,
  columns: number,
): Bounded[] {
  const result: Bounded[] = new Array(rows * columns);
  for (let start = 0; start < rows * columns; start += columns) {
    let [sum, magnitude] = [0, 0];
    for (let j = start; j < start + columns; j++) {
      sum += (dy[j] as number) * (y[j] as number);
      magnitude += Math.abs((dy[j] as number) * (y[j] as number));
    }
    for (let j = start; j < start + columns; j++) {
      const [d, p] = [dy[j] as number, y[j] as number];
      const error = (columns + 1) * u * magnitude + u * Math.abs(d - sum);
      result[j] = { value: p * (d - sum), bound: p * error + u * Math.abs(p * (d - sum)) + smallest };
    }
  }
  return result;
}
