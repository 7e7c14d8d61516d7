// C = A·B, optionally + bias, ReLU, a ReLU mask, added to what C holds, or taken from it as an SGD step; and the sums of
// op(A)'s rows. Operands, shapes and constants as in matmul.wgsl.
// The core for software adapters, where a load costs dozens of multiply-adds and a barrier a hundred: no workgroup memory,
// one workgroup = one subgroup = ROWS rows × 4·QUADS·LANES columns; a lane owns 4·QUADS columns, every A value is loaded
// by one lane and reaches the others by a broadcast. Needs a subgroup size of exactly LANES.
// An operand may be an image of the matrix instead: lavapipe loads a texel of it in a third of the instructions that four
// elements of a buffer take. SwiftShader loads those no better, but samples a texel of all its lanes in a fifth of the code.
// The accumulators are meant to stay in memory: a loop-carried register costs a mask and a write-back each iteration
// there, an array element a load and a store in place. Hence the run-time bound of the last loop.
// Indices are shifted and masked, not divided: SwiftShader divides by constants, too, and one lane after the other.
// With four lanes, SwiftShader's, a broadcast costs ten instructions, a swap within the quad one: each lane then adds up
// rows of its neighbours in the order in which swaps bring them. And four steps along k are a matrix times a vector: the
// sum of their products stays in a register, where each fma's goes to memory and back.

enable subgroups;

struct Params {
  m: u32,
  n: u32,
  k: u32,
  accumulate: u32, // 1: C += A·B
  chunk: u32,      // k, or a multiple of DEPTH
  zero: u32,       // 0, which the compiler must not know
  a_fold: u32,     // 2 to the power of it rows of A's image lie side by side in one of its texture's
  b_fold: u32,
  c_fold: u32,
}

struct Step {
  rows: u32,  // rows of this batch that hold data
  slot: u32,  // where this step's loss goes
  draw: u32,  // a number of its own for each forward pass, for random numbers
  lr: f32,    // learning rate of this step
  scale: f32, // what the batch's summed loss is multiplied by: 1 / rows for a mean
}

@group(0) @binding(0) var<storage, read> a: array<vec2u>;
@group(0) @binding(1) var<storage, read> b: array<vec2u>;
@group(0) @binding(2) var<storage, read> bias_or_mask: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> c: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> row_sums: array<f32>;
@group(0) @binding(5) var<storage, read_write> loss: array<atomic<u32>>; // bits of f32s
@group(0) @binding(6) var<uniform> step: Step;
@group(0) @binding(7) var<uniform> params: Params;
@group(0) @binding(8) var<storage, read> a_fours: array<vec4u>; // A instead of a, where four elements come with one load
@group(0) @binding(9) var<storage, read> b_fours: array<vec4u>; // likewise B
@group(0) @binding(10) var a_image: texture_storage_2d<rgba32float, read>; // A instead of a, as it lies, four columns a texel
@group(0) @binding(11) var b_image: texture_storage_2d<rgba32float, read>; // likewise B
@group(0) @binding(12) var c_image: texture_storage_2d<rgba32float, read>; // what C holds before an SGD step
@group(0) @binding(13) var a_image_sampled: texture_2d<f32>; // the images again, for four lanes
@group(0) @binding(14) var b_image_sampled: texture_2d<f32>;
@group(0) @binding(15) var c_image_sampled: texture_2d<f32>;
@group(0) @binding(16) var nearest: sampler;

const LANES = 8u;
const ROWS = 64u; // of C, a workgroup
const QUADS = 1u; // a lane owns this many times 4 neighbouring columns
const DEPTH = 2u; // steps along k an iteration; even
const RUN = 2u;   // elements that are loaded side by side along k: 2, or 4 where DEPTH and k are multiples of it
const A_TRANSPOSED = false;
const B_TRANSPOSED = false;
const A_U8 = false;
const B_U8 = false;
const A_VECTOR = false; // elements lie so that RUN along k, or four along m, come with one load
const B_VECTOR = false; // likewise RUN along k, or four along n
const C_VECTOR = false; // likewise four along n of C, its mask and the bias
const A_IMAGE = false;  // with A_VECTOR and RUN = 4
const B_IMAGE = false;
const C_IMAGE = false;  // with C_VECTOR, RUN = 4 and SGD
const K_TAIL = true;    // k is no multiple of DEPTH
const BIAS = false;
const RELU = false;
const MASK = false;
const ROW_SUMS = false; // a further column of workgroups sums A's rows; A must be transposed
const SGD = false;      // C and the row sums are parameters: -= step.lr · (what would be stored)

