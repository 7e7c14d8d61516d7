// sgd_momentum.wgsl against float64.

import { sgdMomentumHyper } from '../../src/ops/kernels.generated.ts';
import * as reference from '../../src/ops/reference.ts';
import { sgdMomentum } from '../../src/ops/sgd_momentum.ts';
import { testUpdates, type UpdateCase } from '../support/updates.ts';

function sgdCase(
  name: string,
  options: { kept?: boolean } & Partial<Parameters<typeof reference.sgdMomentum>[1]>,
): UpdateCase {
  const { kept = true, ...own } = options;
  const hyper = {
    lr: 0.1,
    weight_decay: 0,
    direction: 1,
    momentum: 0.9,
    undampened: 1,
    gradient_share: 0,
    buffer_share: 1,
    ...own,
  };
  return {
    name,
    state: kept ? { momentum_buffer: -1 } : {},
    layout: sgdMomentumHyper,
    hyper,
    record: (recorder, tensors) => sgdMomentum(recorder, { ...tensors, momentum: kept }),
    reference: (arrays) => reference.sgdMomentum(arrays, hyper),
  };
}

testUpdates([
  sgdCase('sgd, uphill with decay', { kept: false, weight_decay: 0.3, direction: -1 }),
  sgdCase('sgd with momentum and dampening', { undampened: 0.6, weight_decay: 0.3, direction: -1 }),
  sgdCase('sgd with nesterov', { gradient_share: 1, buffer_share: 0.9 }),
]);
