// adam.wgsl against float64.

import { adam } from '../../src/ops/adam.ts';
import { adamHyper } from '../../src/ops/kernels.generated.ts';
import * as reference from '../../src/ops/reference.ts';
import { testUpdates, type UpdateCase } from '../support/updates.ts';

function adamCase(
  name: string,
  options: { amsgrad?: boolean } & Partial<Parameters<typeof reference.adam>[1]>,
): UpdateCase {
  const { amsgrad = false, ...own } = options;
  const hyper = {
    step_size: 0.01,
    keep: 1,
    weight_decay: 0,
    direction: 1,
    beta1: 0.9,
    one_minus_beta1: 0.1,
    beta2: 0.999,
    one_minus_beta2: 0.001,
    bias_correction2_sqrt: 0.03,
    eps: 1e-8,
    ...own,
  };
  return {
    name,
    state: { exp_avg: -1, exp_avg_sq: 0, ...(amsgrad ? { max_exp_avg_sq: 0 } : {}) },
    layout: adamHyper,
    hyper,
    record: (recorder, tensors) => adam(recorder, { ...tensors, amsgrad }),
    reference: (arrays) => reference.adam(arrays, hyper),
  };
}

testUpdates([
  adamCase('adam', {}),
  adamCase('adam, uphill with decay', { weight_decay: 0.3, direction: -1, eps: 0.2 }),
  adamCase('adamw', { keep: 0.75, bias_correction2_sqrt: 1 }),
  adamCase('amsgrad', { amsgrad: true, beta2: 0.5, one_minus_beta2: 0.5, weight_decay: 0.1 }),
]);
