// What a sweep says to people: lines as runs begin and end, one live line on a terminal, and the table at the end.

import { eraseLine, type Output } from './sinks.ts';
import type { EpochNews } from './sweep-children.ts';
import type { RunResult, RunStatus, Summary } from './sweep-results.ts';
import { cut, table } from './table.ts';

const percent = (share: number) => `${(100 * share).toFixed(2)} %`;
const statuses: readonly RunStatus[] = ['done', 'unfinished', 'diverged', 'failed'];

/** Counts in words, those that are 0 left out: `3 done, 1 diverged`. */
export function tallyText(counts: Readonly<Record<RunStatus, number>>): string {
  const parts = statuses.filter((status) => counts[status] > 0);
  return parts.map((status) => `${counts[status]} ${status}`).join(', ') || '0 done';
}

function valueText(value: unknown): string {
  if (value === null) return 'off';
  if (value === true) return 'on';
  return Array.isArray(value) ? value.join(',') : String(value);
}

function statusText(runs: readonly RunResult[]): string {
  const counted = statuses.map(
    (status) => [status, runs.filter((run) => run.status === status).length] as const,
  );
  const found = counted.filter(([, n]) => n > 0);
  return found.map(([status, n]) => (runs.length === 1 ? status : `${n} ${status}`)).join(', ');
}

/** The table of a sweep: a line for each configuration, in the order given. */
export function sweepTable(summed: readonly Summary[], axes: readonly string[], seeds: number): string {
  const header = ['accuracy', ...(seeds > 1 ? ['±'] : []), 'loss', 'epoch'];
  const rows = summed.map(({ runs, numbers, accuracy, spread, loss }) => {
    const [first] = runs;
    const number = (n: number) => String(n).padStart(3, '0');
    const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
    return [
      accuracy === null ? '' : percent(accuracy),
      ...(seeds > 1 ? [spread === null ? '' : (100 * spread).toFixed(2)] : []),
      loss === null ? '' : loss.toFixed(4),
      runs.map(({ epoch }) => epoch ?? '-').join(' '),
      ...Object.values(first?.options ?? {}).map(valueText),
      runs.reduce((sum, { seconds }) => sum + seconds, 0).toFixed(1),
      low === high ? number(low) : `${number(low)}–${number(high)}`,
      statusText(runs),
    ];
  });
  const align = `${header.map(() => 'r').join('')}${axes.map(() => 'l').join('')}rll`;
  return table([[...header, ...axes, 'seconds', 'run', 'status'], ...rows], { align });
}

/** The line of a run that has ended; of why it failed the first sentence, the results have all of it. */
export function resultLine(name: string, { status, accuracy, epoch, seconds, error }: RunResult): string {
  const best = accuracy === null ? [] : [`${percent(accuracy)} after epoch ${epoch}`];
  const why = error === undefined ? [] : [error.replace(/\. .*/s, '')];
  return `${name}: ${[status, ...best, `${seconds.toFixed(1)} s`, ...why].join(', ')}`;
}

/** Tells stderr how a sweep goes: on a terminal with a live line, elsewhere a line as a run begins and as it ends. */
export interface SweepProgress {
  begin(name: string): void;
  epoch(name: string, news: EpochNews): void;
  end(name: string, result: RunResult): void;
  /** A run that was stopped with the sweep. */
  drop(name: string): void;
  /** Wipes the live line. Harmless when done before. */
  close(): void;
}

/** Redraws are at least this far apart, in ms. */
const interval = 100;

/** Progress of `total` runs, `counts` of which stand so from the beginning. */
export function sweepProgress(
  stderr: Output,
  total: number,
  counts: Record<RunStatus, number>,
  now: () => number = () => performance.now(),
): SweepProgress {
  const live = stderr.isTTY === true;
  const running = new Map<string, string>();
  let last = Number.NEGATIVE_INFINITY;
  const wipe = () => {
    if (live) stderr.write(eraseLine);
  };
  const draw = () => {
    if (!live) return;
    last = now();
    const runs = [...running].map(([name, at]) => `${name} ${at}`).join('; ');
    const line = `${tallyText(counts)} of ${total}${runs === '' ? '' : ` · ${runs}`}`;
    stderr.write(`${eraseLine}${cut(line, (stderr.columns || 80) - 1)}`);
  };
  return {
    begin(name) {
      running.set(name, 'begins');
      if (!live) stderr.write(`${name}: begins\n`);
      draw();
    },
    epoch(name, { epoch, validation }) {
      const accuracy = validation === undefined ? '' : `, ${percent(validation.accuracy)}`;
      running.set(name, `epoch ${epoch}${accuracy}`);
      if (now() - last >= interval) draw();
    },
    end(name, result) {
      running.delete(name);
      counts[result.status]++;
      wipe();
      stderr.write(`${resultLine(name, result)}\n`);
      draw();
    },
    drop(name) {
      running.delete(name);
    },
    close: wipe,
  };
}
