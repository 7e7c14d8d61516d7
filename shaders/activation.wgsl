// y = f(x), elementwise, where KIND chooses f (the table activationKinds in src/ops/activation.ts).  x, y [size].
//   0  leaky ReLU     x where x > 0, else slope · x
//   1  GELU           x · Φ(x) with the normal distribution Φ(x) = (1 + erf(x / √2)) / 2
//   2  GELU by tanh   x · (1 + tanh(√(2/π) · (x + 0.044715 x³))) / 2, which is x · σ(√(8/π) · (x + 0.044715 x³))
//   3  sigmoid        σ(x) = 1 / (1 + exp(-x))
//   4  tanh
//   5  SiLU           x · σ(x)
// y holds the bits of f32s: a NaN stays a NaN, and -∞ becomes one where PyTorch multiplies it by 0 (GELU, SiLU); written as
// bits because WGSL lets arithmetic on such values give anything.

struct Params {
  size: u32,
  slope: f32, // of the leaky ReLU, below 0
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

override KIND: u32 = 0;

const NAN = 0x7fc00000u;
const INFINITY = 0x7f800000u;
const MINUS_INFINITY = 0xff800000u;

// exp never sees more than it can take, and its result lies in 0 … 1: exp(-110) is 0 in float32.
fn sigmoid(value: f32) -> f32 {
  let e = exp(-min(abs(value), 110.0));
  return select(1.0, e, value < 0.0) / (1.0 + e);
}

// N. Juffa's erff, https://stackoverflow.com/a/35148199: erf within 1 ULP, by a polynomial near 0 and as 1 - exp(of one)
// beyond. What the latter takes from 1 is 2Φ(-|x|) itself: within 2.1e-8, and within 7e-5 of itself down to Φ(-5.6), so
// that nothing cancels where Φ is small.
fn normal_distribution(value: f32) -> f32 {
  let z = min(abs(value) * 0.70710678, 10.0); // 2Φ(-10√2) is 0 in float32
  if (z >= 0.927734375) {
    var r = -1.72853470e-5;
    r = r * z + 3.83197126e-4;
    r = r * z - 3.88396438e-3;
    r = r * z + 2.42546219e-2;
    r = r * z - 1.06777877e-1;
    r = r * z - 6.34846687e-1;
    r = r * z - 1.28717512e-1;
    let tail = 0.5 * exp(r * z - z);
    return select(1.0 - tail, tail, value < 0.0);
  }
  let s = z * z;
  var r = -5.96761703e-4;
  r = r * s + 4.99119423e-3;
  r = r * s - 2.67681349e-2;
  r = r * s + 1.12819925e-1;
  r = r * s - 3.76125336e-1;
  r = r * s + 1.28379166e-1;
  let erf = z + z * r;
  return 0.5 + 0.5 * select(erf, -erf, value < 0.0);
}

// S. Moshier's tanhf (https://www.netlib.org/cephes, single/tanhf.c): near 0 a polynomial keeps what 1 - exp would cancel.
// WGSL's tanh may overflow.
fn hyperbolic_tangent(value: f32) -> f32 {
  if (abs(value) >= 0.625) {
    let e = exp(-2.0 * min(abs(value), 55.0));
    let positive = 1.0 - 2.0 * e / (1.0 + e);
    return select(positive, -positive, value < 0.0);
  }
  let s = value * value;
  var r = -5.70498872745e-3;
  r = r * s + 2.06390887954e-2;
  r = r * s - 5.37397155531e-2;
  r = r * s + 1.33314422036e-1;
  r = r * s - 3.33332819422e-1;
  return value + value * s * r;
}

fn activation(value: f32) -> f32 {
  if (KIND == 1u) {
    return value * normal_distribution(value);
  }
  if (KIND == 2u) {
    let inner = clamp(value, -20.0, 20.0); // σ is 0 or 1 in float32 from there on
    return value * sigmoid(inner * (1.59576912 + 0.0713548163 * inner * inner));
  }
  if (KIND == 3u) {
    return sigmoid(value);
  }
  if (KIND == 4u) {
    return hyperbolic_tangent(value);
  }
  if (KIND == 5u) {
    return value * sigmoid(value);
  }
  return select(params.slope * value, value, value > 0.0);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (i >= params.size) {
    return;
  }
  let bits = bitcast<u32>(x[i]);
  let is_nan = (bits & 0x7fffffffu) > INFINITY;
  let times_zero = bits == MINUS_INFINITY && (KIND == 1u || KIND == 2u || KIND == 5u);
  y[i] = select(bitcast<u32>(activation(x[i])), NAN, is_nan || times_zero);
}
