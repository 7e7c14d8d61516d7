// Launches pointwise_loss.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { pointwiseLoss as kernel } from './kernels.generated.ts';

/** The kernel's KIND of each loss. */
export const pointwiseKinds = { mse: 0, l1: 1, smoothL1: 2, huber: 3, bceWithLogits: 4 } as const;

/** A loss that compares element by element. */
export type PointwiseKind = keyof typeof pointwiseKinds;

/**
 * Records each row's sum (or mean, with `mean`) of the losses of its elements, and with `gradient` step.scale times the
 * gradient of the sum. x, targets [rows, …], of the same shape. `edge` is smooth L1's beta (above 0) or Huber's delta;
 * `weight`, for BCE, what the positive class of each of a row's elements counts. → rowLoss [rows], dx as x.
 */
export function pointwiseLoss(
  recorder: Recorder,
  options: {
    label: string;
    kind: PointwiseKind;
    x: Tensor;
    targets: Tensor;
    edge?: number;
    weight?: Tensor | undefined;
    step: Tensor;
    gradient: boolean;
    mean?: boolean;
    rowLoss?: Tensor | undefined;
  },
): { rowLoss: Tensor; dx: Tensor } {
  const { label, kind, x, targets, edge = 1, weight, step, gradient, mean = false } = options;
  const [rows = 1, ...rest] = x.shape;
  const columns = elementCount(rest);
  const rowLoss = options.rowLoss ?? recorder.tensor(label, [rows]);
  // Without the gradient the binding stays, with room for nothing.
  const dx = recorder.tensor(`${label}.gradient`, gradient ? x.shape : [4]);
  recorder.dispatch(kernel, {
    label,
    bindings: { x, wanted: targets, weight: weight ?? recorder.unused(), row_loss: rowLoss, dx, step },
    params: { rows, columns, share: mean ? 1 / columns : 1, edge },
    constants: { KIND: pointwiseKinds[kind], WEIGHTED: weight !== undefined, GRADIENT: gradient },
    workgroups: foldGrid(rows),
  });
  return { rowLoss, dx };
}