const GROUPS = ROWS / LANES;                // rows of a tile, as many at a time as there are lanes
const A_RUNS = ROWS * DEPTH / RUN / LANES;  // loads of A an iteration, RUN elements a lane,
const A_FOURS = ROWS * DEPTH / 4u / LANES;  // or four when it is transposed
const B_RUNS = DEPTH / RUN;
const B_FOURS = DEPTH * QUADS;
const SAMPLED = LANES == 4u; // images are

const EXPONENT = 0x7f800000u; // all ones in a NaN and in an infinity
const BROKEN = 0x7fc00001u;   // the NaN that stands for a broken gradient or parameter

var<private> a_scale: vec2f; // see scale_of
var<private> b_scale: vec2f;
var<private> c_scale: vec2f;

fn a_word(i: u32) -> f32 {
  if (A_U8) {
    return unpack4x8unorm(a[i >> 3u][(i >> 2u) & 1u])[i & 3u];
  }
  return bitcast<f32>(a[i >> 1u][i & 1u]);
}

fn b_word(i: u32) -> f32 {
  if (B_U8) {
    return unpack4x8unorm(b[i >> 3u][(i >> 2u) & 1u])[i & 3u];
  }
  return bitcast<f32>(b[i >> 1u][i & 1u]);
}

// Four elements of A that lie side by side in memory, from element i, a multiple of four.
fn a_four(i: u32) -> vec4f {
  if (A_U8) {
    return unpack4x8unorm(a_fours[i >> 4u][(i >> 2u) & 3u]);
  }
  return bitcast<vec4f>(a_fours[i >> 2u]);
}

fn b_four(i: u32) -> vec4f {
  if (B_U8) {
    return unpack4x8unorm(b_fours[i >> 4u][(i >> 2u) & 3u]);
  }
  return bitcast<vec4f>(b_fours[i >> 2u]);
}

// RUN of them, from element i, a multiple of RUN; of a run of two the others are of no account.
fn a_run(i: u32) -> vec4f {
  if (RUN == 4u) {
    return a_four(i);
  }
  if (A_U8) {
    let four = unpack4x8unorm(a[i >> 3u][(i >> 2u) & 1u]);
    return select(four, four.zwzw, (i & 2u) != 0u);
  }
  return bitcast<vec2f>(a[i >> 1u]).xyxy;
}

fn b_run(i: u32) -> vec4f {
  if (RUN == 4u) {
    return b_four(i);
  }
  if (B_U8) {
    let four = unpack4x8unorm(b[i >> 3u][(i >> 2u) & 1u]);
    return select(four, four.zwzw, (i & 2u) != 0u);
  }
  return bitcast<vec2f>(b[i >> 1u]).xyxy;
}

// The texel of an image that has the four columns from `column` on, a multiple of four, of so many.
fn texel(image: texture_storage_2d<rgba32float, read>, sampled: texture_2d<f32>, scale: vec2f,
         row: u32, column: u32, columns: u32, fold: u32) -> vec4f {
  let x = (row & ((1u << fold) - 1u)) * (columns >> 2u) + (column >> 2u);
  if (SAMPLED) {
    // At its middle: with less than 2^20 rows and columns, rounding leads to no other texel. A load would be bounded by
    // sizes asked for each time, and its row be shifted; a sample is bounded by the driver, which rounds its row down.
    // An i32 becomes an f32 by one instruction, a u32 by six.
    return textureSampleLevel(sampled, nearest, (vec2f(vec2i(vec2u(x, row))) + 0.5) * scale, 0.0);
  }
  return textureLoad(image, vec2u(x, row >> fold));
}

// k, or the last one from which `count` elements can be loaded.
fn within_k(k: u32, count: u32) -> u32 {
  // What lies beyond is read as something else, and taken for 0.
  if (K_TAIL) { return min(k, params.k - count); }
  return k;
}

