// y[i, j] = (x[i, j] - mean[j]) · inverse[j] · weight[j] + bias[j]; 0 in rows that hold no data, past step.rows · sample.
//   x and y [rows, channels]; mean, spread, weight and bias [channels].
// `spread` is the inverse of the standard deviation; with RUNNING, the variance: inverse = 1 / √(variance + eps), a NaN
// where that is not finite. Without AFFINE there are no weight and bias.
// An invocation has `chunk` rows of a column: most of the time of an element alone would go into finding its column.

struct Params {
  rows: u32,
  channels: u32,
  chunk: u32,  // rows of an invocation
  sample: u32, // rows of a sample
  size: u32,   // invocations: chunks · channels
  eps: f32,
}

struct Step {
  rows: u32,  // rows of this batch that hold data
  slot: u32,  // where this step's loss goes
  draw: u32,  // a number of its own for each forward pass, for random numbers
  lr: f32,    // learning rate of this step
  scale: f32, // what the batch's summed loss is multiplied by: 1 / rows for a mean
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> mean: array<f32>;
@group(0) @binding(2) var<storage, read> spread: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
@group(0) @binding(6) var<uniform> step: Step;
@group(0) @binding(7) var<uniform> params: Params;

override RUNNING: bool = false;
override AFFINE: bool = false;

const EXPONENT = 0x7f800000u; // all ones in a NaN and in an infinity
const QUIET = 0x7fc00000u; // with these bits, a NaN

fn inverse_of(variance: f32) -> f32 {
  let bits = bitcast<u32>(variance);
  if ((bits & EXPONENT) == EXPONENT) {
    return bitcast<f32>(bits | QUIET);
  }
  return inverseSqrt(variance + params.eps);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (i >= params.size) {
    return;
  }
  let part = i / params.channels;
  let channel = i - part * params.channels;
  let middle = mean[channel];
  var inverse = spread[channel];
  if (RUNNING) {
    inverse = inverse_of(inverse);
  }
  let first = part * params.chunk;
  let last = min(first + params.chunk, params.rows);
  let data = step.rows * params.sample;
  for (var row = first; row < last; row++) {
    let at = row * params.channels + channel;
    var value = 0.0;
    if (row < data) {
      value = (x[at] - middle) * inverse;
      if (AFFINE) {
        value = value * weight[channel] + bias[channel];
      }
    }
    y[at] = value;
  }
}
