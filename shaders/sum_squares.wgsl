// partial[w] = (Σ x² of the x below 2³², Σ (x · 2⁻⁸⁰)² of the others), over the elements of workgroup w: no sum overflows.
// x [size], four elements at a time; partial [parts, 2], the bits of f32s. A workgroup strides over all of x, 64 strands,
// then a fixed tree. A NaN or an infinity among its elements, found by its bits, makes its second sum an infinity.

struct Params {
  size: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> partial: array<vec2u>;
@group(0) @binding(2) var<uniform> params: Params;

const THREADS = 64u;
const EXPONENT = 0x7f800000u; // all ones in a NaN and in an infinity; by itself the latter
const LARGE = 4294967296.0; // 2³²
const SHRINK = 8.271806125530277e-25; // 2⁻⁸⁰

var<workgroup> sums: array<vec2f, THREADS>;
var<workgroup> broken: array<u32, THREADS>;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) group: vec3u,
  @builtin(local_invocation_index) thread: u32,
  @builtin(num_workgroups) grid: vec3u,
) {
  var small = vec4f(0.0);
  var large = vec4f(0.0);
  var bad = vec4<bool>(false);
  for (var i = group.x * THREADS + thread; 4u * i < params.size; i += grid.x * THREADS) {
    // The last four may reach beyond x.
    let inside = (4u * i + vec4u(0u, 1u, 2u, 3u)) < vec4u(params.size);
    let four = select(vec4f(0.0), x[i], inside);
    let is_large = abs(four) >= vec4f(LARGE);
    let below = select(four, vec4f(0.0), is_large);
    let shrunk = select(vec4f(0.0), four * SHRINK, is_large);
    small += below * below;
    large += shrunk * shrunk;
    bad |= (bitcast<vec4u>(four) & vec4u(EXPONENT)) == vec4u(EXPONENT);
  }
  sums[thread] = vec2f((small.x + small.y) + (small.z + small.w), (large.x + large.y) + (large.z + large.w));
  broken[thread] = select(0u, 1u, any(bad));
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      sums[thread] += sums[thread + half];
      broken[thread] |= broken[thread + half];
    }
  }
  if (thread == 0u) {
    let total = bitcast<vec2u>(sums[0]);
    partial[group.x] = vec2u(total.x, select(total.y, EXPONENT, broken[0] != 0u));
  }
}
