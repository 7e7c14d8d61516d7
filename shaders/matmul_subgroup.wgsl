// C = A·B, optionally + bias, ReLU, a ReLU mask, or added to what C holds. Operands and shapes as in matmul.wgsl.
// The core for software adapters, where a load costs twenty multiply-adds and a barrier a hundred: no workgroup memory,
// one workgroup = one subgroup = TILE_M rows × 4·LANES columns; a lane owns 4 columns, every A value is loaded by one
// lane and reaches the others by a shuffle. Needs a subgroup size of exactly LANES.
// The accumulators are meant to stay in memory: a loop-carried register costs a mask and a write-back each iteration
// there, an array element a load and a store in place. Hence the run-time bound of the last loop.

enable subgroups;

struct Params {
  m: u32,
  n: u32,
  k: u32,
  accumulate: u32, // 1: C += A·B
  zero: u32,       // 0, which the compiler must not know
}

@group(0) @binding(0) var<storage, read> a: array<vec4u>;
@group(0) @binding(1) var<storage, read> b: array<vec4u>;
@group(0) @binding(2) var<storage, read> bias_or_mask: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

const LANES = 8u;
const TILE_M = 32u;
const A_TRANSPOSED = false;
const B_TRANSPOSED = false;
const A_U8 = false;
const B_U8 = false;
const A_VECTOR = false; // rows of A start on multiples of four elements, so that four come with one load
const B_VECTOR = false;
const K_TAIL = true;    // k is no multiple of 4
const BIAS = false;
const RELU = false;
const MASK = false;

const A_LOADS = TILE_M / LANES;

fn a_word(i: u32) -> f32 {
  if (A_U8) {
    return unpack4x8unorm(a[i / 16u][i / 4u % 4u])[i % 4u];
  }
  return bitcast<f32>(a[i / 4u][i % 4u]);
}

fn b_word(i: u32) -> f32 {
  if (B_U8) {
    return unpack4x8unorm(b[i / 16u][i / 4u % 4u])[i % 4u];
  }
  return bitcast<f32>(b[i / 4u][i % 4u]);
}

// Four elements of A that lie side by side in memory, from element i.
fn a_four(i: u32) -> vec4f {
  if (A_U8) {
    return unpack4x8unorm(a[i / 16u][i / 4u % 4u]);
  }
  return bitcast<vec4f>(a[i / 4u]);
}

fn b_four(i: u32) -> vec4f {
  if (B_U8) {
    return unpack4x8unorm(b[i / 16u][i / 4u % 4u]);
  }
  return bitcast<vec4f>(b[i / 4u]);
}

fn zero_past_k(four: vec4f, k: u32) -> vec4f {
  if (K_TAIL) {
    return select(vec4f(), four, vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(params.k));
  }
  return four;
}

// A[row][k … k+3] (row-major A). Rows and columns beyond the matrix repeat the last one; their sums are not stored.
fn a_along_k(row: u32, k: u32) -> vec4f {
  let start = min(row, params.m - 1u) * params.k;
  if (A_VECTOR) {
    return a_four(start + k);
  }
  let last = params.k - 1u;
  return zero_past_k(vec4f(a_word(start + min(k, last)), a_word(start + min(k + 1u, last)),
                           a_word(start + min(k + 2u, last)), a_word(start + min(k + 3u, last))), k);
}

// A[k][row … row+3] (transposed A).
fn a_along_m(k: u32, row: u32) -> vec4f {
  let start = min(k, params.k - 1u) * params.m;
  var four: vec4f;
  if (A_VECTOR) {
    four = a_four(start + min(row, params.m - 4u));
  } else {
    let last = params.m - 1u;
    four = vec4f(a_word(start + min(row, last)), a_word(start + min(row + 1u, last)),
                 a_word(start + min(row + 2u, last)), a_word(start + min(row + 3u, last)));
  }
  if (K_TAIL) {
    return select(vec4f(), four, k < params.k);
  }
  return four;
}

// B[column][k … k+3] (transposed B).
fn b_along_k(column: u32, k: u32) -> vec4f {
  let start = min(column, params.n - 1u) * params.k;
  if (B_VECTOR) {
    return b_four(start + k);
  }
  let last = params.k - 1u;
  return zero_past_k(vec4f(b_word(start + min(k, last)), b_word(start + min(k + 1u, last)),
                           b_word(start + min(k + 2u, last)), b_word(start + min(k + 3u, last))), k);
}

