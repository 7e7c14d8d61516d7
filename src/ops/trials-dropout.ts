// What dropout.wgsl is tried on: see trials.ts.

import { hashWords } from '../random/counter.ts';
import { within } from './reference.ts';
import { nothing, type Trials } from './trial.ts';

export const dropoutTrials: Trials<'dropout'> = {
  dropout({ params, count, whole }) {
    const { seed, stream, threshold, scale } = params as Record<
      'seed' | 'stream' | 'threshold' | 'scale',
      number
    >;
    const x = whole(count('x'), 2047);
    const draw = 0x89abcdef; // any one; all of its bits count
    const factor = Math.fround(scale);
    const y = x.map((v, i) => (hashWords(seed, [stream, draw, i]) >= threshold ? v * factor : 0)); // rounded once
    return [{ inputs: { x, y: nothing(x.length) }, expected: { y: within(y, 0) }, step: { draw } }];
  },
};
