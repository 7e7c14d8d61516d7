// What the kernels of losses with options and of pointwise losses are tried on.

import { type PointwiseKind, pointwiseKinds } from './pointwise_loss.ts';
import * as reference from './reference.ts';
import { largestLogit, nan, nothing, partOf, type Subject, type Trials } from './trial.ts';

/** Targets of which some are the one that is left out, where there is one. */
function classesOf({ params, integers }: Subject): Uint32Array {
  const { rows, columns, ignored } = params as { rows: number; columns: number; ignored: number };
  const targets = integers(rows, columns);
  return ignored === 0xffffffff ? targets : targets.map((target, i) => (i % 5 === 3 ? ignored : target));
}

function kindOf({ constant }: Subject): PointwiseKind {
  const names = Object.keys(pointwiseKinds) as PointwiseKind[];
  return names.find((name) => pointwiseKinds[name] === constant('KIND')) as PointwiseKind;
}

/** The trials of loss kernels. */
export const lossTrials: Trials<'soft_cross_entropy' | 'pointwise_loss'> = {
  soft_cross_entropy(subject) {
    const { params, on, count, floats } = subject;
    const { rows, columns, keep, ignored } = params as Record<
      'rows' | 'columns' | 'keep' | 'ignored',
      number
    >;
    const [log, probabilities] = [on('LOG'), on('PROBABILITIES')];
    const x = log ? floats(count('x'), -5, 0) : floats(count('x'), -largestLogit, largestLogit);
    const targets = probabilities ? floats(rows * columns, 0, 1) : classesOf(subject);
    const weight = floats(columns, 0, 2);
    const step = { rows: partOf(rows), slot: 0, lr: 0, scale: 0.5 };
    const { rowLoss, gradient } = reference.softCrossEntropy(x, targets, {
      rows,
      columns,
      valid: step.rows,
      scale: step.scale,
      smoothing: 1 - keep,
      ignored,
      weight: on('WEIGHTED') ? weight : undefined,
      log,
      probabilities,
    });
    const dx = nothing(on('GRADIENT') ? rows * columns : 4);
    const inputs = { x, expected: targets, weight, row_loss: new Float32Array(rows), dx };
    const broken = x.with(0, Number.POSITIVE_INFINITY);
    return [
      { inputs, expected: { row_loss: rowLoss, ...(on('GRADIENT') ? { dx: gradient } : {}) }, step },
      { inputs: { ...inputs, x: broken }, expected: { row_loss: rowLoss.with(0, nan) }, step },
    ];
  },

  pointwise_loss(subject) {
    const { params, on, count, floats } = subject;
    const { rows, columns, share, edge } = params as Record<'rows' | 'columns' | 'share' | 'edge', number>;
    const kind = kindOf(subject);
    const x = floats(count('x'), -largestLogit, largestLogit);
    const wanted = kind === 'bceWithLogits' ? floats(x.length, 0, 1) : floats(x.length, -2, 2);
    const weight = floats(columns, 0, 2);
    const step = { rows: partOf(rows), slot: 0, lr: 0, scale: 0.5 };
    const { rowLoss, gradient } = reference.pointwiseLoss(kind, x, wanted, {
      rows,
      columns,
      valid: step.rows,
      scale: step.scale,
      edge,
      weight: on('WEIGHTED') ? weight : undefined,
      mean: share !== 1,
    });
    const dx = nothing(on('GRADIENT') ? rows * columns : 4);
    const inputs = { x, wanted, weight, row_loss: new Float32Array(rows), dx };
    const last = step.rows - 1;
    const broken = wanted.with(last * columns + columns - 1, Number.NaN);
    return [
      { inputs, expected: { row_loss: rowLoss, ...(on('GRADIENT') ? { dx: gradient } : {}) }, step },
      { inputs: { ...inputs, wanted: broken }, expected: { row_loss: rowLoss.with(last, nan) }, step },
    ];
  },
};