// B[k][column … column+3] (row-major B).
fn b_along_n(k: u32, column: u32) -> vec4f {
  let start = min(k, params.k - 1u) * params.n;
  var four: vec4f;
  if (B_VECTOR) {
    four = b_four(start + min(column, params.n - 4u));
  } else {
    let last = params.n - 1u;
    four = vec4f(b_word(start + min(column, last)), b_word(start + min(column + 1u, last)),
                 b_word(start + min(column + 2u, last)), b_word(start + min(column + 3u, last)));
  }
  if (K_TAIL) {
    return select(vec4f(), four, k < params.k);
  }
  return four;
}

fn epilogue(sum: f32, row: u32, column: u32) {
  if (column >= params.n) {
    return;
  }
  let i = row * params.n + column;
  var value = sum;
  if (BIAS) {
    value += bias_or_mask[column];
  }
  if (RELU) {
    value = select(value, 0.0, value <= 0.0);
  }
  if (MASK) {
    value = select(value, 0.0, bias_or_mask[i] <= 0.0);
  }
  if (params.accumulate != 0u) {
    value += c[i];
  }
  c[i] = value;
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(subgroup_invocation_id) lane: u32) {
  let row = tile.y * TILE_M;
  let column = (tile.x * LANES + lane) * 4u;
  var sums: array<vec4f, TILE_M>;
  for (var k = 0u; k < params.k; k += 4u) {
    var x: array<vec4f, A_LOADS>; // the tile's TILE_M × 4 values of A, spread over the lanes
    // unroll
    for (var j = 0u; j < A_LOADS; j++) {
      let q = j * LANES + lane;
      if (A_TRANSPOSED) {
        x[j] = a_along_m(k + q / (TILE_M / 4u), row + q % (TILE_M / 4u) * 4u);
      } else {
        x[j] = a_along_k(row + q, k);
      }
    }
    var y: array<vec4f, 4>; // B[k + i][this lane's four columns]
    if (B_TRANSPOSED) {
      let w0 = b_along_k(column, k);
      let w1 = b_along_k(column + 1u, k);
      let w2 = b_along_k(column + 2u, k);
      let w3 = b_along_k(column + 3u, k);
      y = array(vec4f(w0.x, w1.x, w2.x, w3.x), vec4f(w0.y, w1.y, w2.y, w3.y),
                vec4f(w0.z, w1.z, w2.z, w3.z), vec4f(w0.w, w1.w, w2.w, w3.w));
    } else {
      y = array(b_along_n(k, column), b_along_n(k + 1u, column), b_along_n(k + 2u, column), b_along_n(k + 3u, column));
    }
    // unroll
    for (var i = 0u; i < TILE_M; i++) {
      if (A_TRANSPOSED) {
        const s = TILE_M / 4u; // vectors of A per k
        sums[i] = fma(vec4f(subgroupShuffle(x[(3u * s + i / 4u) / LANES][i % 4u], (3u * s + i / 4u) % LANES)), y[3],
                  fma(vec4f(subgroupShuffle(x[(2u * s + i / 4u) / LANES][i % 4u], (2u * s + i / 4u) % LANES)), y[2],
                  fma(vec4f(subgroupShuffle(x[(s + i / 4u) / LANES][i % 4u], (s + i / 4u) % LANES)), y[1],
                  fma(vec4f(subgroupShuffle(x[i / 4u / LANES][i % 4u], i / 4u % LANES)), y[0], sums[i]))));
      } else {
        sums[i] = fma(vec4f(subgroupShuffle(x[i / LANES].w, i % LANES)), y[3],
                  fma(vec4f(subgroupShuffle(x[i / LANES].z, i % LANES)), y[2],
                  fma(vec4f(subgroupShuffle(x[i / LANES].y, i % LANES)), y[1],
                  fma(vec4f(subgroupShuffle(x[i / LANES].x, i % LANES)), y[0], sums[i]))));
      }
    }
  }
  let rows = min(TILE_M, params.m - row) + params.zero;
  for (var i = 0u; i < rows; i++) {
    let sum = sums[i];
    epilogue(sum.x, row + i, column);
    epilogue(sum.y, row + i, column + 1u);
    epilogue(sum.z, row + i, column + 2u);
    epilogue(sum.w, row + i, column + 3u);
  }
}
