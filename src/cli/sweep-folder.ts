// The folder of a sweep: sweep.json, its plan; results.jsonl, or results-K.jsonl of share K; and a folder for each run.

import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { HeddleError, messageOf } from '../errors.ts';
import { refuseUsed, writeWhole } from './run-folder.ts';
import { lockRun } from './run-lock.ts';
import { difference, type SweepPlan, sweepPlan } from './sweep-plan.ts';
import { keptResults, type RunResult } from './sweep-results.ts';

/** A sweep's folder, open for writing. */
export interface SweepFolder {
  readonly path: string;
  /** Results of earlier tries, by the names of the runs' folders. */
  readonly kept: ReadonlyMap<string, RunResult>;
  /** Adds lines to our results; the first ones replace those of earlier tries. Throws `file`. */
  keep(lines: readonly object[]): void;
  close(): void;
}

const planFile = 'sweep.json';
const resultsFile = (index: number | undefined) =>
  index === undefined ? 'results.jsonl' : `results-${index}.jsonl`;

function readPlan(path: string): SweepPlan {
  const file = join(path, planFile);
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new HeddleError('file', `${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
  const result = v.safeParse(sweepPlan, parsed);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new HeddleError('file', `${file}: ${v.getDotPath(issue) ?? 'content'}: ${issue.message}`);
}

function readKept(path: string): Map<string, RunResult> {
  const files = readdirSync(path).filter((name) => /^results(-\d+)?\.jsonl$/.test(name));
  return keptResults(files.sort().map((name) => join(path, name)));
}

/** A sweep's plan, and the results that all its shares have kept. Throws `usage` where there is none, `file`. */
export function readSweepFolder(path: string): { plan: SweepPlan; kept: ReadonlyMap<string, RunResult> } {
  if (!existsSync(join(path, planFile)))
    throw new HeddleError('usage', `--out: ${path} has no ${planFile}, expected the folder of a sweep`);
  return { plan: readPlan(path), kept: readKept(path) };
}

/**
 * Creates the folder of a sweep, or opens it to go on; `index` is the share's. Other shares may be at work there, another
 * process without a share may not. Throws `usage` where something else is, or the folder is in use; `file`.
 */
export function openSweepFolder(path: string, plan: SweepPlan, index: number | undefined): SweepFolder {
  const file = join(path, planFile);
  const before = existsSync(file) ? readPlan(path) : undefined;
  if (before === undefined) refuseUsed(path, true);
  const other = before && difference(before, plan);
  if (other !== undefined)
    throw new HeddleError(
      'usage',
      `--out: ${file} plans a sweep with ${other}; name another folder, or give the command that it began with`,
    );
  let unlock = () => {};
  try {
    mkdirSync(path, { recursive: true });
    if (index === undefined) unlock = lockRun(path);
    if (before?.configurations.length !== plan.configurations.length) {
      // A name of its own: shares on other machines, that may have our process number, begin at the same time.
      const fresh = `${file}.${randomUUID()}.tmp`;
      writeWhole(fresh, Buffer.from(`${JSON.stringify(plan, null, 2)}\n`));
      renameSync(fresh, file);
    }
  } catch (cause) {
    if (cause instanceof HeddleError) throw cause;
    throw new HeddleError('file', `the sweep's folder ${path} cannot be written: ${messageOf(cause)}`, {
      cause,
    });
  }
  const results = join(path, resultsFile(index));
  const kept = readKept(path);
  let text = '';
  return {
    path,
    kept,
    keep(lines) {
      text += lines.map((line) => `${JSON.stringify(line)}\n`).join('');
      writeWhole(results, Buffer.from(text)); // whole, for whoever reads it meanwhile
    },
    close: () => unlock(),
  };
}