fn zero_past_k(run: vec4f, k: u32) -> vec4f {
  if (K_TAIL) {
    return select(vec4f(), run, vec4u(k, k + 1u, k + 2u, k + 3u) < vec4u(params.k));
  }
  return run;
}

// A[row][k … k+RUN-1] (row-major A). Rows and columns beyond the matrix repeat others; their sums are not stored.
fn a_along_k(row: u32, k: u32) -> vec4f {
  let inside = min(row, params.m - 1u);
  if (A_IMAGE) {
    return zero_past_k(texel(a_image, a_image_sampled, a_scale, inside, within_k(k, RUN), params.k, params.a_fold), k);
  }
  let start = inside * params.k;
  if (A_VECTOR) {
    return zero_past_k(a_run(start + within_k(k, RUN)), k);
  }
  var run = vec4f();
  // unroll
  for (var e = 0u; e < RUN; e++) {
    run[e] = a_word(start + within_k(k + e, 1u));
  }
  return zero_past_k(run, k);
}

// A[k][row … row+3] (transposed A).
fn a_along_m(k: u32, row: u32) -> vec4f {
  let inside = within_k(k, 1u);
  let start = inside * params.m;
  var four: vec4f;
  if (A_IMAGE) {
    four = texel(a_image, a_image_sampled, a_scale, inside, min(row, params.m - 4u), params.m, params.a_fold);
  } else if (A_VECTOR) {
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

// B[column][k … k+RUN-1] (transposed B).
fn b_along_k(column: u32, k: u32) -> vec4f {
  let inside = min(column, params.n - 1u);
  if (B_IMAGE) {
    return zero_past_k(texel(b_image, b_image_sampled, b_scale, inside, within_k(k, RUN), params.k, params.b_fold), k);
  }
  let start = inside * params.k;
  if (B_VECTOR) {
    return zero_past_k(b_run(start + within_k(k, RUN)), k);
  }
  var run = vec4f();
  // unroll
  for (var e = 0u; e < RUN; e++) {
    run[e] = b_word(start + within_k(k + e, 1u));
  }
  return zero_past_k(run, k);
}

// B[k][column … column+3] (row-major B).
fn b_along_n(k: u32, column: u32) -> vec4f {
  let inside = within_k(k, 1u);
  let start = inside * params.n;
  var four: vec4f;
  if (B_IMAGE) {
    four = texel(b_image, b_image_sampled, b_scale, inside, min(column, params.n - 4u), params.n, params.b_fold);
  } else if (B_VECTOR) {
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

// Which of the four are a NaN or an infinity. A parameter is one after an SGD step when it or its gradient was one before.
fn not_finite(four: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(four) & vec4u(EXPONENT)) == vec4u(EXPONENT);
}

fn c_word(i: u32) -> f32 {
  return c[i >> 2u][i & 3u];
}

// Four neighbours of C from element i. Where they do not come with one load, the last ones may be of another row.
fn c_four(i: u32) -> vec4f {
  if (C_VECTOR) {
    return c[i >> 2u];
  }
  return vec4f(c_word(i), c_word(i + 1u), c_word(i + 2u), c_word(i + 3u));
}

fn bias_or_mask_word(i: u32) -> f32 {
  return bias_or_mask[i >> 2u][i & 3u];
}

fn bias_or_mask_four(i: u32) -> vec4f {
  if (C_VECTOR) {
    return bias_or_mask[i >> 2u];
  }
  return vec4f(bias_or_mask_word(i), bias_or_mask_word(i + 1u), bias_or_mask_word(i + 2u), bias_or_mask_word(i + 3u));
}

// Stores those of four neighbours of C that are of this row; one by one only on software drivers, which store a component
// of a vector without touching the others, as WGSL does not promise.
fn store(i: u32, four: vec4f, of_this_row: vec4<bool>) {
  if (C_VECTOR) {
    c[i >> 2u] = four;
  } else {
    for (var j = 0u; j < 4u; j++) {
      if (of_this_row[j]) {
        c[(i + j) >> 2u][(i + j) & 3u] = four[j];
      }
    }
  }
}

// Stores four neighbours of C; returns whether SGD made a NaN or an infinity of one of them.
fn epilogue(sum: vec4f, part: u32, row: u32, column: u32) -> bool {
  var is_broken = false;
  if (row < params.m && column < params.n) {
    let of_this_row = vec4u(column, column + 1u, column + 2u, column + 3u) < vec4u(params.n);
    let i = (part * params.m + row) * params.n + column;
    var value = sum;
    if (BIAS) {
      value += bias_or_mask_four(column);
    }
    if (RELU) {
      value = select(value, vec4f(), value <= vec4f());
    }
    if (MASK) {
      value = select(value, vec4f(), bias_or_mask_four(i) <= vec4f());
    }
    if (SGD) {
      var before: vec4f;
      if (C_IMAGE) {
        before = texel(c_image, c_image_sampled, c_scale, row, column, params.n, params.c_fold);
      } else {
        before = c_four(i);
      }
      value = before - step.lr * value;
      if (C_VECTOR) {
        is_broken = any(not_finite(value));
      } else {
        is_broken = any(not_finite(value) & of_this_row);
      }
    } else if (params.accumulate != 0u) {
      value += c_four(i);
    }
    store(i, value, of_this_row);
  }
  return is_broken;
}

// Likewise one sum of a row of A.
fn epilogue_row(sum: f32, part: u32, row: u32) -> bool {
  var is_broken = false;
  if (row < params.m) {
    let i = part * params.m + row;
    var value = sum;
    if (SGD) {
      value = row_sums[i] - step.lr * sum;
      is_broken = any(not_finite(vec4f(value)));
    } else if (params.accumulate != 0u) {
      value += row_sums[i];
    }
    row_sums[i] = value;
  }
  return is_broken;
}

fn report(is_broken: bool) {
  if (SGD && is_broken) {
    if ((atomicLoad(&loss[step.slot]) & EXPONENT) != EXPONENT) {
      atomicStore(&loss[step.slot], BROKEN);
    }
  }
}

// The end of a part of k.
fn end_of(part: u32) -> u32 {
  return min((part + 1u) * params.chunk, params.k);
}

// Of which row of the tile a lane's sums at `slot` are. With four lanes the s-th of four slots (or fours of slots, where A is
// transposed and a lane holds four rows) takes what lane ^ s holds.
fn slot_row(slot: u32, lane: u32) -> u32 {
  if (LANES == 4u) {
    return slot ^ select(lane, 4u * lane, A_TRANSPOSED);
  }
  return slot;
}

fn sum_rows(part: u32, first: u32, lane: u32) {
  var is_broken = false;
  for (var i = 4u * lane; i < ROWS; i += 4u * LANES) {
    var sum = vec4f();
    for (var k = part * params.chunk; k < end_of(part); k++) {
      sum += a_along_m(k, first + i);
    }
    for (var j = 0u; j < 4u; j++) {
      is_broken |= epilogue_row(sum[j], part, first + i + j);
    }
  }
  report(is_broken);
}

// What makes a texel's column and a matrix's row the coordinates at which an image is sampled.
fn scale_of(sampled: texture_2d<f32>, fold: u32) -> vec2f {
  return 1.0 / vec2f(vec2i(textureDimensions(sampled) << vec2u(0u, fold)));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) tile: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(subgroup_invocation_id) lane: u32) {
  let row = tile.y * ROWS;
  a_scale = scale_of(a_image_sampled, params.a_fold);
  b_scale = scale_of(b_image_sampled, params.b_fold);
  c_scale = scale_of(c_image_sampled, params.c_fold);
  if (ROW_SUMS && tile.x == grid.x - 1u) {
    sum_rows(tile.z, row, lane);
    return;
  }
  let column = (tile.x * LANES + lane) * 4u * QUADS;
  // Of a transposed A, lanes hold this many steps and rows apart: LANES and ROWS / 4 are powers of two.
  let lane_k = lane / (ROWS / 4u);
  let lane_row = lane % (ROWS / 4u) * 4u;
  var sums: array<vec4f, ROWS * QUADS>;
  for (var k = tile.z * params.chunk; k < end_of(tile.z); k += DEPTH) {
    var held: array<vec4f, A_RUNS>; // the tile's ROWS × DEPTH values of A, spread over the lanes: fours or runs
    if (A_TRANSPOSED) {
      // unroll
      for (var j = 0u; j < A_FOURS; j++) {
        const v = j * LANES;
        held[j] = a_along_m(k + v / (ROWS / 4u) + lane_k, row + v % (ROWS / 4u) * 4u + lane_row);
      }
    } else {
      // unroll
      for (var j = 0u; j < A_RUNS; j++) {
        held[j] = a_along_k(row + j % GROUPS * LANES + lane, k + j / GROUPS * RUN);
      }
    }
    var y: array<vec4f, B_FOURS>; // B[k + d][this lane's columns], at [d][quad]
    // unroll
    for (var q = 0u; q < QUADS; q++) {
      if (B_TRANSPOSED) {
        // unroll
        for (var p = 0u; p < B_RUNS; p++) {
          let w0 = b_along_k(column + 4u * q, k + RUN * p);
          let w1 = b_along_k(column + 4u * q + 1u, k + RUN * p);
          let w2 = b_along_k(column + 4u * q + 2u, k + RUN * p);
          let w3 = b_along_k(column + 4u * q + 3u, k + RUN * p);
          // unroll
          for (var e = 0u; e < RUN; e++) {
            y[(RUN * p + e) * QUADS + q] = vec4f(w0[e], w1[e], w2[e], w3[e]);
          }
        }
      } else {
        // unroll
        for (var d = 0u; d < DEPTH; d++) {
          y[d * QUADS + q] = b_along_n(k + d, column + 4u * q);
        }
      }
    }
    if (LANES == 4u) {
      // unroll
      for (var i = 0u; i < ROWS; i++) {
        var x: array<f32, DEPTH>; // A[row + slot_row(i)][k + d]
        // unroll
        for (var d = 0u; d < DEPTH; d++) {
          const v = d * (ROWS / 4u) + i / 4u;
          let own = held[select(d / RUN * GROUPS + i / LANES, v / LANES, A_TRANSPOSED)][select(d % RUN, i % 4u, A_TRANSPOSED)];
          x[d] = array(own, quadSwapX(own), quadSwapY(own), quadSwapDiagonal(own))[select(i, v, A_TRANSPOSED) % 4u];
        }
        // unroll
        for (var q = 0u; q < QUADS; q++) {
          var sum = sums[i * QUADS + q];
          // unroll
          for (var f = 0u; f < DEPTH / 4u; f++) {
            const d = 4u * f;
            sum += mat4x4f(y[d * QUADS + q], y[(d + 1u) * QUADS + q], y[(d + 2u) * QUADS + q], y[(d + 3u) * QUADS + q])
              * vec4f(x[d], x[d + 1u], x[d + 2u], x[d + 3u]);
          }
          sums[i * QUADS + q] = sum;
        }
      }
    } else {
      // unroll
      for (var i = 0u; i < ROWS; i++) {
        var x: array<f32, DEPTH>; // A[row + i][k + d]
        // unroll
        for (var d = 0u; d < DEPTH; d++) {
          const v = d * (ROWS / 4u) + i / 4u;
          let own = held[select(d / RUN * GROUPS + i / LANES, v / LANES, A_TRANSPOSED)][select(d % RUN, i % 4u, A_TRANSPOSED)];
          // With 8 lanes a shuffle is one instruction of lavapipe's; with 16 a broadcast is fast, and wants a constant.
          if (LANES == 8u) {
            x[d] = subgroupShuffle(own, select(i, v, A_TRANSPOSED) % LANES);
          } else {
            x[d] = subgroupBroadcast(own, select(i, v, A_TRANSPOSED) % LANES);
          }
        }
        // unroll
        for (var q = 0u; q < QUADS; q++) {
          var sum = sums[i * QUADS + q];
          // unroll
          for (var d = 0u; d < DEPTH; d++) {
            sum = fma(vec4f(x[d]), y[d * QUADS + q], sum);
          }
          sums[i * QUADS + q] = sum;
        }
      }
    }
  }
  var is_broken = false;
  let slots = ROWS + params.zero;
  for (var i = 0u; i < slots; i++) {
    // unroll
    for (var q = 0u; q < QUADS; q++) {
      is_broken |= epilogue(sums[i * QUADS + q], tile.z, row + slot_row(i, lane), column + 4u * q);
    }
  }
  report(is_broken);
}
