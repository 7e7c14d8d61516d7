// Adam and AdamW over a whole arena.  g = direction · gradient + weight_decay · value;  m = β₁·m + (1 - β₁)·g;
// v = β₂·v + (1 - β₂)·g²;  value = keep · value - step_size · m / (√v / bias_correction2_sqrt + eps)
// All [size]: value, gradient, m = exp_avg, v = exp_avg_sq; four elements an invocation. With AMSGRAD the largest v so far,
// max_exp_avg_sq, stands for v below the root. AdamW's weights decay by keep = 1 - lr · weight_decay and not by g.
// https://pytorch.org/docs/stable/generated/torch.optim.Adam.html, .../torch.optim.AdamW.html
// A NaN or an infinity among gradients, values and what is kept, found by its bits, is reported in loss[step.slot], unless
// the loss is itself such a value.

struct Params {
  size: u32,
}

struct Step {
  rows: u32,  // rows of this batch that hold data
  slot: u32,  // where this step's loss goes
  draw: u32,  // a number of its own for each forward pass, for random numbers
  lr: f32,    // learning rate of this step
  scale: f32, // what the batch's summed loss is multiplied by: 1 / rows for a mean
}

struct Hyper {
  step_size: f32, // lr / (1 - β₁ᵗ)
  keep: f32,
  weight_decay: f32,
  direction: f32, // 1, or -1 to maximize
  beta1: f32,
  one_minus_beta1: f32,
  beta2: f32,
  one_minus_beta2: f32,
  bias_correction2_sqrt: f32, // √(1 - β₂ᵗ)
  eps: f32,
}

override AMSGRAD: bool = false;

@group(0) @binding(0) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> value: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> exp_avg: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> exp_avg_sq: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> max_exp_avg_sq: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> loss: array<atomic<u32>>; // bits of f32s
@group(0) @binding(6) var<uniform> hyper: Hyper;
@group(0) @binding(7) var<uniform> step: Step;
@group(0) @binding(8) var<uniform> params: Params;

const EXPONENT = 0x7f800000u; // all ones in a NaN and in an infinity
const BROKEN = 0x7fc00001u; // the NaN that stands for a broken gradient or parameter

fn broken(four: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(four) & vec4u(EXPONENT)) == vec4u(EXPONENT);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (4u * i >= params.size) {
    return;
  }
  // The last four may reach beyond the arena; what lies there keeps its bits.
  let inside = (4u * i + vec4u(0u, 1u, 2u, 3u)) < vec4u(params.size);
  let before = value[i];
  let g = hyper.direction * gradient[i] + hyper.weight_decay * before;
  let m = hyper.beta1 * exp_avg[i] + hyper.one_minus_beta1 * g;
  let v = hyper.beta2 * exp_avg_sq[i] + hyper.one_minus_beta2 * g * g;
  exp_avg[i] = select(exp_avg[i], m, inside);
  exp_avg_sq[i] = select(exp_avg_sq[i], v, inside);
  var bad = broken(gradient[i]) | broken(before) | broken(m) | broken(v);
  var second = v;
  if (AMSGRAD) {
    bad |= broken(max_exp_avg_sq[i]);
    second = max(max_exp_avg_sq[i], v);
    max_exp_avg_sq[i] = select(max_exp_avg_sq[i], second, inside);
  }
  let after = hyper.keep * before - hyper.step_size * m / (sqrt(second) / hyper.bias_correction2_sqrt + hyper.eps);
  value[i] = select(before, after, inside);
  if (any(inside & (bad | broken(after)))) {
    if ((atomicLoad(&loss[step.slot]) & EXPONENT) != EXPONENT) {
      atomicStore(&loss[step.slot], BROKEN);
    }
  }
}
