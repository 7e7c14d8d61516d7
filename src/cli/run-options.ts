// What runs were made of, in words: which of it they have in common, and in what they differ. Pure functions.

import type { RunSummary } from './run-summary.ts';
import { cleaned } from './table.ts';

/** Options that say nothing of how a run learns, or that are told elsewhere. */
const untold: ReadonlySet<string> = new Set([
  ...['model', 'hidden', 'epochs'],
  ...'data out resume json format logEvery adapter kernels keep checkpointEvery maxTime'.split(' '),
]);
/** What most runs have, and none need be told of. */
const usual: Readonly<Record<string, unknown>> = { onNan: 'stop' };
/** In this order, before all others. */
const first = ['model', 'dataset', 'optimizer', 'lr', 'schedule', 'batch', 'seed'];
const names: Readonly<Record<string, string>> = { batchSize: 'batch', weightDecay: 'decay' };

/** An option's name as a heading: `clipNorm` is `clip norm`. */
const nameOf = (option: string) =>
  names[option] ?? option.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

function valueText(value: unknown): string {
  if (value === true) return 'yes';
  if (Array.isArray(value)) return value.map(valueText).join(',');
  return cleaned(typeof value === 'object' ? JSON.stringify(value) : String(value));
}

/** What a run was made of, by name, in no order. What is off or not given is left out. */
export function optionTexts({ model, options }: RunSummary): ReadonlyMap<string, string> {
  const told = Object.entries(options).filter(
    ([name, value]) =>
      !untold.has(name) && value !== undefined && value !== null && value !== false && value !== usual[name],
  );
  return new Map([
    ['model', cleaned(model)],
    ...told.map(([name, value]) => [cleaned(nameOf(name)), valueText(value)] as const),
  ]);
}

/** What several runs have in common, and the names of that in which they differ. */
export interface Comparison {
  readonly same: readonly (readonly [name: string, text: string])[];
  readonly different: readonly string[];
}

/** Compares runs. */
export function compareOptions(runs: readonly RunSummary[]): Comparison {
  const all = runs.map(optionTexts);
  const rank = (name: string) => (first.includes(name) ? first.indexOf(name) : first.length);
  const found = new Set(all.flatMap((texts) => [...texts.keys()]));
  const ordered = [...found].toSorted((a, b) => rank(a) - rank(b));
  const different = ordered.filter((name) => new Set(all.map((texts) => texts.get(name))).size > 1);
  const same = ordered
    .filter((name) => !different.includes(name))
    .map((name) => [name, all[0]?.get(name) ?? ''] as const);
  return { same, different };
}

/** Something that runs have in common: `sgd`, `batch 64`, `shuffle`. */
export function sameText([name, text]: Comparison['same'][number]): string {
  if (['model', 'dataset', 'optimizer'].includes(name)) return text;
  return text === 'yes' ? name : `${name} ${text}`;
}
