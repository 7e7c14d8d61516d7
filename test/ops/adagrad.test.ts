// adagrad.wgsl against float64.

import { adagrad } from '../../src/ops/adagrad.ts';
import { adagradHyper } from '../../src/ops/kernels.generated.ts';
import * as reference from '../../src/ops/reference.ts';
import { testUpdates, type UpdateCase } from '../support/updates.ts';

function adagradCase(name: string, own: Partial<Parameters<typeof reference.adagrad>[1]>): UpdateCase {
  const hyper = { rate: 0.01, weight_decay: 0, direction: 1, eps: 1e-10, ...own };
  return {
    name,
    state: { sum: 0 },
    layout: adagradHyper,
    hyper,
    record: adagrad,
    reference: (arrays) => reference.adagrad(arrays, hyper),
  };
}

testUpdates([
  adagradCase('adagrad', {}),
  adagradCase('adagrad, uphill with decay', { weight_decay: 0.3, direction: -1, eps: 0.1 }),
]);
