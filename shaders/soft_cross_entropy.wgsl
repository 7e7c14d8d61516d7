// row_loss[i] = -Σ_j q[i, j] · log p[i, j] with p = softmax(x) and q[i, j] = weight[j] · (keep · t[i, j] + spread), where t is
// 1 at the row's target and 0 elsewhere, or with PROBABILITIES as given; smoothing by ε is keep = 1 - ε, spread = ε / columns.
// With GRADIENT step.scale times its gradient: dx[i, j] = (p[i, j] · Σ_j q[i, ·] - q[i, j]) · step.scale.
// With LOG x holds log p itself: dx[i, j] = -q[i, j] · step.scale.
// Rows past step.rows, and rows whose target is `ignored`, get 0 in both.
// x, dx [rows, columns], expected [rows] or [rows, columns], weight [columns], row_loss [rows]; one invocation a row.
// row_loss holds the bits of an f32: a row of the batch with a NaN or an infinity in x or in its probabilities gets a NaN,
// written as bits because WGSL lets arithmetic on such values give anything.

struct Params {
  rows: u32,
  columns: u32,
  keep: f32,
  spread: f32,
  ignored: u32, // 0xffffffff: none
}

struct Step {
  rows: u32,  // rows of this batch that hold data
  slot: u32,  // where this step's loss goes
  draw: u32,  // a number of its own for each forward pass, for random numbers
  lr: f32,    // learning rate of this step
  scale: f32, // what the batch's summed loss is multiplied by: 1 / rows for a mean
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> expected: array<u32>; // classes, or the bits of probabilities
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> row_loss: array<u32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(5) var<uniform> step: Step;
@group(0) @binding(6) var<uniform> params: Params;

override PROBABILITIES: bool = false;
override WEIGHTED: bool = false; // else every weight is 1
override LOG: bool = false;
override GRADIENT: bool = true;

const NAN = 0x7fc00000u;

fn is_finite(bits: u32) -> bool {
  return (bits & 0x7f800000u) != 0x7f800000u;
}

// q[row, j]
fn share(row: u32, j: u32) -> f32 {
  var wanted = params.spread;
  if (PROBABILITIES) {
    wanted += params.keep * bitcast<f32>(expected[row * params.columns + j]);
  } else {
    wanted += select(0.0, params.keep, j == expected[row]);
  }
  if (WEIGHTED) {
    return weight[j] * wanted;
  }
  return wanted;
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
  var finite = true;
  var largest = x[start];
  for (var j = 0u; j < params.columns; j++) {
    finite = finite && is_finite(bitcast<u32>(x[start + j]));
    if (PROBABILITIES) {
      finite = finite && is_finite(expected[start + j]);
    }
    largest = max(largest, x[start + j]);
  }
  var counts = true;
  if (!PROBABILITIES) {
    counts = expected[row] != params.ignored;
  }
  var sum = 0.0;
  var log_sum = 0.0;
  if (LOG) {
    largest = 0.0;
  } else {
    for (var j = 0u; j < params.columns; j++) {
      sum += exp(x[start + j] - largest);
    }
    log_sum = log(sum);
  }
  var loss = 0.0;
  var total = 0.0;
  for (var j = 0u; j < params.columns; j++) {
    let q = share(row, j);
    total += q;
    // What does not count may lie further off than float32 reaches.
    loss += select(q * (log_sum - (x[start + j] - largest)), 0.0, q == 0.0);
  }
  row_loss[row] = select(NAN, select(0u, bitcast<u32>(loss), counts), finite);
  if (GRADIENT) {
    for (var j = 0u; j < params.columns; j++) {
      var d = -share(row, j);
      if (!LOG) {
        d += exp(x[start + j] - largest) / sum * total;
      }
      dx[start + j] = select(0.0, d * step.scale, counts);
    }
  }
}
