// y[i, j] = x[i, j] - max_j x[i, ·] - log Σ_j exp(x[i, j] - max).  x, y [rows, columns]; one invocation a row.

struct Params {
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.columns;
  var largest = x[start];
  for (var j = 1u; j < params.columns; j++) {
    largest = max(largest, x[start + j]);
  }
  var sum = 0.0;
  for (var j = 0u; j < params.columns; j++) {
    sum += exp(x[start + j] - largest);
  }
  let log_sum = log(sum);
  for (var j = 0u; j < params.columns; j++) {
    y[start + j] = (x[start + j] - largest) - log_sum;
  }
}
