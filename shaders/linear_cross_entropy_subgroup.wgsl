// What linear_cross_entropy.wgsl computes, from and into the same buffers: the logits x·weightᵀ + bias, the loss of each row
// or with MEAN step.scale times their sum, and with GRADIENT the gradient of that by the logits.
// The core for software adapters, where a load costs dozens of multiply-adds and a barrier a hundred: no workgroup memory,
// one workgroup = one subgroup = ROWS rows, four a lane at a time. A lane owns its rows' logits of every class; every four
// of the weights are loaded by one lane and reach the others by a broadcast. Needs a subgroup size of exactly LANES.
// Losses are bits of f32s: a row with a NaN or an infinity among its logits gets a NaN, written as bits because WGSL lets
// arithmetic on such values give anything.

enable subgroups;

struct Params {
  rows: u32,
  features: u32,
  classes: u32, // CLASSES again, for loops that drivers had better not unroll
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
const LANES = 8u;
const HELD = 2u;  // fours of the weights that a lane holds: CLASSES / LANES, rounded up
const ROWS = 64u; // a workgroup

override GRADIENT: bool = true;
override MEAN: bool = true;

const EXPONENT = 0x7f800000u; // all ones in a NaN and in an infinity
const NAN = 0x7fc00000u;

fn are_finite(four: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(four) & vec4u(EXPONENT)) != vec4u(EXPONENT);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let quads = params.features / 4u;
  let end = min((tile.x + 1u) * ROWS, params.rows);
  var sum = 0.0;   // of this lane's losses
  var bad = false; // one of them is not finite
  for (var first = tile.x * ROWS; first < end; first += 4u * LANES) {
    let rows = first + 4u * lane + vec4u(0u, 1u, 2u, 3u);
    // Rows beyond the last repeat it; nothing of theirs is stored.
    let start = min(rows, vec4u(params.rows - 1u)) * quads;
    var z = array<vec4f, CLASSES>(); // logits of the four rows; said to be 0, since Dawn makes it so before a loop, not in it
    for (var i = 0u; i < quads; i++) {
      let four = mat4x4f(x[start.x + i], x[start.y + i], x[start.z + i], x[start.w + i]);
      var held: array<vec4f, HELD>;
      // unroll
      for (var h = 0u; h < HELD; h++) {
        held[h] = weight[min(h * LANES + lane, CLASSES - 1u) * quads + i];
      }
      // unroll
      for (var c = 0u; c < CLASSES; c++) {
        // With 8 lanes a shuffle is one instruction of lavapipe's; with others a broadcast is fast, and wants a constant.
        if (LANES == 8u) {
          z[c] += subgroupShuffle(held[c / LANES], c % LANES) * four;
        } else {
          z[c] += subgroupBroadcast(held[c / LANES], c % LANES) * four;
        }
      }
    }

    var finite = vec4<bool>(true);
    for (var c = 0u; c < params.classes; c++) {
      z[c] += bias[c];
      finite = finite & are_finite(z[c]);
    }
    var largest = z[0];
    for (var c = 1u; c < params.classes; c++) {
      largest = max(largest, z[c]);
    }
    var exps = vec4f(); // their sum
    for (var c = 0u; c < params.classes; c++) {
      exps += exp(z[c] - largest);
    }
    for (var r = 0u; r < 4u; r++) {
      let row = rows[r];
      if (row < end) {
        let holds_data = row < step.rows;
        let target_column = target_class[row];
        for (var c = 0u; c < params.classes; c++) {
          logits[row * CLASSES + c] = z[c][r];
          if (GRADIENT) {
            let probability = exp(z[c][r] - largest[r]) / exps[r];
            let gradient = (probability - select(0.0, 1.0, c == target_column)) * step.scale;
            dlogits[row * CLASSES + c] = select(0.0, gradient, holds_data);
          }
        }
        let value = log(exps[r]) - (z[target_column][r] - largest[r]);
        let bits = select(0u, select(NAN, bitcast<u32>(value), finite[r]), holds_data);
        if (!MEAN) {
          row_loss[row] = bits;
        } else if ((bits & EXPONENT) != EXPONENT) {
          sum += bitcast<f32>(bits);
        } else {
          bad = true;
        }
      }
    }
  }
  if (MEAN) {
    let all = subgroupAdd(sum);
    let any_bad = subgroupAny(bad);
    if (lane == 0u) {
      loss[step.slot] = select(bitcast<u32>(all * step.scale), NAN, any_bad);
    }
  }
}
