// y[image, oy, ox, c] = the largest x[image, y, x, c] of a window, the first of equals in row-major order; and where it lies,
// index = y·width + x. A NaN is the largest of all, the last of them where there are several, as in
// https://pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html. No window is all padding.
//   x [images, height, width, channels], y and index [images, out_height, out_width, channels].
// An invocation has one element of y, or with FOURS those of four neighbouring channels.

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

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
// Words: storing a component may touch the whole of a vector (https://www.w3.org/TR/WGSL/#memory-access-operation).
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<storage, read_write> index: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

override FOURS: bool = false; // channels are a multiple of four

fn is_nan(value: f32) -> bool {
  return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

fn are_nan(four: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(four) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn word(i: u32) -> f32 {
  return x[i >> 2u][i & 3u];
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  // Fours, or elements: what i counts.
  let size = select(params.size, params.size / 4u, FOURS);
  let channels = select(params.channels, params.channels / 4u, FOURS);
  if (i >= size) {
    return;
  }
  // Remainders by hand: a division is what costs most on a CPU.
  let window = i / channels;
  let channel = i - window * channels;
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
  let start = top * params.width + left;
  if (FOURS) {
    var at = vec4u(start);
    var largest = x[(first + start) * channels + channel];
    for (var row = top; row < bottom; row++) {
      for (var column = left; column < right; column++) {
        let pixel = row * params.width + column;
        let value = x[(first + pixel) * channels + channel];
        let larger = are_nan(value) | ((value > largest) & !are_nan(largest));
        largest = select(largest, value, larger);
        at = select(at, vec4u(pixel), larger);
      }
    }
    for (var c = 0u; c < 4u; c++) {
      y[4u * i + c] = largest[c];
      index[4u * i + c] = at[c];
    }
    return;
  }
  var at = start;
  var largest = word((first + start) * channels + channel);
  for (var row = top; row < bottom; row++) {
    for (var column = left; column < right; column++) {
      let pixel = row * params.width + column;
      let value = word((first + pixel) * channels + channel);
      if (is_nan(value) || (value > largest && !is_nan(largest))) {
        largest = value;
        at = pixel;
      }
    }
  }
  y[i] = largest;
  index[i] = at;
}
