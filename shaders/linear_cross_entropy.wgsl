// logits = x·weightᵀ + bias, and of each row i with target class t: log Σ_j exp(logits[i, j]) - logits[i, t]; step.scale
// times their sum over the batch's rows; and with GRADIENT the gradient of that by the logits, dlogits[i, j] =
// (softmax(logits[i, ·])[j] - [j = t]) · step.scale.  Rows past step.rows get 0 in all but the logits.
// x [rows, features] and weight [CLASSES, features] as vec4s, bias [CLASSES], target_class [rows], logits and dlogits
// [rows, CLASSES].  With MEAN one workgroup has all rows and writes loss[step.slot]; else row_loss [rows] is written.
// The logits: an invocation has four rows and every class; STRANDS invocations share the features, and add up in turn. Then
// each row is one invocation's.
// Losses are bits of f32s: a row with a NaN or an infinity among its logits gets a NaN, written as bits because WGSL lets
// arithmetic on such values give anything.

struct Params {
  rows: u32,
  features: u32,
  classes: u32, // CLASSES and STRANDS again, for loops that
  strands: u32, // drivers had better not unroll
}

struct Step {
  rows: u32,  // rows of this batch that hold data
  slot: u32,  // where this step's loss goes
  draw: u32,  // a number of its own for each forward pass, for random numbers
  lr: f32,    // learning rate of this step
  scale: f32, // what the batch's summed loss is multiplied by: 1 / rows for a mean
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> weight: array<vec4f>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> target_class: array<u32>;
@group(0) @binding(4) var<storage, read_write> logits: array<f32>;
@group(0) @binding(5) var<storage, read_write> dlogits: array<f32>;
@group(0) @binding(6) var<storage, read_write> row_loss: array<u32>;
@group(0) @binding(7) var<storage, read_write> loss: array<u32>;
@group(0) @binding(8) var<uniform> step: Step;
@group(0) @binding(9) var<uniform> params: Params;

const CLASSES = 10u;
const STRANDS = 8u; // at least 4: in the end each row has an invocation
const GROUPS = 16u; // of four rows, a workgroup
const ROWS = GROUPS * 4u;
const THREADS = GROUPS * STRANDS;

override GRADIENT: bool = true;
override MEAN: bool = true;

const EXPONENT = 0x7f800000u; // all ones in a NaN and in an infinity
const NAN = 0x7fc00000u;

var<workgroup> z: array<vec4f, GROUPS * CLASSES>; // x·weightᵀ of four rows, at [class][group]; starts as 0
var<workgroup> losses: array<f32, ROWS>; // of the rows, where they are finite; starts as 0
var<workgroup> broken: array<u32, ROWS>; // 1: it is not

fn is_finite(value: f32) -> bool {
  let bits = bitcast<u32>(value) & EXPONENT;
  return bits != EXPONENT;
}

fn logit(local: u32, c: u32) -> f32 {
  return z[c * GROUPS + (local >> 2u)][local & 3u] + bias[c];
}

// Row `row` of the matrices, `local` of the workgroup; returns the loss, as bits.
fn finish_row(row: u32, local: u32) -> u32 {
  let first = row * CLASSES;
  var finite = true;
  var largest = logit(local, 0u);
  for (var c = 0u; c < params.classes; c++) {
    let value = logit(local, c);
    logits[first + c] = value;
    finite = finite && is_finite(value);
    largest = max(largest, value);
  }
  if (row >= step.rows) {
    if (GRADIENT) {
      for (var c = 0u; c < params.classes; c++) {
        dlogits[first + c] = 0.0;
      }
    }
    return 0u;
  }
  var sum = 0.0;
  for (var c = 0u; c < params.classes; c++) {
    sum += exp(logit(local, c) - largest);
  }
  let target_column = target_class[row];
  if (GRADIENT) {
    for (var c = 0u; c < params.classes; c++) {
      let probability = exp(logit(local, c) - largest) / sum;
      dlogits[first + c] = (probability - select(0.0, 1.0, c == target_column)) * step.scale;
    }
  }
  let value = log(sum) - (logit(local, target_column) - largest);
  return select(NAN, bitcast<u32>(value), finite);
}

@compute @workgroup_size(THREADS)
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_index) thread: u32) {
  let group = thread / STRANDS;
  let strand = thread % STRANDS;
  let first = tile.x * ROWS;
  let quads = params.features / 4u;
  // Rows beyond the last repeat it; nothing of theirs is stored.
  let start = min(first + group * 4u + vec4u(0u, 1u, 2u, 3u), vec4u(params.rows - 1u)) * quads;
  var own: array<vec4f, CLASSES>; // four rows' logits of a class, as far as this strand goes
  for (var i = strand; i < quads; i += STRANDS) {
    let four = mat4x4f(x[start.x + i], x[start.y + i], x[start.z + i], x[start.w + i]);
    // unroll
    for (var c = 0u; c < CLASSES; c++) {
      own[c] += weight[c * quads + i] * four;
    }
  }
  for (var s = 0u; s < params.strands; s++) {
    if (s == strand) {
      // unroll
      for (var c = 0u; c < CLASSES; c++) {
        z[c * GROUPS + group] += own[c];
      }
    }
    workgroupBarrier();
  }

  if (thread < min(ROWS, params.rows - first)) {
    let bits = finish_row(first + thread, thread);
    if (!MEAN) {
      row_loss[first + thread] = bits;
    } else if (is_finite(bitcast<f32>(bits))) {
      losses[thread] = bitcast<f32>(bits);
    } else {
      broken[thread] = 1u;
    }
  }
  if (MEAN) {
    workgroupBarrier();
    if (thread == 0u) {
      var sum = 0.0;
      var bad = 0u;
      for (var t = 0u; t < ROWS; t++) {
        sum += losses[t];
        bad |= broken[t];
      }
      loss[step.slot] = select(bitcast<u32>(sum * step.scale), NAN, bad != 0u);
    }
  }
}
