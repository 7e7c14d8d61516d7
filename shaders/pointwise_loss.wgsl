// row_loss[i] = share · Σ_j f(x[i, j], target[i, j]), and with GRADIENT step.scale times the gradient of the sum:
// dx[i, j] = f'(x[i, j], target[i, j]) · step.scale, where KIND chooses f (the table pointwiseKinds in
// src/ops/pointwise_loss.ts), of d = x - target:
//   0  MSE              d²
//   1  L1               |d|; the gradient at 0 is 0
//   2  smooth L1        d² / (2 · edge) where |d| < edge, else |d| - edge / 2
//   3  Huber            d² / 2 where |d| < edge, else edge · (|d| - edge / 2)
//   4  BCE with logits  positive · target · softplus(-x) + (1 - target) · softplus(x), with softplus(x) = log(1 + exp(x))
//                       and with WEIGHTED positive = weight[j], else 1
// Rows past step.rows get 0 in both.
// x, target, dx [rows, columns], weight [columns], row_loss [rows]; one workgroup a row, 64 strands, then a fixed tree.
// row_loss holds the bits of an f32: a row of the batch with a NaN or an infinity in x or target gets a NaN, written as bits
// because WGSL lets arithmetic on such values give anything.

struct Params {
  rows: u32,
  columns: u32,
  share: f32, // 1, or 1 / columns for the mean over a row
  edge: f32,
}

struct Step {
  rows: u32,  // rows of this batch that hold data
  slot: u32,  // where this step's loss goes
  draw: u32,  // a number of its own for each forward pass, for random numbers
  lr: f32,    // learning rate of this step
  scale: f32, // what the batch's summed loss is multiplied by: 1 / rows for a mean
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> wanted: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> row_loss: array<u32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(5) var<uniform> step: Step;
@group(0) @binding(6) var<uniform> params: Params;

override KIND: u32 = 0;
override WEIGHTED: bool = false;
override GRADIENT: bool = true;

const THREADS = 64u;
const NAN = 0x7fc00000u;

var<workgroup> partial: array<f32, THREADS>;
var<workgroup> broken: array<u32, THREADS>;

struct Loss {
  value: f32,
  slope: f32,
}

fn is_finite(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7f800000u) != 0x7f800000u;
}

// log(1 + e) for e in 0 … 1 as 2 · artanh(s), s = e / (2 + e) ≤ 1/3: terms of one sign, of which those left out make less
// than 1.6e-7 of the sum. WGSL's log is within 2⁻²¹ only near 1, more than all of a small e.
fn log1p(e: f32) -> f32 {
  let s = e / (2.0 + e);
  let q = s * s;
  var r = 1.0 / 11.0;
  r = r * q + 1.0 / 9.0;
  r = r * q + 1.0 / 7.0;
  r = r * q + 1.0 / 5.0;
  r = r * q + 1.0 / 3.0;
  r = r * q + 1.0;
  return 2.0 * s * r;
}

// Terms of one sign for targets in 0 … 1, so that nothing cancels.
fn bce(logit: f32, truth: f32, positive: f32) -> Loss {
  let e = exp(-min(abs(logit), 110.0)); // exp(-110) is 0 in float32
  let rest = log1p(e);
  let near = 1.0 / (1.0 + e);
  let far = e / (1.0 + e);
  let yes = positive * truth;
  let no = 1.0 - truth;
  let below = logit < 0.0;
  return Loss(
    yes * (max(-logit, 0.0) + rest) + no * (max(logit, 0.0) + rest),
    no * select(near, far, below) - yes * select(far, near, below),
  );
}

fn pointwise(value: f32, truth: f32, positive: f32) -> Loss {
  if (KIND == 4u) {
    return bce(value, truth, positive);
  }
  let d = value - truth;
  if (KIND == 0u) {
    return Loss(d * d, 2.0 * d);
  }
  let size = abs(d);
  let side = sign(d);
  if (KIND == 1u) {
    return Loss(size, side);
  }
  if (KIND == 2u) {
    var smooth_l1 = Loss(size - 0.5 * params.edge, side);
    if (size < params.edge) {
      smooth_l1 = Loss(0.5 * d * (d / params.edge), d / params.edge);
    }
    return smooth_l1;
  }
  var huber = Loss(params.edge * (size - 0.5 * params.edge), params.edge * side);
  if (size < params.edge) {
    huber = Loss(0.5 * d * d, d);
  }
  return huber;
}

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) grid: vec3u,
  @builtin(local_invocation_index) thread: u32,
) {
  let row = group.x + group.y * grid.x;
  if (row >= params.rows) {
    return;
  }
  let held = row < step.rows;
  var sum = 0.0;
  var bad = 0u;
  for (var j = thread; j < params.columns; j += THREADS) {
    let i = row * params.columns + j;
    var slope = 0.0;
    if (held) {
      var positive = 1.0;
      if (WEIGHTED) {
        positive = weight[j];
      }
      let loss = pointwise(x[i], wanted[i], positive);
      sum += loss.value;
      slope = loss.slope * step.scale;
      bad |= select(1u, 0u, is_finite(x[i]) && is_finite(wanted[i]));
    }
    if (GRADIENT) {
      dx[i] = slope;
    }
  }
  partial[thread] = sum;
  broken[thread] = bad;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      partial[thread] += partial[thread + half];
      broken[thread] |= broken[thread + half];
    }
  }
  if (thread == 0u) {
    row_loss[row] = select(bitcast<u32>(partial[0] * params.share), NAN, broken[0] != 0u);
  }
}
