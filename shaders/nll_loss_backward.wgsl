// d[i, j] = -step.scale where j = target[i], else 0: step.scale times the gradient of nll_loss.wgsl.
// Rows past step.rows get 0.  target [rows], d [rows, columns].

struct Params {
  columns: u32,
  size: u32, // rows · columns
}

struct Step {
  rows: u32,  // rows of this batch that hold data
  slot: u32,  // where this step's loss goes
  draw: u32,  // a number of its own for each forward pass, for random numbers
  lr: f32,    // learning rate of this step
  scale: f32, // what the batch's summed loss is multiplied by: 1 / rows for a mean
}

@group(0) @binding(0) var<storage, read> target_class: array<u32>;
@group(0) @binding(1) var<storage, read_write> d: array<f32>;
@group(0) @binding(2) var<uniform> step: Step;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (i >= params.size) {
    return;
  }
  let row = i / params.columns;
  let hit = row < step.rows && i % params.columns == target_class[row];
  d[i] = select(0.0, -step.scale, hit);
}
