// Launches clip_gradient.wgsl.

import { foldGrid, type Recorder } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { clipGradient as kernel } from './kernels.generated.ts';
import { sumSquares } from './sum_squares.ts';

/** Gradients and what they are kept within. */
export interface ClipOptions {
  readonly label: string;
  /** Changed in place. */
  readonly gradient: Tensor;
  /** Of the norm, or of each element's magnitude. */
  readonly limit: number;
}

function clip(
  recorder: Recorder,
  { label, gradient, limit }: ClipOptions,
  partial: Tensor | undefined,
): void {
  const size = elementCount(gradient.shape);
  recorder.dispatch(kernel, {
    label,
    bindings: { gradient, partial: partial ?? recorder.unused() },
    params: { size, parts: partial?.shape[0] ?? 0, limit },
    constants: { VALUE: partial === undefined },
    workgroups: foldGrid(Math.ceil(size / 256)), // four elements an invocation
  });
}

/** Records that all gradients are made smaller, in proportion, when their norm (of all together) is above the limit. */
export function clipGradientNorm(recorder: Recorder, options: ClipOptions): void {
  clip(recorder, options, sumSquares(recorder, { label: `${options.label}.norm`, x: options.gradient }));
}

/** Records that every finite gradient is brought within ±limit. */
export function clipGradientValue(recorder: Recorder, options: ClipOptions): void {
  clip(recorder, options, undefined);
}
