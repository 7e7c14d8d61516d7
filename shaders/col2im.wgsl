// dx[image, c, y, x] = Σ dcolumns[window, (c, ky, kx)] over the windows that hold the element, in their order: the backward
// of im2col.wgsl. With MASK, dx becomes 0 where the ReLU output `mask` is ≤ 0.
//   dcolumns [images·out_height·out_width, channels·kernel_height·kernel_width];
//   dx and mask: images of channels × height × width, in the memory layout that the steps say.

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
  dilation_y: u32,
  dilation_x: u32,
  image_step: u32, // elements from one image to the next, and so on
  channel_step: u32,
  row_step: u32,
  column_step: u32,
  size: u32, // elements of dx
}

@group(0) @binding(0) var<storage, read> dcolumns: array<f32>;
@group(0) @binding(1) var<storage, read> mask: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

override MASK: bool = false;
override DILATED: bool = false; // a dilation is more than 1: windows have gaps

// The first window that reaches as far as `at`, of windows that are `extent` long.
fn first_window(at: u32, extent: u32, stride: u32) -> u32 {
  if (at < extent) {
    return 0u;
  }
  return (at - extent) / stride + 1u;
}

fn in_gap(offset: u32, dilation: u32) -> bool {
  return DILATED && offset % dilation != 0u;
}

fn tap(offset: u32, dilation: u32) -> u32 {
  if (DILATED) {
    return offset / dilation;
  }
  return offset;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  if (i >= params.size) {
    return;
  }
  let channel = i % params.channels;
  let column = i / params.channels % params.width;
  let row = i / params.channels / params.width % params.height;
  let image = i / params.channels / params.width / params.height;
  // Places in the padded image, where windows start at multiples of the stride.
  let y = row + params.padding_y;
  let x = column + params.padding_x;
  let first_y = first_window(y, (params.kernel_height - 1u) * params.dilation_y + 1u, params.stride_y);
  let first_x = first_window(x, (params.kernel_width - 1u) * params.dilation_x + 1u, params.stride_x);
  let end_y = min(y / params.stride_y + 1u, params.out_height);
  let end_x = min(x / params.stride_x + 1u, params.out_width);
  var sum = 0.0;
  for (var oy = first_y; oy < end_y; oy++) {
    let offset_y = y - oy * params.stride_y;
    if (in_gap(offset_y, params.dilation_y)) {
      continue;
    }
    let ky = tap(offset_y, params.dilation_y);
    for (var ox = first_x; ox < end_x; ox++) {
      let offset_x = x - ox * params.stride_x;
      if (in_gap(offset_x, params.dilation_x)) {
        continue;
      }
      let window = (image * params.out_height + oy) * params.out_width + ox;
      let row_of_taps = (window * params.channels + channel) * params.kernel_height + ky;
      sum += dcolumns[row_of_taps * params.kernel_width + tap(offset_x, params.dilation_x)];
    }
  }
  let place = image * params.image_step + channel * params.channel_step
            + row * params.row_step + column * params.column_step;
  if (MASK) {
    sum = select(sum, 0.0, mask[place] <= 0.0);
  }
  dx[place] = sum;
}
