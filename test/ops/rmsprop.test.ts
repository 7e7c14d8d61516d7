// rmsprop.wgsl against float64.

import { rmspropHyper } from '../../src/ops/kernels.generated.ts';
import * as reference from '../../src/ops/reference.ts';
import { rmsprop } from '../../src/ops/rmsprop.ts';
import { testUpdates, type UpdateCase } from '../support/updates.ts';

function rmspropCase(
  name: string,
  options: { centered?: boolean; momentum?: number } & Partial<
    Record<'weight_decay' | 'direction' | 'eps', number>
  >,
): UpdateCase {
  const { centered = false, momentum = 0, ...own } = options;
  const hyper = {
    lr: 0.01,
    weight_decay: 0,
    direction: 1,
    alpha: 0.99,
    one_minus_alpha: 0.01,
    eps: 1e-8,
    momentum,
    ...own,
  };
  const variants = { centered, momentum: momentum > 0 };
  return {
    name,
    state: {
      square_avg: 0,
      ...(centered ? { grad_avg: -1 } : {}),
      ...(variants.momentum ? { momentum_buffer: -1 } : {}),
    },
    layout: rmspropHyper,
    hyper,
    record: (recorder, tensors) => rmsprop(recorder, { ...tensors, ...variants }),
    reference: (arrays) => reference.rmsprop(arrays, hyper),
  };
}

testUpdates([
  rmspropCase('rmsprop', {}),
  rmspropCase('rmsprop with momentum', { momentum: 0.9 }),
  rmspropCase('rmsprop, uphill with decay and momentum', { momentum: 0.9, weight_decay: 0.3, direction: -1 }),
  rmspropCase('rmsprop, centered', { centered: true, eps: 0.1 }), // of many a variance below 0, which counts as 0
  rmspropCase('rmsprop, centered with momentum', {
    centered: true,
    momentum: 0.5,
    weight_decay: 0.1,
    eps: 0.1,
  }),
]);
