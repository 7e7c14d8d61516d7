// dx = dy · f'(x), elementwise, with y = f(x) of activation.wgsl and the same KIND.  dy, x_or_y, dx [size].
//   0  leaky ReLU     by x: 1 where x > 0, else slope
//   1  GELU           by x: Φ(x) + x · φ(x) with the normal density φ(x) = exp(-x²/2) / √(2π)
//   2  GELU by tanh   by x: σ(w) · (1 + x · σ(-w) · dw/dx) with w = √(8/π) · (x + 0.044715 x³)
//   3  sigmoid        by y: y · (1 - y)
//   4  tanh           by y: (1 - y) · (1 + y)
//   5  SiLU           by x: σ(x) · (1 + x · σ(-x))
// y is enough where it says as much as x does and spares an exp; σ(-w) is computed, because 1 - σ(w) would cancel.
// dx holds the bits of f32s: a NaN in x or y gives one, and so does an infinite x of a GELU or SiLU, as in PyTorch.

struct Params {
  size: u32,
  slope: f32, // of the leaky ReLU, below 0
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> x_or_y: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

override KIND: u32 = 0;

const NAN = 0x7fc00000u;
const INFINITY = 0x7f800000u;

fn sigmoid(value: f32) -> f32 {
  let e = exp(-min(abs(value), 110.0));
  return select(1.0, e, value < 0.0) / (1.0 + e);
}

// That of activation.wgsl, which says where it comes from.
fn normal_distribution(value: f32) -> f32 {
  let z = min(abs(value) * 0.70710678, 10.0);
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

fn derivative(value: f32) -> f32 {
  let inner = clamp(value, -20.0, 20.0); // from there on the derivatives of the GELUs are 0 or 1 in float32
  if (KIND == 1u) {
    return normal_distribution(value) + inner * 0.398942280 * exp(-0.5 * inner * inner);
  }
  if (KIND == 2u) {
    let s = inner * inner;
    let w = inner * (1.59576912 + 0.0713548163 * s);
    return sigmoid(w) * (1.0 + inner * sigmoid(-w) * (1.59576912 + 0.214064449 * s));
  }
  if (KIND == 3u) {
    return value * (1.0 - value);
  }
  if (KIND == 4u) {
    return (1.0 - value) * (1.0 + value);
  }
  if (KIND == 5u) {
    return sigmoid(value) * (1.0 + value * sigmoid(-value));
  }
  return select(params.slope, 1.0, value > 0.0);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (i >= params.size) {
    return;
  }
  let magnitude = bitcast<u32>(x_or_y[i]) & 0x7fffffffu;
  let times_zero = magnitude == INFINITY && (KIND == 1u || KIND == 2u || KIND == 5u);
  dx[i] = select(bitcast<u32>(dy[i] * derivative(x_or_y[i])), NAN, magnitude > INFINITY || times_zero);
}
