// The writer of a training run's results on stdout, as the options ask for it.

import { barSink } from './format-bar.ts';
import { jsonLine } from './format-json.ts';
import { pytorchText } from './format-pytorch.ts';
import type { TrainOptions } from './options.ts';
import { type Sink, textSink } from './sinks.ts';

/** A writer of results. */
export interface Writer extends Sink {
  /** Whether its last line does not name the run's folder. */
  readonly silentEnd: boolean;
  /** A line on stderr, between whatever else is there. */
  notice(line: string): void;
}

/** The writer on stdout that the options ask for. */
export function writerFor(options: TrainOptions, rows: number): Writer {
  const { stdout, stderr } = process;
  const notice = (line: string) => void stderr.write(`${line}\n`);
  if (options.json) return { ...textSink(stdout, jsonLine), notice, silentEnd: false };
  const live = stdout.isTTY === true && stderr.isTTY === true;
  if (options.format === 'bar' || (options.format === 'auto' && live)) {
    const { epochs, batchSize } = options;
    return { ...barSink({ stdout, stderr, epochs, rows, batchSize }), silentEnd: false };
  }
  return { ...textSink(stdout, pytorchText(rows)), notice, silentEnd: true };
}
