// dx[image, y, x, c] = Σ dy of the windows that hold the element, in their order, ÷ the size of the kernel.
// With MASK, dx becomes 0 where the ReLU output `mask` is ≤ 0.
//   dy [images, out_height, out_width, channels], dx and mask [images, height, width, channels].

struct Params {
  channels: u32,
  height: u32,
  width: u32,
  out_height: u32,
  out_width: u32,
  kernel_height: u32,
  kernel_width: u32,
  stride_y: u32,
  stride_x: u32,
  padding_y: u32, // above
  padding_x: u32, // to the left
  size: u32, // elements of dx
}

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read> mask: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

override MASK: bool = false;

// The first window that reaches as far as `at`, of windows that are `extent` long.
fn first_window(at: u32, extent: u32, stride: u32) -> u32 {
  if (at < extent) {
    return 0u;
  }
  return (at - extent) / stride + 1u;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (i >= params.size) {
    return;
  }
  let channel = i % params.channels;
  let pixel = i / params.channels % (params.height * params.width);
  let image = i / params.channels / (params.height * params.width);
  let y = pixel / params.width + params.padding_y;
  let x = pixel % params.width + params.padding_x;
  let first_y = first_window(y, params.kernel_height, params.stride_y);
  let first_x = first_window(x, params.kernel_width, params.stride_x);
  let end_y = min(y / params.stride_y + 1u, params.out_height);
  let end_x = min(x / params.stride_x + 1u, params.out_width);
  var sum = 0.0;
  for (var oy = first_y; oy < end_y; oy++) {
    for (var ox = first_x; ox < end_x; ox++) {
      let window = (image * params.out_height + oy) * params.out_width + ox;
      sum += dy[window * params.channels + channel];
    }
  }
  sum = sum / f32(params.kernel_height * params.kernel_width);
  if (MASK) {
    sum = select(sum, 0.0, mask[i] <= 0.0);
  }
  dx[i] = sum;
}
