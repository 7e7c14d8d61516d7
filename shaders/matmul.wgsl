// C = A·B, optionally + bias, ReLU, a ReLU mask, added to what C holds, or taken from it as an SGD step
// (https://pytorch.org/docs/stable/generated/torch.optim.SGD.html); and the sums of op(A)'s rows, a bias's gradient.
//   A [m, k] row-major, or [k, m] with A_TRANSPOSED;  B [k, n] row-major, or [n, k] with B_TRANSPOSED;
//   C [m, n], or [chunks, m, n] where workgroups share k: the z of a workgroup says which `chunk` of k it sums over, and
//   somebody else adds the chunks up;  bias_or_mask: bias [n] with BIAS, activations [m, n] with MASK, otherwise unused;
//   row_sums: with ROW_SUMS the sums, [m] or [chunks, m]; otherwise unused.
// The portable core: a workgroup computes a TILE × TILE tile of C from tiles of A and B in workgroup memory, 4 × 4 elements
// an invocation. With SPLIT > 1 as many teams share a tile, each with every SPLIT-th piece of k, and their sums are added
// by a fixed tree: for a C too small to keep a GPU busy. Operands are bound as words, so that one kernel reads f32 and u8
// (scaled by 1/255).
// With SGD, a NaN or an infinity among gradients and values, found by its bits, is reported in loss[step.slot].

struct Params {
  m: u32,
  n: u32,
  k: u32,
  accumulate: u32, // 1: C += A·B
  chunk: u32,      // k, or a multiple of what the teams take between two barriers
}

struct Step {
  rows: u32,  // rows of this batch that hold data
  slot: u32,  // where this step's loss goes
  draw: u32,  // a number of its own for each forward pass, for random numbers
  lr: f32,    // learning rate of this step
  scale: f32, // what the batch's summed loss is multiplied by: 1 / rows for a mean
}

@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<u32>;
@group(0) @binding(2) var<storage, read> bias_or_mask: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read_write> row_sums: array<f32>;
@group(0) @binding(5) var<storage, read_write> loss: array<atomic<u32>>; // bits of f32s
@group(0) @binding(6) var<uniform> step: Step;
@group(0) @binding(7) var<uniform> params: Params;

override A_TRANSPOSED: bool = false;
override B_TRANSPOSED: bool = false;
override A_U8: bool = false;
override B_U8: bool = false;
override BIAS: bool = false;
override RELU: bool = false;
override MASK: bool = false;
override ROW_SUMS: bool = false;  // a further column of workgroups sums op(A)'s rows
override SGD: bool = false;       // C and the row sums are parameters: -= step.lr · (what would be stored)

const TILE = 32u;  // rows and columns of C a workgroup
const SPLIT = 1u;  // teams, a power of two
const TILE_K = 8u; // steps along k that a team takes between two barriers

const SIDE = TILE / 4u;
const TEAM = SIDE * SIDE;
const THREADS = TEAM * SPLIT;
const STRIDE = SIDE + 1u; // odd: neighbours along k fall into different banks
const FOURS = TILE_K * SIDE;
const STRANDS = THREADS / TILE;

const EXPONENT = 0x7f800000u; // all ones in a NaN and in an infinity
const BROKEN = 0x7fc00001u;   // the NaN that stands for a broken gradient or parameter

var<workgroup> a_tile: array<vec4f, SPLIT * TILE_K * STRIDE>; // [team][k][row / 4]
var<workgroup> b_tile: array<vec4f, SPLIT * TILE_K * STRIDE>; // [team][k][column / 4]
var<workgroup> partial: array<vec4f, SPLIT / 2u * TEAM * 4u + 1u>; // [team][row][invocation]: sums of the upper half of the teams
var<workgroup> row_partial: array<f32, THREADS>; // [strand][row]

fn a_at(row: u32, k: u32) -> f32 {
  if (row >= params.m || k >= params.k) {
    return 0.0;
  }
  let i = select(row * params.k + k, k * params.m + row, A_TRANSPOSED);
  if (A_U8) {
    return unpack4x8unorm(a[i >> 2u])[i & 3u];
  }
  return bitcast<f32>(a[i]);
}

fn b_at(k: u32, column: u32) -> f32 {
  if (column >= params.n || k >= params.k) {
    return 0.0;
  }
  let i = select(k * params.n + column, column * params.k + k, B_TRANSPOSED);
  if (B_U8) {
    return unpack4x8unorm(b[i >> 2u])[i & 3u];
  }
  return bitcast<f32>(b[i]);
}

fn broken(value: f32) -> bool {
  return (bitcast<u32>(value) & EXPONENT) == EXPONENT;
}

