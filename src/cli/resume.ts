// `--resume`: which run goes on, with which options. A resumed run goes on as it began; what may differ is how long it
// goes, where it runs and what is told of it.

import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { HeddleError, messageOf } from '../errors.ts';
import type { TrainingState } from '../io/checkpoint.ts';
import { freeOptions, type RunRecord } from '../recipes/record.ts';
import { flagOf, type TrainOptions } from './options.ts';
import { runFiles } from './run-folder.ts';
import { lockOwner, refuseLocked } from './run-lock.ts';
import { readCheckpoint, readRunRecord } from './run-record.ts';
import { shellWord } from './shell-words.ts';

/** A run that goes on. */
export interface Resumed {
  /** Its folder, or its checkpoint's file. */
  readonly run: string;
  readonly record: RunRecord;
  /** Its last checkpoint, and how far that is. */
  readonly checkpoint: Uint8Array;
  readonly state: TrainingState;
}

type Name = keyof TrainOptions;

/** Where new runs go, and `auto` looks. */
const parent = 'runs';

const text = (value: unknown) =>
  value === undefined ? 'nothing' : Array.isArray(value) ? value.join(',') : String(value);

/** The first of the options given that is not what the run began with. */
function differing(options: TrainOptions, given: ReadonlySet<string>, record: RunRecord): Name | undefined {
  const began: Partial<Record<string, unknown>> = record.options;
  return ([...given] as Name[]).find(
    (name) => !freeOptions.has(name) && JSON.stringify(options[name]) !== JSON.stringify(began[name]),
  );
}

/** Reads a run and its last checkpoint. Throws as `readRunRecord`. */
function readRun(run: string): Resumed {
  const record = readRunRecord(run);
  const { bytes, state } = readCheckpoint(run);
  return { run, record, checkpoint: bytes, state };
}

/** The records of the runs that `auto` looks through, newest first; what is no run's any more is told and passed over. */
function recordsIn(folder: string, tell: (line: string) => void): { run: string; record: RunRecord }[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const found = names.flatMap((name) => {
    const run = join(folder, name);
    if (!existsSync(join(run, runFiles.info))) return [];
    try {
      return [{ run, record: readRunRecord(run) }];
    } catch (error) {
      tell(`--resume auto passes ${run} over: ${messageOf(error)}`);
      return [];
    }
  });
  return found.toSorted((a, b) => (a.record.started < b.record.started ? 1 : -1));
}

/**
 * The newest run that has not come to its end, has begun with such options, and at which nobody is at work. One that
 * diverged would diverge again.
 */
function newestUnfinished(
  options: TrainOptions,
  given: ReadonlySet<string>,
  tell: (line: string) => void,
): Resumed | undefined {
  for (const { run, record } of recordsIn(parent, tell)) {
    if (record.status === 'done' || differing(options, given, record) !== undefined) continue;
    if (lockOwner(run) !== undefined) continue;
    if (record.code === 'diverged') {
      tell(`--resume auto passes ${run} over: it diverged`);
      continue;
    }
    try {
      const { bytes, state } = readCheckpoint(run);
      const { epochs = options.epochs } = given.has('epochs') ? options : record.options;
      if (state.epochs < epochs) return { run, record, checkpoint: bytes, state };
    } catch (error) {
      tell(`--resume auto passes ${run} over: ${messageOf(error)}`);
    }
  }
  return undefined;
}

/** The run that `--resume` means; undefined when a new one is to begin. */
function find(
  options: TrainOptions,
  given: ReadonlySet<string>,
  tell: (line: string) => void,
): Resumed | undefined {
  const { resume, out } = options;
  if (resume === undefined) return undefined;
  if (resume !== 'auto') return readRun(resume);
  if (out !== undefined) return existsSync(join(out, runFiles.last)) ? readRun(out) : undefined;
  const found = newestUnfinished(options, given, tell);
  if (found === undefined) tell(`--resume auto: no run in ${parent} to go on with; beginning a new one`);
  return found;
}

/**
 * The run to go on with, and the options to do it by: its own, and of those given the ones that are free. Throws `usage`
 * for a run that is not there, is in use or has begun with other options. `tell` hears why `auto` passes runs over.
 */
export function takeUpRun(
  options: TrainOptions,
  given: ReadonlySet<string>,
  tell = (line: string): unknown => process.stderr.write(`${line}\n`),
): { readonly options: TrainOptions; readonly resumed?: Resumed } {
  if (options.resume !== undefined && options.init !== undefined)
    throw new HeddleError('usage', '--resume and --init exclude each other: expected one of them');
  const resumed = find(options, given, tell);
  if (resumed === undefined) return { options };
  const { run, record } = resumed;
  refuseLocked(run);
  const other = differing(options, given, record);
  if (other !== undefined) {
    const began: Partial<Record<string, unknown>> = record.options;
    throw new HeddleError(
      'usage',
      `${flagOf(other)}: found ${text(options[other])}, expected ${text(began[other])}, as ${run} began; to train on with another, begin a new run with --init ${shellWord(run)}`,
    );
  }
  const { kernels: _, ...began } = record.options;
  const own = Object.fromEntries(
    ([...given] as Name[]).filter((name) => freeOptions.has(name)).map((name) => [name, options[name]]),
  );
  // The kernels that it used, so that its numbers go on to the bit.
  const kernels = record.kernels?.variants === undefined ? {} : { kernels: run };
  const { init: __, initPrefix: ___, ...rest } = options;
  const stays = options.out !== undefined && resolve(options.out) === resolve(run) ? { out: undefined } : {};
  const merged = { ...rest, initPartial: false, ...began, ...kernels, ...own, ...stays };
  return {
    options: Object.fromEntries(
      Object.entries(merged).filter(([, value]) => value !== undefined),
    ) as TrainOptions,
    resumed,
  };
}
