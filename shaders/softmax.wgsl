// y[i, j] = exp(x[i, j] - max_j x[i, ·]) / Σ_j exp(x[i, j] - max).  x, y [rows, columns]; one invocation a row.
// y holds the bits of f32s: a row with a NaN or an infinity in it becomes a row of NaNs, as in log_softmax.wgsl.

struct Params {
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

const NAN = 0x7fc00000u;

fn is_finite(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.columns;
  var finite = is_finite(x[start]);
  var largest = x[start];
  for (var j = 1u; j < params.columns; j++) {
    finite = finite && is_finite(x[start + j]);
    largest = max(largest, x[start + j]);
  }
  var sum = 0.0;
  for (var j = 0u; j < params.columns; j++) {
    sum += exp(x[start + j] - largest);
  }
  for (var j = 0u; j < params.columns; j++) {
    y[start + j] = select(NAN, bitcast<u32>(exp(x[start + j] - largest) / sum), finite);
  }
}
