// float32 multiply-add with a single rounding, out of float64 arithmetic.

/**
 * product + term rounded once to float32, for the product of two float32, which float64 holds exactly. The sum in float64
 * is exact too for most, but not always: then rounding to float64 and again to float32 could differ, unless the first
 * rounding is to odd (53 bits are enough for that, 2 * 24 + 2 <= 53).
 */
export function fusedAdd(product: number, term: number): number {
  const sum = product + term;
  const part = sum - product;
  const error = product - (sum - part) + (term - part);
  return Math.fround(error === 0 ? sum : roundToOdd(sum, error));
}

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer); // the low word first: no machine that runs this has it last

/** The sum, or the number beside it towards the error, whichever is odd in its last bit. */
function roundToOdd(sum: number, error: number): number {
  float[0] = sum;
  const last = words[0]!;
  if ((last & 1) === 1) return sum;
  if (error > 0 === sum > 0) words[0] = last + 1;
  else {
    if (last === 0) words[1] = words[1]! - 1; // borrows
    words[0] = last - 1;
  }
  return float[0];
}
