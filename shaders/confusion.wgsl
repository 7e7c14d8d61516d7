// counts[target[i], prediction[i]] += 1 for each of the batch's rows, with prediction = the first largest logit; and
// counts[columns, rank[i]] += 1, with rank = how many logits are above the target's, or equal to it and before it. Rows whose
// target is `ignored` or no column are left out.
// logits [rows, columns], target [rows], counts [columns + 1, columns]; one invocation a row.
// Integer atomics: the counts do not depend on the order of the additions.

struct Params {
  rows: u32,
  columns: u32,
  ignored: u32, // 0xffffffff: none
}

struct Step {
  rows: u32,  // rows of this batch that hold data
  slot: u32,  // where this step's loss goes
  draw: u32,  // a number of its own for each forward pass, for random numbers
  lr: f32,    // learning rate of this step
  scale: f32, // what the batch's summed loss is multiplied by: 1 / rows for a mean
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> target_class: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(3) var<uniform> step: Step;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= min(params.rows, step.rows)) {
    return;
  }
  let start = row * params.columns;
  let truth = target_class[row];
  if (truth >= params.columns) {
    return;
  }
  if (truth == params.ignored) {
    return;
  }
  let own = logits[start + truth];
  var prediction = 0u;
  var rank = 0u;
  for (var j = 0u; j < params.columns; j++) {
    let logit = logits[start + j];
    if (logit > logits[start + prediction]) {
      prediction = j;
    }
    if (logit > own || (logit == own && j < truth)) {
      rank += 1u;
    }
  }
  atomicAdd(&counts[truth * params.columns + prediction], 1u);
  atomicAdd(&counts[params.columns * params.columns + rank], 1u);
}
