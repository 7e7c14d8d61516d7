// The list of runs as text: what they have in common once, then a table of what they differ in and what came of it.

import { count } from '../recipes/units.ts';
import { type Comparison, compareOptions, optionTexts, sameText } from './run-options.ts';
import type { RunSummary } from './run-summary.ts';
import { cleaned, table } from './table.ts';

const none = '–';

/** A number in few digits: `0.7136`, `1.20e+9`. */
export function shortNumber(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return none;
  const size = Math.abs(value);
  return size !== 0 && (size >= 1e4 || size < 1e-3) ? value.toExponential(2) : value.toFixed(4);
}

/** `88.50 % (3)`: the best accuracy, and its epoch. */
const bestText = ({ best }: RunSummary): string =>
  best === undefined ? none : `${(100 * best.accuracy).toFixed(2)} % (${best.epoch})`;

/** Epochs done, of those asked for. */
const epochsText = ({ epochs }: RunSummary): string =>
  epochs.asked === undefined ? count(epochs.done) : `${count(epochs.done)}/${count(epochs.asked)}`;

/** Milliseconds a step, in three digits or more. */
function millisecondsText({ secondsPerStep }: RunSummary): string {
  if (secondsPerStep === undefined || !Number.isFinite(secondsPerStep)) return none;
  const ms = 1000 * secondsPerStep;
  return ms >= 100 ? count(ms) : ms.toPrecision(3);
}

/** A date in local time, to the minute. */
export function dateText({ started }: Pick<RunSummary, 'started'>): string {
  const date = new Date(started ?? '');
  if (Number.isNaN(date.getTime())) return none;
  const pad = (n: number) => String(n).padStart(2, '0');
  const day = `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
  return `${day} ${pad(date.getHours())}:${pad(date.getMinutes())}`;
}

/** A column of a list of runs. */
export interface RunColumn {
  readonly heading: string;
  readonly align: 'l' | 'r';
  text(run: RunSummary): string;
  /** What goes first where there is no room goes by this, the greatest first; without it, it stays. */
  readonly spare?: number;
}

/** The columns of a list of runs that differ in some options. */
export function runColumns(different: readonly string[]): RunColumn[] {
  const options = different.map((name, i): RunColumn => {
    const spare = i + 1;
    return { heading: name, align: 'l', text: (run) => optionTexts(run).get(name) ?? none, spare };
  });
  const after = 1000; // options stay longer than these
  return [
    { heading: 'run', align: 'l', text: ({ name }) => cleaned(name) },
    { heading: 'status', align: 'l', text: ({ status }) => cleaned(status) },
    ...options,
    { heading: 'epochs', align: 'r', text: epochsText },
    { heading: 'steps', align: 'r', text: ({ steps }) => count(steps), spare: after + 1 },
    { heading: 'accuracy', align: 'r', text: bestText },
    { heading: 'train loss', align: 'r', text: (run) => shortNumber(run.trainLoss), spare: after + 3 },
    { heading: 'test loss', align: 'r', text: (run) => shortNumber(run.validationLoss) },
    { heading: 'ms/step', align: 'r', text: millisecondsText, spare: after },
    { heading: 'started', align: 'l', text: dateText, spare: after + 2 },
  ];
}

/** A name cut to a width in its middle, since names tend to differ at both ends. */
function cutMiddle(name: string, width: number): string {
  if (name.length <= width) return name;
  const head = Math.ceil((width - 1) / 2);
  return `${name.slice(0, head)}…${name.slice(name.length - (width - 1 - head))}`;
}

/** Names are cut no shorter than this. */
const shortestName = 16;
const gap = 2;

/** Items behind a word, in lines of at most `width` where they can be; nothing without items. */
function wrapped(word: string, items: readonly string[], width: number): string {
  if (items.length === 0) return '';
  const lines = [`${word} ${items[0] ?? ''}`];
  for (const item of items.slice(1)) {
    const line = `${lines.at(-1)}, ${item}`;
    if (line.length < width) lines[lines.length - 1] = line;
    else {
      lines[lines.length - 1] += ',';
      lines.push(`${' '.repeat(word.length)} ${item}`);
    }
  }
  return lines.map((line) => `${line}\n`).join('');
}

interface Laid {
  readonly rows: string[][];
  readonly align: string;
  /** Headings of what was left out. */
  readonly missing: readonly string[];
}

/** The table in a width: first names are cut, then columns left out, the least needed first. */
function lay(runs: readonly RunSummary[], { different }: Comparison, width: number): Laid {
  let columns = runColumns(different);
  const cells = new Map(columns.map((column) => [column, [column.heading, ...runs.map(column.text)]]));
  const widthOf = (column: RunColumn) => Math.max(...(cells.get(column) ?? []).map((cell) => cell.length));
  const [name] = columns as [RunColumn];
  const rest = () => columns.slice(1).reduce((sum, column) => sum + gap + widthOf(column), 0);
  const missing: string[] = [];
  while (rest() + Math.min(shortestName, widthOf(name)) > width) {
    const spare = columns.toSorted((a, b) => (b.spare ?? 0) - (a.spare ?? 0))[0];
    if (spare?.spare === undefined) break;
    columns = columns.filter((column) => column !== spare);
    if (different.includes(spare.heading)) missing.unshift(spare.heading);
  }
  const room = Math.max(shortestName, width - rest());
  cells.set(name, cells.get(name)?.map((cell) => cutMiddle(cell, room)) ?? []);
  const rows = ['', ...runs].map((_, i) => columns.map((column) => cells.get(column)?.[i] ?? ''));
  return { rows, align: columns.map(({ align }) => align).join(''), missing };
}

/** The list as text, for a terminal of `width` columns, or as wide as it gets. Empty without runs. */
export function runsText(runs: readonly RunSummary[], width = Number.POSITIVE_INFINITY): string {
  if (runs.length === 0) return '';
  const comparison = compareOptions(runs);
  const { rows, align, missing } = lay(runs, comparison, width);
  const same = wrapped(runs.length === 1 ? 'with' : 'all:', comparison.same.map(sameText), width);
  const also = wrapped('different too, see --json:', missing, width);
  return `${same}${same && '\n'}${table(rows, { align })}${also}`;
}
