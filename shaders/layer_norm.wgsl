// y[i, j] = (x[i, j] - mean[i]) · inverse[i], and with AFFINE that · weight[j] + bias[j], with the row's
// mean[i] = Σ_j x[i, j] / columns and inverse[i] = 1 / √(Σ_j (x[i, j] - mean[i])² / columns + eps).
// https://pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html
//   x, y [rows, columns]; mean, inverse [rows]; weight, bias [columns]
// A workgroup a row: 64 strands, then a fixed tree over them.

struct Params {
  rows: u32,
  columns: u32,
  eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> inverse: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

override AFFINE: bool = true;

const STRANDS = 64u;

var<workgroup> partial: array<f32, STRANDS>;

// The sum over the strands, in every strand.
fn total(own: f32, strand: u32) -> f32 {
  workgroupBarrier();
  partial[strand] = own;
  for (var half = STRANDS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (strand < half) {
      partial[strand] += partial[strand + half];
    }
  }
  workgroupBarrier();
  return partial[0];
}

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
  var sum = 0.0;
  for (var j = strand; j < params.columns; j += STRANDS) {
    sum += x[start + j];
  }
  let centre = total(sum, strand) / f32(params.columns);
  var spread = 0.0;
  for (var j = strand; j < params.columns; j += STRANDS) {
    let distance = x[start + j] - centre;
    spread += distance * distance;
  }
  let scale = inverseSqrt(total(spread, strand) / f32(params.columns) + params.eps);
  for (var j = strand; j < params.columns; j += STRANDS) {
    var value = (x[start + j] - centre) * scale;
    if (AFFINE) {
      value = value * weight[j] + bias[j];
    }
    y[start + j] = value;
  }
  if (strand == 0u) {
    mean[row] = centre;
    inverse[row] = scale;
  }
}
