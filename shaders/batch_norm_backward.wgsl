// dx[i, j] = weight[j] · inverse[j] · (dy[i, j] - (dy_sum[j] + x̂[i, j] · dyx_sum[j]) / n), with x̂ = (x - mean[j]) · inverse[j],
// where n = step.rows · sample rows hold data; 0 in the others. Without AFFINE there is no weight.
//   dy, x and dx [rows, channels]; mean, inverse, weight, dy_sum = Σ dy and dyx_sum = Σ dy · x̂ [channels].
// An invocation has `chunk` rows of a column, as in batch_norm.wgsl.

struct Params {
  rows: u32,
  channels: u32,
  chunk: u32,  // rows of an invocation
  sample: u32, // rows of a sample
  size: u32,   // invocations: chunks · channels
}

struct Step {
  rows: u32,  // rows of this batch that hold data
  slot: u32,  // where this step's loss goes
  draw: u32,  // a number of its own for each forward pass, for random numbers
  lr: f32,    // learning rate of this step
  scale: f32, // what the batch's summed loss is multiplied by: 1 / rows for a mean
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> mean: array<f32>;
@group(0) @binding(3) var<storage, read> inverse: array<f32>;
@group(0) @binding(4) var<storage, read> weight: array<f32>;
@group(0) @binding(5) var<storage, read> dy_sum: array<f32>;
@group(0) @binding(6) var<storage, read> dyx_sum: array<f32>;
@group(0) @binding(7) var<storage, read_write> dx: array<f32>;
@group(0) @binding(8) var<uniform> step: Step;
@group(0) @binding(9) var<uniform> params: Params;

override AFFINE: bool = false;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (i >= params.size) {
    return;
  }
  let part = i / params.channels;
  let channel = i - part * params.channels;
  let middle = mean[channel];
  let scale = inverse[channel];
  let first = part * params.chunk;
  let last = min(first + params.chunk, params.rows);
  let data = step.rows * params.sample;
  for (var row = first; row < last; row++) {
    let at = row * params.channels + channel;
    var value = 0.0;
    if (row < data) {
      let normal = (x[at] - middle) * scale;
      let drift = (dy_sum[channel] + normal * dyx_sum[channel]) / f32(data);
      value = (dy[at] - drift) * scale;
      if (AFFINE) {
        value *= weight[channel];
      }
    }
    dx[at] = value;
  }
}
