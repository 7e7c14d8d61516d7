// PyTorch's run of the tutorial, beside which the reader's is drawn. reference.json is made by scripts/torch-fixtures.py.

import reference from './reference.json' with { type: 'json' };
import { seriesOf } from './series.ts';

export const referenceLabel = 'PyTorch, tutorial, seed 0';
/** Losses of training steps. */
export const referenceLoss = seriesOf(reference.steps, reference.losses);
/** What the test set said after each epoch. */
export const referenceEpochs = reference.epochs;
