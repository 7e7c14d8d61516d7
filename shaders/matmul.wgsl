// C = A·B, optionally + bias, ReLU, a ReLU mask, or added to what C holds.
//   A [m, k] row-major, or [k, m] with A_TRANSPOSED;  B [k, n] row-major, or [n, k] with B_TRANSPOSED;
//   C [m, n];  bias_or_mask: bias [n] with BIAS, activations [m, n] with MASK, otherwise unused.
// The portable core: an 8 × 8 workgroup computes a 32 × 32 tile of C from tiles of A and B in workgroup memory,
// 4 × 4 elements an invocation. Operands are bound as words, so that one kernel reads f32 and u8 (scaled by 1/255).

struct Params {
  m: u32,
  n: u32,
  k: u32,
  accumulate: u32, // 1: C += A·B
}

@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<u32>;
@group(0) @binding(2) var<storage, read> bias_or_mask: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

override A_TRANSPOSED: bool = false;
override B_TRANSPOSED: bool = false;
override A_U8: bool = false;
override B_U8: bool = false;
override BIAS: bool = false;
override RELU: bool = false;
override MASK: bool = false;

const TILE = 32u; // rows and columns of C a workgroup
const TILE_K = 16u;
const THREADS = 64u;

var<workgroup> a_tile: array<vec4f, TILE_K * TILE / 4u>; // [k][row / 4]
var<workgroup> b_tile: array<vec4f, TILE_K * TILE / 4u>; // [k][column / 4]

fn a_at(row: u32, k: u32) -> f32 {
  if (row >= params.m || k >= params.k) {
    return 0.0;
  }
  let i = select(row * params.k + k, k * params.m + row, A_TRANSPOSED);
  if (A_U8) {
    return unpack4x8unorm(a[i / 4u])[i % 4u];
  }
  return bitcast<f32>(a[i]);
}

fn b_at(k: u32, column: u32) -> f32 {
  if (column >= params.n || k >= params.k) {
    return 0.0;
  }
  let i = select(k * params.n + column, column * params.k + k, B_TRANSPOSED);
  if (B_U8) {
    return unpack4x8unorm(b[i / 4u])[i % 4u];
  }
  return bitcast<f32>(b[i]);
}

fn epilogue(sum: f32, row: u32, column: u32) {
  if (row >= params.m || column >= params.n) {
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

@compute @workgroup_size(8, 8)
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(local_invocation_id) local: vec3u,
        @builtin(local_invocation_index) thread: u32) {
  let row = tile.y * TILE;
  let column = tile.x * TILE;
  var sums: array<vec4f, 4>;
  for (var k = 0u; k < params.k; k += TILE_K) {
    for (var i = thread; i < TILE_K * TILE / 4u; i += THREADS) {
      let kk = k + i / (TILE / 4u);
      let four = 4u * (i % (TILE / 4u));
      a_tile[i] = vec4f(a_at(row + four, kk), a_at(row + four + 1u, kk), a_at(row + four + 2u, kk), a_at(row + four + 3u, kk));
      b_tile[i] = vec4f(b_at(kk, column + four), b_at(kk, column + four + 1u), b_at(kk, column + four + 2u), b_at(kk, column + four + 3u));
    }
    workgroupBarrier();
    for (var kk = 0u; kk < TILE_K; kk++) {
      let x = a_tile[kk * (TILE / 4u) + local.y];
      let y = b_tile[kk * (TILE / 4u) + local.x];
      sums[0] += x.x * y;
      sums[1] += x.y * y;
      sums[2] += x.z * y;
      sums[3] += x.w * y;
    }
    workgroupBarrier(); // the next round overwrites the tiles
  }
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      epilogue(sums[i][j], row + 4u * local.y + i, column + 4u * local.x + j);
    }
  }
}
