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
  /** A number of its own for each forward pass: random numbers are drawn by it. */
  readonly draw: number;
  /** Learning rate. */
  readonly lr: number;
  /** What the batch's summed loss is multiplied by: 1 / rows for a mean. */
  readonly scale: number;
}

/** Shape of a step record's tensor, in words. */
export const stepShape = [stepLayout.size / 4] as const;

/** Writes a step record at a byte offset. */
export function writeStep(view: DataView, offset: number, step: StepRecord): void {
  writeRecord(view, offset, stepLayout, { ...step });
}

/** A step record as data for `run`; its scale is that of a mean unless given. */
export function stepRecord(step: Partial<StepRecord>): HostTensor {
  const { rows = 0 } = step;
  const data = new Uint32Array(stepLayout.size / 4);
  writeStep(new DataView(data.buffer), 0, {
    rows,
    slot: 0,
    draw: 0,
    lr: 0,
    scale: 1 / Math.max(1, rows),
    ...step,
  });
  return { data, shape: stepShape };
}
