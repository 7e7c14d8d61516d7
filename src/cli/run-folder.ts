// The folder that a run leaves behind: run.json, events.jsonl, checkpoints. Whatever is replaced is replaced whole.

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { HeddleError, messageOf } from '../errors.ts';
import { codeOf } from '../platform/node-read.ts';
import { jsonLine } from './format-json.ts';
import { lockFile, lockRun } from './run-lock.ts';
import type { Sink } from './sinks.ts';

/** A run's folder, open for writing, and locked for others until it is closed. */
export interface RunFolder extends Sink {
  /** As the user would type it. */
  readonly path: string;
  /** Writes or replaces run.json. Throws `file`. */
  saveInfo(info: object): void;
  /** Writes or replaces a checkpoint. Throws `file`; the old one is then as it was. */
  saveCheckpoint(name: string, bytes: Uint8Array): void;
  /** Takes a checkpoint away. Harmless where there is none. */
  removeCheckpoint(name: string): void;
  /** Takes back the events of what came after a checkpoint, to come again. Throws `file`. */
  rewind(to: { readonly steps: number; readonly epochs: number }): void;
}

/** File names within a run's folder. */
export const runFiles = {
  info: 'run.json',
  events: 'events.jsonl',
  metrics: 'metrics.csv',
  last: 'last.safetensors',
  best: 'best.safetensors',
} as const;

function fileError(what: string, cause: unknown): HeddleError {
  return new HeddleError('file', `${what}: ${messageOf(cause)}`, { cause });
}

/** The checkpoint kept of an epoch, from 1, by `--keep`. */
export const historyFile = (epoch: number) => `epoch-${String(epoch).padStart(4, '0')}.safetensors`;

