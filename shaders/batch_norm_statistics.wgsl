// mean[c, j] = Σ x[i, j] / n and m2[c, j] = Σ (x[i, j] - mean[c, j])² over the n rows of chunk c that hold data: the first
// step.rows · sample of all. Chunks without any are left as they are.
//   x [rows, channels], mean and m2 [chunks, channels]; a chunk has `chunk` rows, a sample `sample` (the pixels of an image).
// Two passes, and sums of differences: squares of what is far from 0 would cancel.

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

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> mean: array<f32>;
@group(0) @binding(2) var<storage, read_write> m2: array<f32>;
@group(0) @binding(3) var<uniform> step: Step;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (i >= params.size) {
    return;
  }
  let part = i / params.channels;
  let channel = i - part * params.channels;
  let rows = step.rows * params.sample;
  let first = part * params.chunk;
  if (first >= rows) {
    return;
  }
  let count = min(params.chunk, rows - first);
  let start = first * params.channels + channel;
  let end = start + count * params.channels;
  let pivot = x[start];
  var sum = 0.0;
  for (var at = start; at < end; at += params.channels) {
    sum += x[at] - pivot;
  }
  let middle = pivot + sum / f32(count);
  var squares = 0.0;
  for (var at = start; at < end; at += params.channels) {
    let difference = x[at] - middle;
    squares += difference * difference;
  }
  mean[i] = middle;
  m2[i] = squares;
}
