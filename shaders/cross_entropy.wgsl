// row_loss[i] = log Σ_j exp(x[i, j]) - x[i, target[i]], and with GRADIENT step.scale times its gradient:
// dx[i, j] = (softmax(x[i, ·])[j] - [j = target[i]]) · step.scale.  Rows past step.rows get 0 in both.
// x, dx [rows, columns], target and row_loss [rows]; one invocation a row.
// row_loss holds the bits of an f32: a row with a NaN or an infinity among its logits gets a NaN, written as bits because
// WGSL lets arithmetic on such values give anything.

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

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> target_class: array<u32>;
@group(0) @binding(2) var<storage, read_write> row_loss: array<u32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<uniform> step: Step;
@group(0) @binding(5) var<uniform> params: Params;

override GRADIENT: bool = true;

const NAN = 0x7fc00000u;

fn is_finite(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.columns;
  if (row >= step.rows) {
    row_loss[row] = 0u;
    if (GRADIENT) {
      for (var j = 0u; j < params.columns; j++) {
        dx[start + j] = 0.0;
      }
    }
    return;
  }
  var finite = is_finite(x[start]);
  var largest = x[start];
  for (var j = 1u; j < params.columns; j++) {
    finite = finite && is_finite(x[start + j]);
    largest = max(largest, x[start + j]);
  }
  var sum = 0.0;
  for (var j = 0u; j < params.columns; j++) {
    sum += exp(x[start + j] - largest);
  }
  let target_column = target_class[row];
  let loss = log(sum) - (x[start + target_column] - largest);
  row_loss[row] = select(NAN, bitcast<u32>(loss), finite);
  if (GRADIENT) {
    for (var j = 0u; j < params.columns; j++) {
      let probability = exp(x[start + j] - largest) / sum;
      dx[start + j] = (probability - select(0.0, 1.0, j == target_column)) * step.scale;
    }
  }
}
