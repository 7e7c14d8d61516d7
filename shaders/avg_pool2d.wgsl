// y[image, oy, ox, c] = Σ x[image, y, x, c] over a window ÷ its kernel's size, padding counted as zeros:
// https://pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html.
//   x [images, height, width, channels], y [images, out_height, out_width, channels].

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
  size: u32, // elements of y
}

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (i >= params.size) {
    return;
  }
  // Remainders by hand: a division is what costs most on a CPU.
  let window = i / params.channels;
  let channel = i - window * params.channels;
  let line = window / params.out_width;
  let ox = window - line * params.out_width;
  let image = line / params.out_height;
  let oy = line - image * params.out_height;
  // In the padded image; what lies in the padding is left out.
  let y_start = oy * params.stride_y;
  let x_start = ox * params.stride_x;
  let top = max(y_start, params.padding_y) - params.padding_y;
  let left = max(x_start, params.padding_x) - params.padding_x;
  let bottom = min(y_start + params.kernel_height, params.padding_y + params.height) - params.padding_y;
  let right = min(x_start + params.kernel_width, params.padding_x + params.width) - params.padding_x;
  let first = image * params.height * params.width; // pixel of the image
  var sum = 0.0;
  for (var row = top; row < bottom; row++) {
    for (var column = left; column < right; column++) {
      sum += x[(first + row * params.width + column) * params.channels + channel];
    }
  }
  y[i] = sum / f32(params.kernel_height * params.kernel_width);
}
