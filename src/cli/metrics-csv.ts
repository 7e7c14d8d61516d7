// A run's metrics.csv: a row an epoch, as RFC 4180 has it, for spreadsheets and pandas. Follows from the run's events alone
// and is written whole each time, so that it can neither be torn nor say more than the event log.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HeddleError, messageOf } from '../errors.ts';
import { growingLog, type Log, type LoggedEpoch, lastStepOf, logOf, parseLines } from './event-log.ts';
import { runFiles, writeWhole } from './run-folder.ts';
import type { Sink } from './sinks.ts';

const header =
  'epoch,step,seconds,samples_per_second,lr,train_loss,validation_loss,validation_accuracy' as const;

/** A number with all its digits; empty where there is none, or none that is finite. */
const cell = (value: number | undefined) => (Number.isFinite(value) ? String(value) : '');

function rowOf(
  log: Log,
  rates: ReadonlyMap<number, number>,
  { epoch, seconds, samplesPerSecond, train, validation }: LoggedEpoch,
): string {
  const speed = [seconds, samplesPerSecond, rates.get(epoch)];
  const losses = [train.loss, validation?.loss, validation?.accuracy];
  return [epoch, lastStepOf(log, epoch), ...speed, ...losses].map(cell).join(',');
}

function textOf(log: Log): string {
  const rates = new Map(log.steps.map(({ epoch, lr }) => [epoch, lr])); // of each epoch the last
  return [header, ...log.epochs.map((epoch) => rowOf(log, rates, epoch)), ''].join('\r\n');
}

/**
 * The text of metrics.csv that a run's events make. `seconds` is training alone, `step` the optimizer's at the epoch's end,
 * `lr` that of the epoch's last step that was logged. What comes again in the events counts as it came last.
 */
export const metricsOf = (events: readonly object[]): string => textOf(logOf(events));

/** Keeps a run's metrics.csv. */
export interface MetricsSink extends Sink {
  /** Makes the file anew from events.jsonl, which has been put back to a checkpoint. Throws `file`. */
  remake(): void;
}

/**
 * A sink that keeps metrics.csv in a run's folder: of the events that events.jsonl has there now, and of those to come.
 * Throws `file` when it cannot be read or written, as its methods do.
 */
export function metricsSink(folder: string): MetricsSink {
  const path = join(folder, runFiles.metrics);
  let log = growingLog();
  const write = () => writeWhole(path, new TextEncoder().encode(textOf(log)));
  const remake = () => {
    log = growingLog();
    const events = join(folder, runFiles.events);
    let text = '';
    try {
      if (existsSync(events)) text = readFileSync(events, 'utf8');
    } catch (cause) {
      throw new HeddleError('file', `${events} could not be read: ${messageOf(cause)}`, { cause });
    }
    for (const event of parseLines(text).objects) log.add(event);
    write();
  };
  remake();
  return {
    remake,
    event(event) {
      log.add(event);
      if (event.type === 'epoch') write();
    },
    close() {},
  };
}
