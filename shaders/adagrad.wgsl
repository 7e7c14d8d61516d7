// Adagrad over a whole arena.  g = direction · gradient + weight_decay · value;  s += g²;  value -= rate · g / (√s + eps)
// All [size]: value, gradient, s = sum; four elements an invocation.
// https://pytorch.org/docs/stable/generated/torch.optim.Adagrad.html
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
  rate: f32, // lr / (1 + (t - 1) · lr_decay)
  weight_decay: f32,
  direction: f32, // 1, or -1 to maximize
  eps: f32,
}

@group(0) @binding(0) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> value: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> sum: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> loss: array<atomic<u32>>; // bits of f32s
@group(0) @binding(4) var<uniform> hyper: Hyper;
@group(0) @binding(5) var<uniform> step: Step;
@group(0) @binding(6) var<uniform> params: Params;

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
  let s = sum[i] + g * g;
  sum[i] = select(sum[i], s, inside);
  let bad = broken(gradient[i]) | broken(before) | broken(s);
  let after = before - hyper.rate * g / (sqrt(s) + hyper.eps);
  value[i] = select(before, after, inside);
  if (any(inside & (bad | broken(after)))) {
    if ((atomicLoad(&loss[step.slot]) & EXPONENT) != EXPONENT) {
      atomicStore(&loss[step.slot], BROKEN);
    }
  }
}
