// The way back through a linear layer with few outputs, in one pass over its input: by the input, dx = dy·weight, with MASK
// 0 where x is not above 0, which is the way back through the ReLU that made x; by the weights, dweight = dyᵀ·x; with BIAS
// by the bias, dbias = the sums of dy's columns.  Weights' and bias's are added to what is there with accumulate != 0.
// x, dx [rows, features], weight, dweight [OUTPUTS, features] as vec4s, dy [rows, OUTPUTS], dbias [OUTPUTS].
// With SGD dweight and dbias hold the parameters, from which step.lr · gradient is taken; weight is then not used. A NaN or
// an infinity that the step leaves there, found by its bits, is reported in loss[step.slot].
// An invocation owns four features in all rows, so that none needs what another one makes. Two rows at a time, since
// software drivers load and store the sums anew in each iteration; more code than that they would not keep at hand.

enable subgroups;

struct Params {
  rows: u32,
  features: u32,
  outputs: u32,    // OUTPUTS again, for loops that drivers had better not unroll
  accumulate: u32,
}

struct Step {
  rows: u32,  // rows of this batch that hold data
  slot: u32,  // where this step's loss goes
  draw: u32,  // a number of its own for each forward pass, for random numbers
  lr: f32,    // learning rate of this step
  scale: f32, // what the batch's summed loss is multiplied by: 1 / rows for a mean
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> dweight: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> dbias: array<f32>;
@group(0) @binding(6) var<storage, read_write> loss: array<atomic<u32>>; // bits of f32s
@group(0) @binding(7) var<uniform> step: Step;
@group(0) @binding(8) var<uniform> params: Params;

const OUTPUTS = 10u;
const LANES = 8u;
const HELD = 3u; // values of two rows of dy that a lane holds: 2 * OUTPUTS / LANES, rounded up
const MASK = false;
const BIAS = true;
const SGD = false;

const EXPONENT = 0x7f800000u; // all ones in a NaN and in an infinity
const BROKEN = 0x7fc00001u;   // the NaN that stands for a broken gradient or parameter

// Which of the four are a NaN or an infinity. A parameter is one after an SGD step when it or its gradient was one before.
fn not_finite(four: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(four) & vec4u(EXPONENT)) == vec4u(EXPONENT);
}

fn report(is_broken: bool) {
  if (SGD && is_broken) {
    if ((atomicLoad(&loss[step.slot]) & EXPONENT) != EXPONENT) {
      atomicStore(&loss[step.slot], BROKEN);
    }
  }
}

// A column of dy; returns whether SGD made a NaN or an infinity.
fn finish_bias(c: u32) -> bool {
  var value = 0.0;
  for (var row = 0u; row < params.rows; row++) {
    value += dy[row * OUTPUTS + c];
  }
  if (SGD) {
    value = dbias[c] - step.lr * value;
  } else if (params.accumulate != 0u) {
    value += dbias[c];
  }
  dbias[c] = value;
  return any(not_finite(vec4f(value)));
}

// Likewise four weights.
fn finish_weight(i: u32, sum: vec4f) -> vec4<bool> {
  var value = sum;
  if (SGD) {
    value = dweight[i] - step.lr * value;
  } else if (params.accumulate != 0u) {
    value += dweight[i];
  }
  dweight[i] = value;
  return not_finite(value);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  if (BIAS && tile.x == 0u) {
    for (var c = lane; c < params.outputs; c += LANES) {
      report(finish_bias(c));
    }
  }
  // Lanes beyond the last four features repeat them, and store nothing.
  let quads = params.features / 4u;
  let is_inside = tile.x * LANES + lane < quads;
  let quad = min(tile.x * LANES + lane, quads - 1u);
  var w: array<vec4f, OUTPUTS>;  // this lane's columns of the weights,
  var dw: array<vec4f, OUTPUTS>; // and of their gradient
  for (var c = 0u; c < params.outputs; c++) {
    if (SGD) {
      w[c] = dweight[c * quads + quad];
    } else {
      w[c] = weight[c * quads + quad];
    }
  }
  for (var row = 0u; row < params.rows; row += 2u) {
    var held: array<f32, HELD>; // two rows of dy, spread over the lanes
    // unroll
    for (var h = 0u; h < HELD; h++) {
      held[h] = dy[min(row * OUTPUTS + h * LANES + lane, params.rows * OUTPUTS - 1u)];
    }
    var input: array<vec4f, 2>;
    var output = array<vec4f, 2>(); // said, since Dawn for Vulkan makes variables 0 before a loop, not in it
    // unroll
    for (var r = 0u; r < 2u; r++) {
      // A row beyond the last is 0, and its dx not stored.
      input[r] = select(vec4f(), x[(row + r) * quads + quad], row + r < params.rows);
    }
    // unroll
    for (var c = 0u; c < OUTPUTS; c++) {
      var sum = dw[c];
      // unroll
      for (var r = 0u; r < 2u; r++) {
        const v = r * OUTPUTS + c;
        var d: f32;
        // With 8 lanes a shuffle is one instruction of lavapipe's; with others a broadcast is fast, and wants a constant.
        if (LANES == 8u) {
          d = subgroupShuffle(held[v / LANES], v % LANES);
        } else {
          d = subgroupBroadcast(held[v / LANES], v % LANES);
        }
        output[r] = fma(vec4f(d), w[c], output[r]);
        sum = fma(vec4f(d), input[r], sum);
      }
      dw[c] = sum;
    }
    // unroll
    for (var i = 0u; i < 2u; i++) {
      if (MASK) {
        output[i] = select(output[i], vec4f(), input[i] <= vec4f());
      }
      if (is_inside && row + i < params.rows) {
        dx[(row + i) * quads + quad] = output[i];
      }
    }
  }
  if (is_inside) {
    for (var c = 0u; c < params.outputs; c++) {
      report(any(finish_weight(c * quads + quad, dw[c])));
    }
  }
}
