// loss[step.slot] = (Σ_i row_loss[i]) · step.scale over the batch's rows, as the bits of an f32; a NaN if any row's loss is
// not finite (found by its bits).  row_loss [rows]; one workgroup, 64 strands, then a fixed tree.

struct Params {
  rows: u32,
}

struct Step {
  rows: u32,  // rows of this batch that hold data
  slot: u32,  // where this step's loss goes
  draw: u32,  // a number of its own for each forward pass, for random numbers
  lr: f32,    // learning rate of this step
  scale: f32, // what the batch's summed loss is multiplied by: 1 / rows for a mean
}

@group(0) @binding(0) var<storage, read> row_loss: array<u32>;
@group(0) @binding(1) var<storage, read_write> loss: array<u32>;
@group(0) @binding(2) var<uniform> step: Step;
@group(0) @binding(3) var<uniform> params: Params;

const THREADS = 64u;
const NAN = 0x7fc00000u;

var<workgroup> partial: array<f32, THREADS>;
var<workgroup> broken: array<u32, THREADS>;

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32) {
  var sum = 0.0;
  var bad = 0u;
  for (var i = thread; i < min(params.rows, step.rows); i += THREADS) {
    let bits = row_loss[i];
    bad |= select(0u, 1u, (bits & 0x7f800000u) == 0x7f800000u);
    sum += bitcast<f32>(bits);
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
    loss[step.slot] = select(bitcast<u32>(partial[0] * step.scale), NAN, broken[0] != 0u);
  }
}
