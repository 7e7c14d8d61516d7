// value -= step.lr · gradient, over a whole arena.  value, gradient [size]; four elements an invocation.
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

@group(0) @binding(0) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> value: array<vec4f>;
@group(0) @binding(2) var<uniform> step: Step;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (4u * i >= params.size) {
    return;
  }
  // The last four may reach beyond the arena; what lies there keeps its bits.
  let element = 4u * i + vec4u(0u, 1u, 2u, 3u);
  value[i] = select(value[i], value[i] - step.lr * gradient[i], element < vec4u(params.size));
}
