// Mean and 1 / √(biased variance + eps) of each channel, from the means and sums of squares of chunks of its rows
// (batch_norm_statistics.wgsl), and what they make of the running statistics:
//   running = (1 - momentum) · running + momentum · (mean, or the unbiased variance);  batches += 1
//   part_mean and part_m2 [chunks, channels]; mean, inverse, running_mean and running_var [channels]; batches [1].
// Chan's formula merges two sets of rows, https://doi.org/10.1080/00031305.1983.10483115: chunks along 16 strands, then a
// fixed tree over the strands. A variance of one row is 0. Where it is not finite, `inverse` becomes a NaN.

struct Params {
  channels: u32,
  chunk: u32,  // rows of a chunk
  sample: u32, // rows of a sample
  eps: f32,
  momentum: f32,
}

struct Step {
  rows: u32,  // rows of this batch that hold data
  slot: u32,  // where this step's loss goes
  draw: u32,  // a number of its own for each forward pass, for random numbers
  lr: f32,    // learning rate of this step
  scale: f32, // what the batch's summed loss is multiplied by: 1 / rows for a mean
}

struct Moments {
  count: f32,
  mean: f32,
  m2: f32,
}

@group(0) @binding(0) var<storage, read> part_mean: array<f32>;
@group(0) @binding(1) var<storage, read> part_m2: array<f32>;
@group(0) @binding(2) var<storage, read_write> mean: array<f32>;
@group(0) @binding(3) var<storage, read_write> inverse: array<f32>;
@group(0) @binding(4) var<storage, read_write> running_mean: array<f32>;
@group(0) @binding(5) var<storage, read_write> running_var: array<f32>;
@group(0) @binding(6) var<storage, read_write> batches: array<f32>;
@group(0) @binding(7) var<uniform> step: Step;
@group(0) @binding(8) var<uniform> params: Params;

const CHANNELS = 16u;
const STRANDS = 16u;
const EXPONENT = 0x7f800000u; // all ones in a NaN and in an infinity
const QUIET = 0x7fc00000u; // with these bits, a NaN

var<workgroup> moments: array<Moments, CHANNELS * STRANDS>; // [strand][channel]

fn merged(a: Moments, b: Moments) -> Moments {
  if (b.count == 0.0) {
    return a;
  }
  if (a.count == 0.0) {
    return b;
  }
  let count = a.count + b.count;
  let d = b.mean - a.mean;
  return Moments(count, a.mean + d * (b.count / count), a.m2 + b.m2 + d * (a.count * b.count / count) * d);
}

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let channel = tile.x * CHANNELS + local.x;
  let rows = step.rows * params.sample;
  let parts = (rows + params.chunk - 1u) / params.chunk;
  var all = Moments(0.0, 0.0, 0.0);
  if (channel < params.channels) {
    for (var part = local.y; part < parts; part += STRANDS) {
      let count = min(params.chunk, rows - part * params.chunk);
      let at = part * params.channels + channel;
      all = merged(all, Moments(f32(count), part_mean[at], part_m2[at]));
    }
  }
  let own = local.y * CHANNELS + local.x;
  moments[own] = all;
  for (var half = STRANDS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local.y < half) {
      moments[own] = merged(moments[own], moments[own + half * CHANNELS]);
    }
  }
  if (local.y == 0u && channel < params.channels) {
    let total = moments[own];
    let variance = total.m2 / total.count;
    let bits = bitcast<u32>(variance);
    mean[channel] = total.mean;
    inverse[channel] = inverseSqrt(variance + params.eps);
    if ((bits & EXPONENT) == EXPONENT) {
      inverse[channel] = bitcast<f32>(bits | QUIET);
    }
    let unbiased = total.m2 / max(total.count - 1.0, 1.0);
    let keep = 1.0 - params.momentum;
    running_mean[channel] = keep * running_mean[channel] + params.momentum * total.mean;
    running_var[channel] = keep * running_var[channel] + params.momentum * unbiased;
    if (channel == 0u) {
      batches[0] += 1.0;
    }
  }
}
