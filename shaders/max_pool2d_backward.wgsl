// dx[image, y, x, c] = Σ dy of the windows whose largest element it was, in their order: those with index = y·width + x.
// With MASK, dx becomes 0 where the ReLU output `mask` is ≤ 0.
//   dy and index [images, out_height, out_width, channels], dx and mask [images, height, width, channels].
// An invocation has one element of dx, or with FOURS those of four neighbouring channels.

struct Params {
  channels: u32,
  height: u32,
  width: u32,
  out_height: u32,
  out_width: u32,
  stride_y: u32,
  stride_x: u32,
  padding_y: u32, // above
  padding_x: u32, // to the left
  reach_y: u32, // how many windows may hold an element
  reach_x: u32,
  size: u32, // elements of dx
}

@group(0) @binding(0) var<storage, read> dy: array<vec4f>;
@group(0) @binding(1) var<storage, read> index: array<vec4u>;
@group(0) @binding(2) var<storage, read> mask: array<vec4f>;
// Words: storing a component may touch the whole of a vector (https://www.w3.org/TR/WGSL/#memory-access-operation).
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

override MASK: bool = false;
override FOURS: bool = false; // channels are a multiple of four

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) grid: vec3u) {
  let i = id.x + id.y * grid.x * 64u;
  // Fours, or elements: what i and `place` count.
  let size = select(params.size, params.size / 4u, FOURS);
  let channels = select(params.channels, params.channels / 4u, FOURS);
  if (i >= size) {
    return;
  }
  // Remainders by hand: a division is what costs most on a CPU.
  let pixel = i / channels; // over all images
  let channel = i - pixel * channels;
  let line = pixel / params.width;
  let column = pixel - line * params.width;
  let image = line / params.height;
  let row = line - image * params.height;
  // Places in the padded image, where windows start at multiples of the stride.
  let y = row + params.padding_y;
  let x = column + params.padding_x;
  let end_y = y / params.stride_y + 1u;
  let end_x = x / params.stride_x + 1u;
  let place_in_image = row * params.width + column;
  var sum = vec4f(); // or an element's, at x
  for (var oy = max(end_y, params.reach_y) - params.reach_y; oy < min(end_y, params.out_height); oy++) {
    for (var ox = max(end_x, params.reach_x) - params.reach_x; ox < min(end_x, params.out_width); ox++) {
      let window = (image * params.out_height + oy) * params.out_width + ox;
      let place = window * channels + channel;
      // Where they are equal, the place in the image lies in the window, too.
      if (FOURS) {
        sum += select(vec4f(), dy[place], index[place] == vec4u(place_in_image));
      } else if (index[place >> 2u][place & 3u] == place_in_image) {
        sum.x += dy[place >> 2u][place & 3u];
      }
    }
  }
  if (FOURS) {
    if (MASK) {
      sum = select(sum, vec4f(), mask[i] <= vec4f());
    }
    for (var c = 0u; c < 4u; c++) {
      dx[4u * i + c] = sum[c];
    }
  } else {
    if (MASK) {
      sum.x = select(sum.x, 0.0, mask[i >> 2u][i & 3u] <= 0.0);
    }
    dx[i] = sum.x;
  }
}
