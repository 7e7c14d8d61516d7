// y[i] = x[i] · scale where h(i) ≥ threshold, else x[i] · 0.  x, y [size]. Forward with an activation for x; back, in the same
// step, with the gradient by y, of which this makes the gradient by x.
// h(i) = MurmurHash3 (x86, 32 bits; Appleby, public domain) of the words (stream, step.draw, i), started from seed: the same
// bits on every driver, and nothing to be kept for the way back.  https://pytorch.org/docs/stable/generated/torch.nn.Dropout.html

struct Params {
  size: u32,
  seed: u32,
  stream: u32,
  threshold: u32, // p · 2³²
  scale: f32,     // 1 / (1 - p)
}

struct Step {
  rows: u32,  // rows of this batch that hold data
  slot: u32,  // where this step's loss goes
  draw: u32,  // a number of its own for each forward pass, for random numbers
  lr: f32,    // learning rate of this step
  scale: f32, // what the batch's summed loss is multiplied by: 1 / rows for a mean
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> step: Step;
@group(0) @binding(3) var<uniform> params: Params;

fn rotated(bits: u32, by: u32) -> u32 {
  return (bits << by) | (bits >> (32u - by));
}

fn mixed(hash: u32, word: u32) -> u32 {
  let spread = rotated(word * 0xcc9e2d51u, 15u) * 0x1b873593u;
  return rotated(hash ^ spread, 13u) * 5u + 0xe6546b64u;
}

fn finished(hash: u32) -> u32 {
  var bits = hash ^ 12u; // bytes hashed
  bits = (bits ^ (bits >> 16u)) * 0x85ebca6bu;
  bits = (bits ^ (bits >> 13u)) * 0xc2b2ae35u;
  return bits ^ (bits >> 16u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (i >= params.size) {
    return;
  }
  let random = finished(mixed(mixed(mixed(params.seed, params.stream), step.draw), i));
  y[i] = x[i] * select(0.0, params.scale, random >= params.threshold);
}
