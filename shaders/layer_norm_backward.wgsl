// dx[i, j] = inverse[i] · (g[i, j] - Σ_j g[i, ·] / columns - x̂[i, j] · Σ_j (g · x̂)[i, ·] / columns), with
// x̂[i, j] = (x[i, j] - mean[i]) · inverse[i] and g = dy · weight[j], or dy without AFFINE.
// With TERMS also terms[i, j] = dy[i, j] · x̂[i, j], whose column sums are the gradient of the weight.
//   x, dy, dx, terms [rows, columns]; mean, inverse [rows]; weight [columns]
// A workgroup a row: 64 strands, then a fixed tree over them.

struct Params {
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> inverse: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
@group(0) @binding(6) var<storage, read_write> terms: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;

override AFFINE: bool = true;
override TERMS: bool = true;

const STRANDS = 64u;

var<workgroup> partial: array<vec2f, STRANDS>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) strand: u32,
) {
  let row = group.x + group.y * grid.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.columns;
  let centre = mean[row];
  let scale = inverse[row];
  var sums = vec2f();
  for (var j = strand; j < params.columns; j += STRANDS) {
    let normal = (x[start + j] - centre) * scale;
    let d = dy[start + j];
    if (TERMS) {
      terms[start + j] = d * normal;
    }
    var g = d;
    if (AFFINE) {
      g *= weight[j];
    }
    sums += g * vec2f(1.0, normal);
  }
  partial[strand] = sums;
  for (var half = STRANDS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (strand < half) {
      partial[strand] += partial[strand + half];
    }
  }
  workgroupBarrier();
  let means = partial[0] / f32(params.columns);
  for (var j = strand; j < params.columns; j += STRANDS) {
    let normal = (x[start + j] - centre) * scale;
    var g = dy[start + j];
    if (AFFINE) {
      g *= weight[j];
    }
    dx[start + j] = scale * (g - means.x - normal * means.y);
  }
}
