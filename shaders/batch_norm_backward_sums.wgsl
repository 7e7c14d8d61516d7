// dy_sum[c, j] = Σ dy[i, j] and dyx_sum[c, j] = Σ dy[i, j] · x̂[i, j], with x̂ = (x - mean[j]) · inverse[j], over the rows of
// chunk c that hold data: the first step.rows · sample of all; 0 where there are none.
//   dy and x [rows, channels]; mean and inverse [channels]; dy_sum and dyx_sum [chunks, channels].

struct Params {
  channels: u32,
  chunk: u32,  // rows of a chunk
  sample: u32, // rows of a sample
  size: u32,   // chunks · channels
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
@group(0) @binding(4) var<storage, read_write> dy_sum: array<f32>;
@group(0) @binding(5) var<storage, read_write> dyx_sum: array<f32>;
@group(0) @binding(6) var<uniform> step: Step;
@group(0) @binding(7) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (i >= params.size) {
    return;
  }
  let part = i / params.channels;
  let channel = i - part * params.channels;
  let first = part * params.chunk;
  let last = min(first + params.chunk, step.rows * params.sample);
  let middle = mean[channel];
  var sum = 0.0;
  var products = 0.0;
  for (var row = first; row < last; row++) {
    let at = row * params.channels + channel;
    sum += dy[at];
    products += dy[at] * (x[at] - middle);
  }
  dy_sum[i] = sum;
  dyx_sum[i] = products * inverse[channel];
}
