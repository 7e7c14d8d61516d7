// gradient *= min(1, limit / (norm + 1e-6)), norm = √Σ gradient², from sum_squares.wgsl's partial sums; with VALUE
// gradient = clamp(gradient, -limit, limit).  gradient [size], four elements an invocation; partial [parts, 2].
// https://pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html, .../torch.nn.utils.clip_grad_value_.html
// Nothing is clipped of a gradient with a NaN or an infinity in it (with VALUE these elements keep their bits), so that the
// optimizer's kernel finds and reports them. Beyond 10³⁸ times the limit the norm may make all gradients 0.

struct Params {
  size: u32,
  parts: u32,
  limit: f32,
}

override VALUE: bool = false;

@group(0) @binding(0) var<storage, read> partial: array<vec2u>; // bits of f32s
@group(0) @binding(1) var<storage, read_write> gradient: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

const THREADS = 64u;
const EXPONENT = 0x7f800000u; // all ones in a NaN and in an infinity; by itself the latter
const SHRINK = 8.271806125530277e-25; // 2⁻⁸⁰, of what the second sum is made of

var<workgroup> sums: array<vec2f, THREADS>;
var<workgroup> broken: array<u32, THREADS>;

// What gradients are multiplied with. Every workgroup adds up the partial sums again, in the same order.
fn coefficient(thread: u32) -> f32 {
  var sum = vec2f(0.0);
  var bad = 0u;
  for (var i = thread; i < params.parts; i += THREADS) {
    sum += bitcast<vec2f>(partial[i]);
    bad |= select(0u, 1u, partial[i].y == EXPONENT);
  }
  sums[thread] = sum;
  broken[thread] = bad;
  for (var half = THREADS / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (thread < half) {
      sums[thread] += sums[thread + half];
      broken[thread] |= broken[thread + half];
    }
  }
  // All read the sums' last state.
  workgroupBarrier(); let total = sums[0];
  // Where there are large gradients the norm is computed of all of them shrunk.
  let shrink = select(1.0, SHRINK, total.y > 0.0);
  let rest = sqrt(total.x) * shrink;
  let norm = select(rest, sqrt(total.y + rest * rest), total.y > 0.0);
  let factor = params.limit / (norm + 1e-6 * shrink) * shrink;
  return select(min(factor, 1.0), 1.0, broken[0] != 0u);
}

@compute @workgroup_size(64)
fn main(
  @builtin(global_invocation_id) id: vec3u,
  @builtin(local_invocation_index) thread: u32,
  @builtin(num_workgroups) grid: vec3u,
) {
  var factor = 1.0;
  if (!VALUE) {
    factor = coefficient(thread);
  }
  let i = id.x + id.y * grid.x * 64u;
  if (4u * i >= params.size) {
    return;
  }
  // The last four may reach beyond the arena; what lies there keeps its bits.
  let inside = (4u * i + vec4u(0u, 1u, 2u, 3u)) < vec4u(params.size);
  let before = gradient[i];
  let broken_here = (bitcast<vec4u>(before) & vec4u(EXPONENT)) == vec4u(EXPONENT);
  var after = before * factor;
  if (VALUE) {
    after = clamp(before, vec4f(-params.limit), vec4f(params.limit));
  }
  gradient[i] = select(before, after, inside & !broken_here);
}
