// What keeps a run's events in its folder: the event log, metrics.csv and TensorBoard's file, which go back together when
// the run goes back to a checkpoint.

import { decodeWeights } from '../io/checkpoint.ts';
import { metricsSink } from './metrics-csv.ts';
import type { RunFolder } from './run-folder.ts';
import type { Sink } from './sinks.ts';
import { createTensorboardWriter, tensorboardSink } from './tensorboard.ts';

/** The keepers of a run. */
export interface Keepers {
  readonly sinks: readonly Sink[];
  /** The event log has been put back to `steps`: so is the rest. Throws `file`. */
  rewind(steps: number): void;
  /** Keeps how the weights in a checkpoint are distributed. Throws `file`. */
  weights(checkpoint: Uint8Array, steps: number): void;
}

/** Opens the keepers of a run of which `steps` are done, and its event log goes as far. Throws `file`. */
export function openKeepers(folder: RunFolder, steps: number): Keepers {
  const metrics = metricsSink(folder.path);
  const board = createTensorboardWriter(folder.path, { firstStep: steps + 1 });
  return {
    sinks: [folder, metrics, tensorboardSink(board)],
    rewind(to) {
      metrics.remake();
      board.restart(to + 1);
    },
    weights(checkpoint, steps) {
      for (const [key, { data }] of decodeWeights(checkpoint)) board.histogram(`weights/${key}`, data, steps);
    },
  };
}
