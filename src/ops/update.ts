// What an optimizer's kernel works on, and the dispatch that all but plain SGD's have in common.

import type { ConstantValues, KernelSpec } from '../gpu/kernel.ts';
import { foldGrid, type Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';

/** What one group's update reads and writes. `value`, `gradient` and what is in `state` are of one shape. */
export interface UpdateTensors {
  readonly value: Tensor;
  readonly gradient: Tensor;
  /** What the optimizer keeps, by PyTorch's names, which are those of the kernel's bindings. */
  readonly state: Readonly<Record<string, Tensor>>;
  /** The group's hyper-parameters in this step: the kernel's `struct Hyper`. */
  readonly hyper: Tensor;
  /** A value or gradient that is not finite is reported here, in the step's slot. */
  readonly losses: Tensor;
  readonly step: Tensor;
}

/** The tensors, and what the dispatch is called. */
export interface UpdateOptions extends UpdateTensors {
  readonly label: string;
}

/** Bindings that every optimizer's kernel has; the others are its state. */
type Common = 'value' | 'gradient' | 'loss' | 'hyper' | 'step';

/** Records an optimizer's kernel over all of `value`; state that is not there is bound as unused. */
export function recordUpdate<State extends string, C extends string>(
  recorder: Recorder,
  kernel: KernelSpec<Common | State, 'size', C>,
  options: UpdateOptions,
  constants: ConstantValues<C>,
): void {
  const { label, value, gradient, losses: loss, hyper, step, state } = options;
  const common: Readonly<Record<Common, Tensor>> = { value, gradient, loss, hyper, step };
  const names = Object.keys(kernel.bindings).filter((name) => !Object.hasOwn(common, name)) as State[];
  const kept = names.map((name) => [name, state[name] ?? recorder.unused()]);
  const size = elementCount(value.shape);
  recorder.dispatch<Common | State, 'size', C>(kernel, {
    label,
    bindings: { ...common, ...(Object.fromEntries(kept) as Record<State, Tensor>) },
    params: { size },
    constants,
    workgroups: foldGrid(Math.ceil(size / 256)), // four elements an invocation
  });
}
