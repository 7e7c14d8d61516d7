// Normal numbers out of uniform ones by Box and Muller's formula, to the bit as PyTorch makes them on x86 with AVX2:
// normal_fill_16_AVX2 (aten/src/ATen/native/cpu/DistributionTemplates.h), whose logarithm, sine and cosine are Cephes's in
// float32 (S. Moshier; J. Pommier's sse_mathfun), with the multiply-adds that GCC makes of them. On other processors PyTorch
// calls the C library, and its numbers may differ from these in their last bits.

import { fusedAdd } from './fused.ts';

const { fround } = Math;

/** Numbers that are made together: the first half of them with cosines, the second with sines. */
export const normalBlock = 16;

const logCoefficients = Float32Array.of(
  7.0376836292e-2,
  -1.151461031e-1,
  1.167699874e-1,
  -1.2420140846e-1,
  1.4249322787e-1,
  -1.6668057665e-1,
  2.0000714765e-1,
  -2.4999993993e-1,
  3.3333331174e-1,
);
const [logTwoHigh, logTwoLow] = [0.693359375, fround(-2.1219444e-4)];
const rootHalf = fround(Math.SQRT1_2);

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Cephes's logf for 0 < x ≤ 1. */
function log(value: number): number {
  float[0] = value;
  let exponent = (bits[0]! >>> 23) - 126;
  bits[0] = (bits[0]! & 0x007fffff) | 0x3f000000;
  const mantissa = float[0]!; // of 0.5 … 1
  let x = fround(mantissa - 1);
  if (mantissa < rootHalf) {
    exponent--;
    x = fround(x + mantissa);
  }
  const z = fround(x * x);
  let y = logCoefficients[0]!;
  for (let i = 1; i < logCoefficients.length; i++) y = fusedAdd(y * x, logCoefficients[i]!);
  y = fusedAdd(fround(y * x) * z, fround(exponent * logTwoLow));
  y = fround(y - 0.5 * z); // the product is exact
  return fusedAdd(exponent * logTwoHigh, fround(x + y));
}

const fourOverPi = fround(4 / Math.PI);
/** π/4 in three parts, each exact times a small integer. */
const quarterPi = Float32Array.of(0.78515625, 2.4187564849853516e-4, 3.774894977445941e-8);
const sinCoefficients = Float32Array.of(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1);
const cosCoefficients = Float32Array.of(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2);

/** Cephes's sinf and cosf for x ≥ 0. */
function sinCos(angle: number): [sin: number, cos: number] {
  const octant = (Math.trunc(fround(angle * fourOverPi)) + 1) & ~1;
  let x = angle;
  for (const part of quarterPi) x = fusedAdd(-octant * part, x);
  const z = fround(x * x);
  const [c0, c1, c2] = cosCoefficients as unknown as [number, number, number];
  let c = fround(fusedAdd(fusedAdd(c0 * z, c1) * z, c2) * z);
  c = fround(fusedAdd(c * z, -0.5 * z) + 1);
  const [s0, s1, s2] = sinCoefficients as unknown as [number, number, number];
  const s = fusedAdd(fround(fusedAdd(fusedAdd(s0 * z, s1) * z, s2) * z) * x, x);
  const [sin, cos] = (octant & 2) === 0 ? [s, c] : [c, s];
  return [(octant & 4) === 0 ? sin : -sin, (octant & 4) === (octant & 2) << 1 ? cos : -cos];
}

const fullTurn = fround(2 * Math.PI);

/** Turns 16 uniform float32 numbers of [0, 1) from `start` on into normal ones, in place. */
export function uniformToNormal(data: Float32Array, start: number, mean: number, std: number): void {
  const half = normalBlock / 2;
  for (let i = start; i < start + half; i++) {
    const radius = fround(Math.sqrt(fround(-2 * log(fround(1 - data[i]!)))));
    const [sin, cos] = sinCos(fround(fullTurn * data[i + half]!));
    data[i] = fusedAdd(fround(radius * cos) * std, mean);
    data[i + half] = fusedAdd(fround(radius * sin) * std, mean);
  }
}
