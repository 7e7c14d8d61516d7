// Launches activation_backward.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { type ActivationKind, activationKinds } from './activation.ts';
import { activationBackward as kernel } from './kernels.generated.ts';

/** Records dx = dy · f'(x), with y = f(x) by `activation` of the same kind and slope. */
export function activationBackward(
  recorder: Recorder,
  options: { label: string; kind: ActivationKind; dy: Tensor; x: Tensor; y: Tensor; slope?: number },
): Tensor {
  const { label, kind, dy, slope = 0 } = options;
  const { code, derivativeBy } = activationKinds[kind];
  const dx = recorder.tensor(label, dy.shape);
  const size = elementCount(dy.shape);
  recorder.dispatch(kernel, {
    label,
    bindings: { dy, x_or_y: options[derivativeBy], dx },
    params: { size, slope },
    constants: { KIND: code },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  return dx;
}
