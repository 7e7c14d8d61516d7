// Gathers the losses of steps, and tells the page of some at a time: at most ten times a second. Pure but for `tell`.

import type { ProgressEvent, StepEvent } from '../../index.ts';
import type { Message, StepPoint } from '../../recipes/protocol.ts';
import { createPace, every } from './pace.ts';

/** Ten times a second. */
const interval = 100;

/** See `createSteps`. */
export interface Steps {
  /** Training begins, or goes on after a pause. */
  begin(at: number): void;
  step(event: StepEvent): void;
  progress(event: ProgressEvent, at: number): void;
  /** Tells what is left. */
  flush(): void;
  /** The last step and epoch that were told; what is done again after a lost device is not told again. */
  readonly told: { step: number; epoch: number };
}

/** Tells `tell` of the steps of one training. */
export function createSteps(tell: (message: Message) => void, batchSize: number): Steps {
  const pace = createPace();
  const due = every(interval);
  const told = { step: 0, epoch: 0 };
  let points: StepPoint[] = [];
  let place = { batch: 0, batches: 0 };
  let seen = { epoch: 0, samples: 0 };
  let since = { steps: 0, samples: 0 };
  const flush = () => {
    if (points.length === 0) return;
    tell({ type: 'steps', steps: points, ...place, ...pace.now() });
    points = [];
  };
  return {
    told,
    begin: (at) => pace.begin(at),
    step({ epoch, step, samples, loss, lr }) {
      const own = seen.epoch === epoch ? samples - seen.samples : batchSize; // the epoch may have begun elsewhere
      seen = { epoch, samples };
      since = { steps: since.steps + 1, samples: since.samples + own };
      if (step <= told.step) return;
      told.step = step;
      points.push({ step, epoch, loss, lr });
    },
    progress({ batch, batches }, at) {
      pace.mark(at, since.steps, since.samples);
      since = { steps: 0, samples: 0 };
      place = { batch, batches };
      if (due(at)) flush();
    },
    flush,
  };
}
