// row_loss[i] = -log_probability[i, target[i]]; 0 for rows past step.rows.
// log_probability [rows, columns], target and row_loss [rows].

struct Params {
  rows: u32,
  columns: u32,
}

struct Step {
  rows: u32,  // rows of this batch that hold data
  slot: u32,  // where this step's loss goes
  draw: u32,  // a number of its own for each forward pass, for random numbers
  lr: f32,    // learning rate of this step
  scale: f32, // what the batch's summed loss is multiplied by: 1 / rows for a mean
}

@group(0) @binding(0) var<storage, read> log_probability: array<f32>;
@group(0) @binding(1) var<storage, read> target_class: array<u32>;
@group(0) @binding(2) var<storage, read_write> row_loss: array<f32>;
@group(0) @binding(3) var<uniform> step: Step;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) {
    return;
  }
  if (row >= step.rows) {
    row_loss[row] = 0.0;
    return;
  }
  row_loss[row] = -log_probability[row * params.columns + target_class[row]];
}
