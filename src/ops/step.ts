// The step record: the few numbers that change from step to step, one small uniform read by every kernel that needs them.

import { writeRecord } from '../gpu/kernel.ts';
import { stepLayout } from './kernels.generated.ts';
import type { HostTensor } from './run.ts';

/** What changes from step to step. */
export interface StepRecord {
  /** Rows of this batch that hold data; the last batch of an epoch may have fewer than the others. */
  readonly rows: number;
  /** Where in the ring of results this step's loss goes. */
  readonly slot: number;
  /** Optimizer steps including this one, from 1. */
  readonly number: number;
  /** Learning rate. */
  readonly lr: number;
}

/** Shape of a step record's tensor, in words. */
export const stepShape = [stepLayout.size / 4] as const;

/** Writes a step record at a byte offset. */
export function writeStep(view: DataView, offset: number, step: StepRecord): void {
  writeRecord(view, offset, stepLayout, { ...step });
}

/** A step record as data for `run`. */
export function stepRecord(step: Partial<StepRecord>): HostTensor {
  const data = new Uint32Array(stepLayout.size / 4);
  writeStep(new DataView(data.buffer), 0, { rows: 0, slot: 0, number: 1, lr: 0, ...step });
  return { data, shape: stepShape };
}
