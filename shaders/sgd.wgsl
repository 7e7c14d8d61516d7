// value -= step.lr · gradient, over a whole arena.  value, gradient [size].
// https://pytorch.org/docs/stable/generated/torch.optim.SGD.html (without momentum and weight decay)

struct Params {
  size: u32,
}

struct Step {
  rows: u32,
  slot: u32,
  number: u32,
  lr: f32, // learning rate of this step
}

@group(0) @binding(0) var<storage, read> gradient: array<f32>;
@group(0) @binding(1) var<storage, read_write> value: array<f32>;
@group(0) @binding(2) var<uniform> step: Step;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (i >= params.size) {
    return;
  }
  value[i] -= step.lr * gradient[i];
}
