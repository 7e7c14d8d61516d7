// dx[i, j] = y[i, j] · (dy[i, j] - Σ_j dy[i, j]·y[i, j]), with y = softmax(x).  dy, y, dx [rows, columns]; one invocation a row.

struct Params {
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.columns;
  var sum = 0.0;
  for (var j = 0u; j < params.columns; j++) {
    sum += dy[start + j] * y[start + j];
  }
  for (var j = 0u; j < params.columns; j++) {
    dx[start + j] = y[start + j] * (dy[start + j] - sum);
  }
}
