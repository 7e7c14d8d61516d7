// confusion[target[i], prediction[i]] += 1 for each of the batch's rows, with prediction = the first largest logit.
// logits [rows, columns], target [rows], confusion [columns, columns] counts; one invocation a row.
// Integer atomics: the counts do not depend on the order of the additions.

struct Params {
  rows: u32,
  columns: u32,
}

struct Step {
  rows: u32, // rows of this batch that hold data
  slot: u32,
  number: u32,
  lr: f32,
}

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> target_class: array<u32>;
@group(0) @binding(2) var<storage, read_write> confusion: array<atomic<u32>>;
@group(0) @binding(3) var<uniform> step: Step;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.x;
  if (row >= min(params.rows, step.rows)) {
    return;
  }
  let start = row * params.columns;
  var prediction = 0u;
  for (var j = 1u; j < params.columns; j++) {
    if (logits[start + j] > logits[start + prediction]) {
      prediction = j;
    }
  }
  atomicAdd(&confusion[target_class[row] * params.columns + prediction], 1u);
}
