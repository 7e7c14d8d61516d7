// The folder that a run leaves behind: run.json, events.jsonl, last.safetensors. Whatever is replaced is replaced whole.

import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { HeddleError, messageOf } from '../errors.ts';
import { jsonLine } from './format-json.ts';
import type { Sink } from './sinks.ts';

/** A run's folder, open for writing. */
export interface RunFolder extends Sink {
  /** As the user would type it. */
  readonly path: string;
  /** Writes or replaces run.json. Throws `file`. */
  saveInfo(info: object): void;
  /** Writes or replaces last.safetensors. Throws `file`; the old one is then as it was. */
  saveModel(bytes: Uint8Array): void;
}

/** File names within a run's folder. */
export const runFiles = {
  info: 'run.json',
  events: 'events.jsonl',
  metrics: 'metrics.csv',
  last: 'last.safetensors',
  best: 'best.safetensors',
} as const;

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? String(error.code) : '');

function fileError(what: string, cause: unknown): HeddleError {
  return new HeddleError('file', `${what}: ${messageOf(cause)}`, { cause });
}

/** Throws `usage` when a run cannot have `path` as its folder because something is there. Creates nothing. */
export function refuseUsed(path: string): void {
  let found: string[];
  try {
    if (!statSync(path).isDirectory())
      throw new HeddleError('usage', `--out: ${path} is a file, expected a folder`);
    found = readdirSync(path);
  } catch (error) {
    if (error instanceof HeddleError) throw error;
    if (codeOf(error) === 'ENOENT') return;
    throw new HeddleError('usage', `--out: ${path} cannot be used: ${messageOf(error)}`, { cause: error });
  }
  if (found.length > 0) {
    throw new HeddleError('usage', `--out: ${path} is not empty (${found[0]} is in it); name a new folder`);
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

/** Writes a file so that, whatever happens, `path` holds the old content or the new one. Throws `file`. */
export function writeWhole(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = openSync(temporary, 'w');
    try {
      writeAll(file, bytes);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
    syncFolder(dirname(path));
  } catch (error) {
    rmSync(temporary, { force: true });
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
  mkdirSync(parent, { recursive: true });
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
  /** Ends the default name, which is otherwise the time. */
  readonly kind: string;
  /** Where default names go. Default `runs`. */
  readonly parent?: string;
  readonly now?: Date;
}

/** Creates a run's folder with an empty event log. Throws `usage` when `out` is in use, `file` when it cannot be made. */
export function createRunFolder(options: RunFolderOptions): RunFolder {
  const { out, kind, parent = 'runs', now = new Date() } = options;
  if (out !== undefined) refuseUsed(out);
  let path = out ?? parent;
  let log: number | undefined;
  try {
    if (out === undefined) path = makeUnique(parent, runName(kind, now));
    else mkdirSync(out, { recursive: true });
    log = openSync(join(path, runFiles.events), 'a');
  } catch (error) {
    throw fileError(`the run folder ${path} could not be made`, error);
  }
  return {
    path,
    saveInfo(info) {
      writeWhole(join(path, runFiles.info), Buffer.from(`${JSON.stringify(info, null, 2)}\n`));
    },
    saveModel(bytes) {
      writeWhole(join(path, runFiles.last), bytes);
    },
    event(event) {
      const line = jsonLine(event);
      if (line === '' || log === undefined) return;
      try {
        writeAll(log, Buffer.from(line));
      } catch (error) {
        throw fileError(`${join(path, runFiles.events)} could not be written`, error);
      }
    },
    close() {
      if (log !== undefined) closeSync(log);
      log = undefined;
    },
  };
}
