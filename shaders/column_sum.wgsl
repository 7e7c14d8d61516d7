// y[j] = Σ_i x[i, j] (the gradient of a bias), or y[j] += … with accumulate.  x [rows, columns], y [columns].
// A workgroup owns COLUMNS columns; STRANDS strands of rows each, a power of two, then a fixed tree over the strands.

struct Params {
  rows: u32,
  columns: u32,
  accumulate: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

const COLUMNS = 16u;
const STRANDS = 16u;

var<workgroup> partial: array<f32, COLUMNS * STRANDS>; // [strand][column]

@compute @workgroup_size(COLUMNS, STRANDS)
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let column = tile.x * COLUMNS + local.x;
  var sum = 0.0;
  if (column < params.columns) {
    for (var i = local.y; i < params.rows; i += STRANDS) {
      sum += x[i * params.columns + column];
    }
  }
  partial[local.y * COLUMNS + local.x] = sum;
  for (var half = STRANDS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local.y < half) {
      partial[local.y * COLUMNS + local.x] += partial[(local.y + half) * COLUMNS + local.x];
    }
  }
  if (local.y == 0u && column < params.columns) {
    var total = partial[local.x];
    if (params.accumulate != 0u) {
      total += y[column];
    }
    y[column] = total;
  }
}
