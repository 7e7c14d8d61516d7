// Launches activation.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { activation as kernel } from './kernels.generated.ts';

/** The kernels' KIND of each activation, and what its derivative is computed from: the input, or the output where that is enough. */
export const activationKinds = {
  leakyRelu: { code: 0, derivativeBy: 'x' },
  gelu: { code: 1, derivativeBy: 'x' },
  geluTanh: { code: 2, derivativeBy: 'x' },
  sigmoid: { code: 3, derivativeBy: 'y' },
  tanh: { code: 4, derivativeBy: 'y' },
  silu: { code: 5, derivativeBy: 'x' },
} as const;

/** The name of an activation. */
export type ActivationKind = keyof typeof activationKinds;

/** Records y = f(x), elementwise; NaN stays NaN. `slope` is that of the leaky ReLU below 0. */
export function activation(
  recorder: Recorder,
  options: { label: string; kind: ActivationKind; x: Tensor; slope?: number },
): Tensor {
  const { label, kind, x, slope = 0 } = options;
  const y = recorder.tensor(label, x.shape);
  const size = elementCount(x.shape);
  recorder.dispatch(kernel, {
    label,
    bindings: { x, y },
    params: { size, slope },
    constants: { KIND: activationKinds[kind].code },
    workgroups: foldGrid(Math.ceil(size / 64)),
  });
  return y;
}
