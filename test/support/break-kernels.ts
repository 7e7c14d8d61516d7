// Breaks kernels on purpose, as a driver might: their numbers become wrong, their code stays legal. Loaded before the
// command line by a test, with the faults' names in HEDDLE_TEST_FAULTS; used directly by others.

import type { KernelSpec } from '../../src/gpu/kernel.ts';
import * as kernels from '../../src/ops/kernels.generated.ts';

/** Faults by name: which kernels, and what becomes of their source. */
const faults = {
  /** The subgroup core adds a wrong bias: its fused forward is wrong, its plain product is right. */
  'subgroup-bias': [
    [
      kernels.matmulSubgroup,
      'value += bias_or_mask_four(column);',
      'value += 1.01 * bias_or_mask_four(column);',
    ],
  ],
  /** Both cores do. */
  bias: [
    [
      kernels.matmulSubgroup,
      'value += bias_or_mask_four(column);',
      'value += 1.01 * bias_or_mask_four(column);',
    ],
    [kernels.matmul, 'value += bias_or_mask[column];', 'value += 1.01 * bias_or_mask[column];'],
  ],
  /** The last layer and its loss, in one kernel with subgroups, go by a wrong bias. */
  'subgroup-head': [[kernels.linearCrossEntropySubgroup, 'z[c] += bias[c];', 'z[c] += 1.01 * bias[c];']],
  /** In both kernels. */
  head: [
    [kernels.linearCrossEntropySubgroup, 'z[c] += bias[c];', 'z[c] += 1.01 * bias[c];'],
    [kernels.linearCrossEntropy, '+ bias[c];', '+ 1.01 * bias[c];'],
  ],
  /** The last layer's way back, in one kernel, gives its bias a wrong gradient. */
  'way-back': [
    [kernels.linearBackward, 'value += dy[row * OUTPUTS + c];', 'value += 1.01 * dy[row * OUTPUTS + c];'],
  ],
  /** The optimizer goes a little too far: there is no other. */
  sgd: [[kernels.sgd, 'before - step.lr * gradient[i]', 'before - 1.01 * step.lr * gradient[i]']],
} satisfies Record<string, [KernelSpec, string, string][]>;

/** The name of a fault. */
export type Fault = keyof typeof faults;

/** Breaks kernels for as long as this module lives, or until the function that is returned is called. */
export function breakKernels(fault: Fault): () => void {
  const undo = faults[fault].map(([spec, text, replacement]) => {
    const { source } = spec;
    const broken = source.replace(text, replacement);
    if (broken === source) throw new Error(`${spec.name}.wgsl does not hold '${text}'`);
    Object.assign(spec, { source: broken });
    return () => Object.assign(spec, { source });
  });
  return () => {
    for (const restore of undo) restore();
  };
}

const isFault = (name: string): name is Fault => Object.hasOwn(faults, name);

const named = typeof process === 'undefined' ? undefined : process.env.HEDDLE_TEST_FAULTS;
if (named !== undefined) {
  if (!isFault(named)) throw new Error(`HEDDLE_TEST_FAULTS: no fault is called ${named}`);
  breakKernels(named);
}
