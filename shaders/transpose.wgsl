// y[b, j, i] = x[b, i, j].  x [batch, rows, columns], y [batch, columns, rows].

struct Params {
  rows: u32,
  columns: u32,
  size: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (i >= params.size) {
    return;
  }
  // Remainders by hand: a division is what costs most on a CPU.
  let line = i / params.rows; // of y, over all matrices
  let row = i - line * params.rows;
  let matrix = line / params.columns;
  let column = line - matrix * params.columns;
  y[i] = x[(matrix * params.rows + row) * params.columns + column];
}
