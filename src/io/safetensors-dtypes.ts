// The element types that safetensors files of weights have, brought to float32. Little-endian, as the machines are that this
// runs on.

/** An element type: its bytes, and an array of it as float32. `data` begins at an own buffer's start. */
interface Dtype {
  readonly bytes: number;
  readonly toFloat32: (data: ArrayBuffer) => Float32Array<ArrayBuffer>;
}

/** bfloat16 is the upper half of a float32. */
function fromBfloat16(data: ArrayBuffer): Float32Array<ArrayBuffer> {
  const bits = Uint32Array.from(new Uint16Array(data), (half) => half << 16);
  return new Float32Array(bits.buffer);
}

/** https://en.wikipedia.org/wiki/Half-precision_floating-point_format: 1 bit of sign, 5 of exponent, 10 of mantissa. */
function fromFloat16(data: ArrayBuffer): Float32Array<ArrayBuffer> {
  const halves = new Uint16Array(data);
  const values = new Float32Array(halves.length);
  const bits = new Uint32Array(values.buffer);
  halves.forEach((half, i) => {
    const [sign, exponent, mantissa] = [half >> 15, (half >> 10) & 31, half & 1023];
    // All subnormals of float16 are normal float32s.
    if (exponent === 0) values[i] = (sign === 0 ? 1 : -1) * mantissa * 2 ** -24;
    else bits[i] = (sign << 31) | ((exponent === 31 ? 255 : exponent + 112) << 23) | (mantissa << 13);
  });
  return values;
}

/** By the name that a header calls them. */
export const dtypes: ReadonlyMap<string, Dtype> = new Map<string, Dtype>([
  ['F32', { bytes: 4, toFloat32: (data) => new Float32Array(data) }],
  ['F16', { bytes: 2, toFloat32: fromFloat16 }],
  ['BF16', { bytes: 2, toFloat32: fromBfloat16 }],
  ['F64', { bytes: 8, toFloat32: (data) => Float32Array.from(new Float64Array(data)) }],
  ['I64', { bytes: 8, toFloat32: (data) => Float32Array.from(new BigInt64Array(data), Number) }],
]);
