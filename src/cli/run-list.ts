// Finds the runs in folders and reads what they left. What is no run, or a damaged one, is a notice and no failure.

import { type Dirent, existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { messageOf } from '../errors.ts';
import { type Log, logOf, parseLines } from './event-log.ts';
import { runFiles } from './run-folder.ts';
import { type ListedRun, summarize } from './run-summary.ts';

/** Runs, and a line on each thing that was passed over. */
export interface RunList {
  readonly runs: readonly ListedRun[];
  readonly notices: readonly string[];
}

interface Found {
  readonly name: string;
  readonly path: string;
}

/** Runs may lie so many folders deep: `runs/sweep/1`. */
const deepest = 3;

const isRun = (path: string) => existsSync(join(path, runFiles.info));

/** The runs below a folder, named from there. Links are not followed: a run is listed where it lies. */
function below(path: string, prefix: string, depth: number, notices: string[]): Found[] {
  let entries: Dirent[];
  try {
    entries = readdirSync(path, { withFileTypes: true });
  } catch (error) {
    notices.push(`${path} cannot be read: ${messageOf(error)}`);
    return [];
  }
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .flatMap((entry) => {
      const [name, child] = [join(prefix, entry.name), join(path, entry.name)];
      if (isRun(child)) return [{ name, path: child }];
      const inner: string[] = [];
      const found = depth < deepest ? below(child, name, depth + 1, inner) : [];
      if (found.length > 0) notices.push(...inner);
      else notices.push(`${child} is passed over: no ${runFiles.info} is in it`);
      return found;
    });
}

function readLog(path: string, notices: string[]): Log {
  const file = join(path, runFiles.events);
  try {
    const { objects, damaged } = parseLines(existsSync(file) ? readFileSync(file, 'utf8') : '');
    if (damaged > 0) notices.push(`${file}: ${damaged} damaged lines are passed over`);
    return logOf(objects);
  } catch (error) {
    notices.push(`${file} cannot be read: ${messageOf(error)}`);
    return logOf([]);
  }
}

function readRun({ name, path }: Found, atWork: boolean, notices: string[]): ListedRun[] {
  const file = join(path, runFiles.info);
  try {
    const run = summarize(JSON.parse(readFileSync(file, 'utf8')), readLog(path, notices), {
      ...{ name, path, atWork },
    });
    if (typeof run !== 'string') return [run];
    notices.push(`${path} is passed over: ${runFiles.info}: ${run}`);
  } catch (error) {
    notices.push(`${path} is passed over: ${file} cannot be read: ${messageOf(error)}`);
  }
  return [];
}

/**
 * The runs that folders are, or have below them, each once. `atWork` tells whether a process is at work on the run in a
 * folder.
 */
export function listRuns(folders: readonly string[], atWork: (path: string) => boolean): RunList {
  const notices: string[] = [];
  const found = folders.flatMap((path) =>
    isRun(path) ? [{ name: basename(resolve(path)), path }] : below(path, '', 1, notices),
  );
  const once = [...new Map(found.map((run) => [resolve(run.path), run])).values()];
  // Names from several folders may be the same; paths are not.
  const unclear = new Set(once.map(({ name }) => name)).size < once.length;
  const runs = once.flatMap((run) =>
    readRun(unclear ? { ...run, name: run.path } : run, atWork(run.path), notices),
  );
  return { runs, notices };
}
