// columns[window, (c, ky, kx)] = x[image, c, y, x] at y = oy·stride + ky·dilation - padding (x likewise), 0 outside of the
// image: what makes a convolution a product with its weight as it lies.
//   x: images of channels × height × width, in the memory layout that the steps say;
//   columns [images·out_height·out_width, channels·kernel_height·kernel_width].
// One invocation copies the part of a window that lies in one channel. x is bound as words: f32, or u8 (scaled by 1/255).

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
  size: u32, // windows times channels
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> columns: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

override X_U8: bool = false;

fn x_at(i: u32) -> f32 {
  if (X_U8) {
    return unpack4x8unorm(x[i >> 2u])[i & 3u];
  }
  return bitcast<f32>(x[i]);
}

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
  let start = image * params.image_step + channel * params.channel_step;
  // What lies above or to the left of the image wraps around to a number far beyond it.
  let top = oy * params.stride_y - params.padding_y;
  let left = ox * params.stride_x - params.padding_x;
  var place = i * params.kernel_height * params.kernel_width;
  for (var ky = 0u; ky < params.kernel_height; ky++) {
    let row = top + ky * params.dilation_y;
    for (var kx = 0u; kx < params.kernel_width; kx++) {
      let column = left + kx * params.dilation_x;
      var value = 0.0;
      if (row < params.height && column < params.width) {
        value = x_at(start + row * params.row_step + column * params.column_step);
      }
      columns[place] = value;
      place++;
    }
  }
}