fn report() {
  if ((atomicLoad(&loss[step.slot]) & EXPONENT) != EXPONENT) {
    atomicStore(&loss[step.slot], BROKEN);
  }
}

fn epilogue(sum: f32, part: u32, row: u32, column: u32) {
  if (row >= params.m || column >= params.n) {
    return;
  }
  let i = (part * params.m + row) * params.n + column;
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
  if (SGD) {
    let before = c[i];
    let after = before - step.lr * value;
    c[i] = after;
    if (broken(value) || broken(before) || broken(after)) {
      report();
    }
    return;
  }
  if (params.accumulate != 0u) {
    value += c[i];
  }
  c[i] = value;
}

fn epilogue_row(sum: f32, part: u32, row: u32) {
  if (row >= params.m) {
    return;
  }
  let i = part * params.m + row;
  if (SGD) {
    let before = row_sums[i];
    let after = before - step.lr * sum;
    row_sums[i] = after;
    if (broken(sum) || broken(before) || broken(after)) {
      report();
    }
    return;
  }
  if (params.accumulate != 0u) {
    row_sums[i] += sum;
  } else {
    row_sums[i] = sum;
  }
}

// The end of a part of k.
fn end_of(part: u32) -> u32 {
  return min((part + 1u) * params.chunk, params.k);
}

fn sum_rows(part: u32, first: u32, thread: u32) {
  let row = first + thread % TILE;
  var sum = 0.0;
  for (var k = part * params.chunk + thread / TILE; k < end_of(part); k += STRANDS) {
    sum += a_at(row, k);
  }
  row_partial[thread] = sum;
  workgroupBarrier();
  if (thread < TILE) {
    for (var strand = 1u; strand < STRANDS; strand++) {
      sum += row_partial[strand * TILE + thread];
    }
    epilogue_row(sum, part, row);
  }
}

@compute @workgroup_size(SIDE, SIDE, SPLIT)
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_id) local: vec3u, @builtin(local_invocation_index) thread: u32) {
  let row = tile.y * TILE;
  let column = tile.x * TILE;
  if (ROW_SUMS && tile.x == grid.x - 1u) {
    sum_rows(tile.z, row, thread);
    return;
  }
  let team = local.z * TILE_K * STRIDE; // where its part of the tiles begins
  var sums: array<vec4f, 4>;
  for (var round = tile.z * params.chunk; round < end_of(tile.z); round += TILE_K * SPLIT) {
    let k = round + local.z * TILE_K;
    for (var i = thread % TEAM; i < FOURS; i += TEAM) {
      // Neighbouring invocations read neighbouring words: along k, or across it where the operand is transposed.
      let a_k = select(i % TILE_K, i / SIDE, A_TRANSPOSED);
      let a_four = select(i / TILE_K, i % SIDE, A_TRANSPOSED);
      let y = row + 4u * a_four;
      a_tile[team + a_k * STRIDE + a_four] =
        vec4f(a_at(y, k + a_k), a_at(y + 1u, k + a_k), a_at(y + 2u, k + a_k), a_at(y + 3u, k + a_k));
      let b_k = select(i / SIDE, i % TILE_K, B_TRANSPOSED);
      let b_four = select(i % SIDE, i / TILE_K, B_TRANSPOSED);
      let x = column + 4u * b_four;
      b_tile[team + b_k * STRIDE + b_four] =
        vec4f(b_at(k + b_k, x), b_at(k + b_k, x + 1u), b_at(k + b_k, x + 2u), b_at(k + b_k, x + 3u));
    }
    workgroupBarrier();
    for (var kk = 0u; kk < TILE_K; kk++) {
      let x = a_tile[team + kk * STRIDE + local.y];
      let y = b_tile[team + kk * STRIDE + local.x];
      sums[0] += x.x * y;
      sums[1] += x.y * y;
      sums[2] += x.z * y;
      sums[3] += x.w * y;
    }
    workgroupBarrier(); // the next round overwrites the tiles
  }
  for (var half = SPLIT / 2u; half > 0u; half /= 2u) {
    let place = local.z % half * 4u * TEAM + thread % TEAM;
    if (half <= local.z && local.z < 2u * half) {
      for (var i = 0u; i < 4u; i++) {
        partial[place + i * TEAM] = sums[i];
      }
    }
    workgroupBarrier();
    if (local.z < half) {
      for (var i = 0u; i < 4u; i++) {
        sums[i] += partial[place + i * TEAM];
      }
    }
    workgroupBarrier(); // the next half overwrites the partial sums
  }
  if (local.z >= 1u) {
    return;
  }
  for (var i = 0u; i < 4u; i++) {
    for (var j = 0u; j < 4u; j++) {
      epilogue(sums[i][j], tile.z, row + 4u * local.y + i, column + 4u * local.x + j);
    }
  }
}
