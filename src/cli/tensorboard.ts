// A run for TensorBoard: an event file in the run's folder, and which of a run's events become which of its curves.

import { closeSync, fsyncSync, openSync, readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { HeddleError, messageOf } from '../errors.ts';
import { histogramOf } from '../io/histogram.ts';
import { histogramRecord, scalarRecord, startRecord, textRecord, versionRecord } from '../io/tfevents.ts';
import { growingLog, lastStepOf } from './event-log.ts';
import { writeAll } from './run-folder.ts';
import type { Sink } from './sinks.ts';

/** An event file, open for writing. Every method but `close` throws a HeddleError `file` when the file cannot be written. */
export interface TensorboardWriter {
  /** Adds a point to a curve; a number that is not finite too. */
  scalar(tag: string, value: number, step: number): void;
  /** Adds a histogram of the values that are finite; none when there are none. */
  histogram(tag: string, values: Float32Array, step: number): void;
  /** Adds a text, in Markdown. */
  text(tag: string, markdown: string, step: number): void;
  /** Says that `step` is the next one to be done: what was written of it and of later ones counts no more. */
  restart(step: number): void;
  /** Waits until the disk has all. */
  flush(): void;
  /** Harmless when done before. */
  close(): void;
}

/** Options of `createTensorboardWriter`. */
export interface TensorboardOptions {
  /** The first step that will be told, from 1: of a run that goes on, what older files say of it and of later ones counts no more. */
  readonly firstStep?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const begins = 'events.out.tfevents.';
/** How many this process has made. */
let made = 0;

/** Creates a file that readers, who go by names, take for the folder's newest: clocks may have been set back. */
function createFile(folder: string, seconds: number): { path: string; file: number } {
  const others = readdirSync(folder).filter((name) => name.startsWith(begins));
  const newest = Math.max(-1, ...others.map((name) => Number.parseInt(name.slice(begins.length), 10) || 0));
  const time = Math.max(Math.floor(seconds), newest + 1);
  const host = hostname().replace(/[^\w.-]/g, '_') || 'localhost';
  const path = join(folder, `${begins}${time}.${host}.${process.pid}.${made++}`);
  return { path, file: openSync(path, 'ax') };
}

/**
 * Begins an event file in a folder that is there: `events.out.tfevents.<seconds>.<host>.<pid>.<n>`. Each record is in the
 * file when its method returns. Throws `file` when it cannot be made.
 */
export function createTensorboardWriter(
  folder: string,
  { firstStep = 1, now = Date.now }: TensorboardOptions = {},
): TensorboardWriter {
  const seconds = () => now() / 1000;
  let open: { path: string; file: number } | undefined;
  try {
    open = createFile(folder, seconds());
  } catch (cause) {
    throw new HeddleError(
      'file',
      `no TensorBoard event file could be made in ${folder}: ${messageOf(cause)}`,
      { cause },
    );
  }
  const { path } = open;
  const attempt = (work: (file: number) => void) => {
    if (open === undefined) return;
    try {
      work(open.file);
    } catch (cause) {
      throw new HeddleError('file', `${path} could not be written: ${messageOf(cause)}`, { cause });
    }
  };
  const put = (record: Uint8Array) => attempt((file) => writeAll(file, record));
  const close = () => {
    if (open !== undefined) closeSync(open.file);
    open = undefined;
  };
  const restart = (step: number) => put(startRecord(seconds(), step));
  try {
    put(versionRecord(seconds()));
    restart(firstStep);
  } catch (error) {
    close();
    throw error;
  }
  return {
    scalar: (tag, value, step) => put(scalarRecord(seconds(), step, tag, value)),
    histogram(tag, values, step) {
      const histogram = histogramOf(values);
      if (histogram !== undefined) put(histogramRecord(seconds(), step, tag, histogram));
    },
    text: (tag, markdown, step) => put(textRecord(seconds(), step, tag, markdown)),
    restart,
    flush: () => attempt(fsyncSync),
    close,
  };
}

/** A table of a run's facts in Markdown. */
function factsTable(facts: Readonly<Record<string, unknown>>): string {
  const cell = (value: unknown) =>
    (typeof value === 'string' ? value : JSON.stringify(value)).replace(/[\\|]/g, '\\$&');
  const rows = Object.entries(facts).map(([name, value]) => `| ${cell(name)} | ${cell(value)} |\n`);
  return `| option | value |\n|---|---|\n${rows.join('')}`;
}

/**
 * Hands a run's events to a writer, with the optimizer's steps as the x axis of all curves: `train/loss` and `lr` of each
 * step that is logged; `epoch/train_loss`, `validation/loss`, `validation/accuracy` and `speed/images_per_second` at an
 * epoch's last step, which follows from the `run` event (before one, the last step that was logged stands for it).
 */
export function tensorboardSink(writer: TensorboardWriter): Sink {
  const log = growingLog();
  return {
    event(event) {
      log.add(event);
      if (event.type === 'run') {
        const { model, parameters, options } = event;
        writer.text('run', factsTable({ ...options, model, parameters }), 0);
      } else if (event.type === 'step') {
        const { step, loss, lr } = event;
        writer.scalar('train/loss', loss, step);
        writer.scalar('lr', lr, step);
      } else if (event.type === 'epoch') {
        const { epoch, train, validation, samplesPerSecond } = event;
        const step = lastStepOf(log, epoch) ?? 0;
        writer.scalar('epoch/train_loss', train.loss, step);
        if (validation !== undefined) {
          writer.scalar('validation/loss', validation.loss, step);
          if (!Number.isNaN(validation.accuracy))
            writer.scalar('validation/accuracy', validation.accuracy, step);
        }
        writer.scalar('speed/images_per_second', samplesPerSecond, step);
        writer.flush();
      }
    },
    close: writer.close,
  };
}
