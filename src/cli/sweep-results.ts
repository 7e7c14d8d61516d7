// What came of a sweep's runs: read from their folders, and summed up by configuration. Prints nothing.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseLines } from './event-log.ts';
import { runFiles } from './run-folder.ts';
import { readRunRecord } from './run-record.ts';
import type { ChildEnd } from './sweep-children.ts';
import type { PlannedRun } from './sweep-plan.ts';

/** How a run of a sweep stands. `unfinished`: stopped in order, or not begun; it goes on when the sweep does. */
export type RunStatus = 'done' | 'unfinished' | 'diverged' | 'failed';

/** How far a run came: the epoch with the best test accuracy, and what was spent. Null where nothing is known. */
export interface Reached {
  /** Share of the test set, 0 … 1, and the test loss, after `epoch`, from 1. */
  readonly accuracy: number | null;
  readonly loss: number | null;
  readonly epoch: number | null;
  /** Optimizer steps done. */
  readonly steps: number | null;
  /** Training time of its epochs, without evaluation. */
  readonly seconds: number;
}

/** A line of `results.jsonl`. */
export interface RunResult extends Reached {
  readonly type: 'run';
  /** The run's folder. */
  readonly run: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly seed: number;
  readonly status: RunStatus;
  /** Why it failed. */
  readonly error?: string;
}

interface LoggedEvent {
  readonly type?: unknown;
  readonly epoch?: number;
  readonly step?: number;
  readonly steps?: number;
  readonly seconds?: number;
  readonly validation?: { readonly accuracy: number; readonly loss: number };
}

/** The objects of JSON lines, which were written by us; a torn one, of a process that died, is left out. */
const jsonLines = <T>(text: string) => parseLines(text).objects as T[];

const readText = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : '');

/** How far the run of an event log came. */
export function reachedIn(log: string): Reached {
  let best: { accuracy: number; loss: number; epoch: number } | undefined;
  let steps: number | null = null;
  let seconds = 0;
  for (const event of jsonLines<LoggedEvent>(log)) {
    if (event.type === 'step') steps = event.step ?? steps;
    if (event.type === 'done') steps = event.steps ?? steps;
    if (event.type !== 'epoch') continue;
    seconds += event.seconds ?? 0;
    const { epoch = 0, validation } = event;
    if (validation === undefined) continue;
    const { accuracy, loss } = validation;
    if (best === undefined || accuracy > best.accuracy) best = { accuracy, loss, epoch };
  }
  const { accuracy = null, loss = null, epoch = null } = best ?? {};
  return { accuracy, loss, epoch, steps, seconds };
}

/** What run.json says of a run's end, `damaged` when it cannot be read; undefined where there is no run. */
function recordedStatus(folder: string): string | undefined {
  if (!existsSync(join(folder, runFiles.info))) return undefined;
  try {
    return readRunRecord(folder).status;
  } catch {
    return 'damaged'; // of one run, which is no reason not to tell of the others
  }
}

/** The result of a run from its folder and what is known of its end. */
function resultOf(
  out: string,
  { name, options, seed }: PlannedRun,
  status: RunStatus,
  error?: string,
): RunResult {
  const run = join(out, name);
  const reached = reachedIn(readText(join(run, runFiles.events)));
  return { type: 'run', run, options, seed, status, ...reached, ...(error !== undefined && { error }) };
}

/**
 * The result of a run whose process has ended. Once run.json says `done` it is, whatever became of the process: a signal
 * may reach it in its last moments, when it listens no more.
 */
export function endedResult(out: string, run: PlannedRun, { code, said }: ChildEnd): RunResult {
  if (recordedStatus(join(out, run.name)) === 'done') return resultOf(out, run, 'done');
  if (code === 0) return resultOf(out, run, 'unfinished');
  const why = said.replace(/^heddle train: /, '') || `exit code ${code}`;
  return resultOf(out, run, code === 5 ? 'diverged' : 'failed', why);
}

/** The results that were kept in files, by the names of the runs' folders. */
export function keptResults(files: readonly string[]): Map<string, RunResult> {
  const lines = files.flatMap((file) => jsonLines<RunResult>(readText(file)));
  const runs = lines.filter(({ type, run }) => type === 'run' && typeof run === 'string');
  return new Map(runs.map((result) => [result.run.split(/[\\/]/).at(-1) ?? '', result]));
}

/** How a run stands that nobody is at work at: by its folder, and by what was kept of how it fell. */
export function standingResult(out: string, run: PlannedRun, kept: RunResult | undefined): RunResult {
  const recorded = recordedStatus(join(out, run.name));
  if (recorded === 'done') return resultOf(out, run, 'done');
  if (recorded === 'damaged')
    return resultOf(out, run, 'failed', `${join(out, run.name, runFiles.info)} cannot be read`);
  if (kept?.status === 'failed' || (kept?.status === 'diverged' && recorded === 'failed'))
    return resultOf(out, run, kept.status, kept.error);
  return resultOf(out, run, 'unfinished');
}

/** Whether a run need not be tried: it is done, or it diverged and would do so again. */
export const isSettled = ({ status }: RunResult): boolean => status === 'done' || status === 'diverged';

/** A configuration's runs, summed up. */
export interface Summary {
  readonly runs: readonly RunResult[];
  readonly numbers: readonly number[];
  /** Mean best accuracy and mean loss there, over the runs that are done or unfinished; null where none was evaluated. */
  readonly accuracy: number | null;
  readonly loss: number | null;
  /** Standard deviation of the accuracy, of a sample; null for fewer than two runs. */
  readonly spread: number | null;
}

const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((a, b) => a + b, 0) / values.length;

function spreadOf(values: readonly number[]): number | null {
  const middle = mean(values);
  if (middle === null || values.length < 2) return null;
  return Math.sqrt(values.reduce((sum, x) => sum + (x - middle) ** 2, 0) / (values.length - 1));
}

function summaryOf(pairs: readonly (readonly [PlannedRun, RunResult])[]): Summary {
  const runs = pairs.map(([, result]) => result);
  const counting = runs.filter(({ status }) => status === 'done' || status === 'unfinished');
  const accuracies = counting.flatMap(({ accuracy }) => accuracy ?? []);
  const losses = counting.flatMap(({ loss }) => loss ?? []);
  return {
    runs,
    numbers: pairs.map(([{ number }]) => number),
    accuracy: mean(accuracies),
    loss: mean(losses),
    spread: spreadOf(accuracies),
  };
}

/** The configurations, the best accuracy first, then the lower loss; those without any last, in the plan's order. */
export function summaries(pairs: readonly (readonly [PlannedRun, RunResult])[]): Summary[] {
  const groups = new Map<number, (readonly [PlannedRun, RunResult])[]>();
  for (const pair of pairs) {
    const { configuration } = pair[0];
    groups.set(configuration, [...(groups.get(configuration) ?? []), pair]);
  }
  const below = (a: number | null, b: number | null) => (a ?? -1) - (b ?? -1);
  return [...groups.values()]
    .map(summaryOf)
    .toSorted((a, b) => below(b.accuracy, a.accuracy) || below(a.loss, b.loss));
}

/** How many runs stand how. */
export function tally(results: readonly RunResult[]): Record<RunStatus, number> {
  const counts = { done: 0, unfinished: 0, diverged: 0, failed: 0 };
  for (const { status } of results) counts[status]++;
  return counts;
}