/** The path itself, or the nearest of the folders it is to lie in that is there. */
function nearestThere(path: string): string {
  try {
    statSync(path);
    return path;
  } catch (error) {
    const parent = dirname(path);
    if (!['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '') || parent === path) throw error;
    return nearestThere(parent);
  }
}

/**
 * Throws `usage` when a run cannot have `path` as its folder because something is there, `file` when it may not write there.
 * Creates nothing. With `reuse`, what a run left that died before its first checkpoint may be there.
 */
export function refuseUsed(path: string, reuse = false): void {
  let found: string[];
  try {
    const there = nearestThere(path);
    if (!statSync(there).isDirectory()) {
      const wrong = there === path ? 'is a file, expected a folder' : `cannot be made: ${there} is a file`;
      throw new HeddleError('usage', `--out: ${path} ${wrong}`);
    }
    accessSync(there, constants.W_OK);
    found = there === path ? readdirSync(path) : [];
  } catch (error) {
    if (error instanceof HeddleError) throw error;
    const failed = existsSync(path) ? 'cannot be written' : 'could not be made';
    throw fileError(`the run folder ${path} ${failed}`, error);
  }
  const left: readonly string[] = [runFiles.info, runFiles.events, runFiles.metrics, lockFile];
  if (reuse && found.every((name) => left.includes(name) || /\.tmp$|tfevents/.test(name))) return;
  if (found.length > 0) {
    throw new HeddleError('usage', `--out: ${path} is not empty (${found[0]} is in it); name a new folder`);
  }
}

/** Makes a folder and those it lies in. Node's own `recursive` never returns from under /proc. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && statSync(path).isDirectory()) return;
    if (codeOf(error) !== 'ENOENT' || existsSync(dirname(path))) throw error;
    makeFolder(dirname(path));
    mkdirSync(path);
  }
}

/** Writes all of the bytes where a file stands. */
export function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

/** Makes a rename in `folder` survive a power cut, where the system has a way to. */
function syncFolder(folder: string): void {
  if (process.platform === 'win32') return; // folders cannot be opened there
  const file = openSync(folder, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Writes a file so that, whatever happens, `path` holds the old content or the new one. Throws `file`, and what pieces of `content` throw. */
export function writeWhole(path: string, content: Uint8Array | Iterable<Uint8Array>): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, 'w');
    try {
      for (const piece of content instanceof Uint8Array ? [content] : content) writeAll(file, piece);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (error) {
    rmSync(temporary, { force: true });
    if (error instanceof HeddleError) throw error;
    throw fileError(`${path} could not be written`, error);
  }
}

/** A run's default name, from local time: `2026-11-23T22-10-05-mlp`. */
export function runName(kind: string, date: Date): string {
  const pad = (n: number) => String(n).padStart(2, '0');
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day}T${pad(date.getHours())}-${pad(date.getMinutes())}-${pad(date.getSeconds())}-${kind}`;
}

/** Creates a folder that was not there before: `parent/name`, or with `-2`, `-3` … when others were faster. */
function makeUnique(parent: string, name: string): string {
  makeFolder(parent);
  for (let n = 1; ; n++) {
    const path = join(parent, n === 1 ? name : `${name}-${n}`);
    try {
      mkdirSync(path);
      return path;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }
}

/** Options of `createRunFolder`. */
export interface RunFolderOptions {
  /** The folder itself; must be new or empty. */
  readonly out?: string;
  /** See `refuseUsed`. */
  readonly reuse?: boolean;
  /** Ends the default name, which is otherwise the time. */
  readonly kind: string;
  /** Where default names go. Default `runs`. */
  readonly parent?: string;
  readonly now?: Date;
}

/** The lines of an event log that tell of nothing after `steps` and `epochs`; a torn line is of a process that died. */
function linesUpTo(log: string, { steps, epochs }: { steps: number; epochs: number }): string {
  const stays = (line: string) => {
    try {
      const event: { type?: unknown; step?: unknown; epoch?: unknown } = JSON.parse(line);
      if (event.type === 'step') return (event.step as number) <= steps;
      if (event.type === 'epoch') return (event.epoch as number) <= epochs;
      return event.type !== 'done';
    } catch {
      return false;
    }
  };
  const lines = log.split('\n').filter((line) => line !== '' && stays(line));
  return lines.map((line) => `${line}\n`).join('');
}

/** Creates a run's folder with an empty event log. Throws `usage` when `out` is in use, `file` when it cannot be made. */
export function createRunFolder(options: RunFolderOptions): RunFolder {
  const { out, reuse = false, kind, parent = 'runs', now = new Date() } = options;
  if (out !== undefined) refuseUsed(out, reuse);
  let path = out ?? parent;
  try {
    if (out === undefined) path = makeUnique(parent, runName(kind, now));
    else makeFolder(out);
  } catch (error) {
    throw fileError(`the run folder ${path} could not be made`, error);
  }
  return openRunFolder(path);
}

/** Opens the folder of a run that goes on. Throws `usage` when another process is at work there, `file` when it cannot be written. */
export function openRunFolder(path: string): RunFolder {
  const events = join(path, runFiles.events);
  let log: number | undefined;
  let unlock = () => {};
  try {
    unlock = lockRun(path);
    // Half-written files of processes that were killed.
    for (const name of readdirSync(path)) if (/\.\d+\.tmp$/.test(name)) rmSync(join(path, name));
    log = openSync(events, 'a');
  } catch (error) {
    unlock();
    if (error instanceof HeddleError) throw error;
    throw fileError(`the run folder ${path} cannot be written`, error);
  }
  return {
    path,
    saveInfo(info) {
      writeWhole(join(path, runFiles.info), Buffer.from(`${JSON.stringify(info, null, 2)}\n`));
    },
    saveCheckpoint(name, bytes) {
      writeWhole(join(path, name), bytes);
    },
    removeCheckpoint(name) {
      rmSync(join(path, name), { force: true });
    },
    rewind(to) {
      const before = readFileSync(events, 'utf8');
      const after = linesUpTo(before, to);
      if (after === before) return;
      if (log !== undefined) closeSync(log);
      log = undefined;
      writeWhole(events, Buffer.from(after));
      log = openSync(events, 'a');
    },
    event(event) {
      const line = jsonLine(event);
      if (line === '' || log === undefined) return;
      try {
        writeAll(log, Buffer.from(line));
      } catch (error) {
        throw fileError(`${events} could not be written`, error);
      }
    },
    close() {
      if (log !== undefined) closeSync(log);
      log = undefined;
      unlock();
    },
  };
}
