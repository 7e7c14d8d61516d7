// `--save` and `--against`: a result kept in a file, and another one held to it.

import { accessSync, constants, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import * as v from 'valibot';
import { messageOf } from '../errors.ts';
import { HeddleError } from '../index.ts';
import { bytesText } from '../recipes/units.ts';
import { type BenchResult, benchResult, type Spread, spreadOf } from './bench-result.ts';
import { percent, rangeText, timeText } from './bench-text.ts';
import { table } from './table.ts';

/** Throws `file` for a path that cannot be written to: before anything is measured for it. */
export function refuseUnwritable(option: string, path: string | undefined): void {
  if (path === undefined) return;
  try {
    accessSync(dirname(path), constants.W_OK);
    if (!existsSync(path)) return;
    if (statSync(path).isDirectory()) throw new Error('it is a folder');
    accessSync(path, constants.W_OK);
  } catch (cause) {
    throw new HeddleError('file', `${option}: ${path} could not be written: ${messageOf(cause)}`, { cause });
  }
}

/** Keeps something as JSON. Throws `file` when it cannot be written. */
export function writeJson(option: string, path: string, content: unknown): void {
  try {
    writeFileSync(path, `${JSON.stringify(content)}\n`);
  } catch (cause) {
    throw new HeddleError('file', `${option}: ${path} could not be written: ${messageOf(cause)}`, { cause });
  }
}

/** Reads a result that was kept. Throws `file` when there is none in the file. */
export function readResult(path: string): BenchResult {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new HeddleError('file', `--against: ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
  const result = v.safeParse(benchResult, parsed);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const where = v.getDotPath(issue) ?? 'content';
  const what = `${path} is no result of \`heddle bench --save\`: ${where}: ${issue.message}`;
  throw new HeddleError('file', `--against: ${what}`);
}

/** One figure now and earlier. */
export interface Comparison {
  readonly name: string;
  readonly unit: 'seconds' | 'bytes' | 'share';
  readonly now: Spread;
  readonly before: Spread;
  /** Now as a share of before. */
  readonly ratio: number;
  /** Whether the two spreads overlap, so that the difference may be none; null for what is measured once. */
  readonly withinNoise: boolean | null;
}

function compare(name: string, now: Spread, before: Spread): Comparison {
  const withinNoise = now.lowest <= before.highest && before.lowest <= now.highest;
  return { name, unit: 'seconds', now, before, ratio: now.median / before.median, withinNoise };
}

/** A figure that was measured once in each result; nothing where one of them lacks it. */
function compareOnce(
  name: string,
  unit: Comparison['unit'],
  now: number | null,
  before: number | null,
): Comparison[] {
  if (now === null || before === null) return [];
  const [a, b] = [spreadOf([now]), spreadOf([before])];
  return [{ name, unit, now: a, before: b, ratio: now / before, withinNoise: null }];
}

const kernelSpread = ({
  seconds,
  lowest,
  highest,
}: {
  seconds: number;
  lowest: number;
  highest: number;
}) => ({
  median: seconds,
  lowest,
  highest,
});

/** The figures that both results have; dispatches are matched by label and kernel, sizes by their numbers. */
export function compareResults(now: BenchResult, before: BenchResult): Comparison[] {
  const all = [
    compare('step', now.step, before.step),
    compare('host, a step', now.host, before.host),
    compare('evaluation', now.evaluation.seconds, before.evaluation.seconds),
    compare('first step, cold', now.firstStep.cold, before.firstStep.cold),
    compare('first step, warm', now.firstStep.warm, before.firstStep.warm),
    ...compareOnce('CPU, JavaScript', 'share', now.cpu.javascript, before.cpu.javascript),
    ...compareOnce('CPU, process', 'share', now.cpu.process, before.cpu.process),
    ...compareOnce('GPU memory', 'bytes', now.deviceBytes, before.deviceBytes),
    ...compareOnce('process memory', 'bytes', now.peakBytes, before.peakBytes),
  ];
  if (now.peer !== undefined && before.peer?.name === now.peer.name) {
    all.push(compare(`${now.peer.name}’s step`, now.peer.step, before.peer.step));
  }
  for (const kernel of now.kernels ?? []) {
    const other = before.kernels?.find(
      (candidate) => candidate.label === kernel.label && candidate.kernel === kernel.kernel,
    );
    if (other !== undefined) all.push(compare(kernel.label, kernelSpread(kernel), kernelSpread(other)));
  }
  for (const { sweep, batchSize, hidden, step } of now.sizes ?? []) {
    const key = `${sweep} ${batchSize} ${hidden}`;
    const other = before.sizes?.find((size) => `${size.sweep} ${size.batchSize} ${size.hidden}` === key);
    if (step !== null && other !== undefined && other.step !== null)
      all.push(compare(`batch ${batchSize}, ${hidden.join('-')}`, step, other.step));
  }
  return all;
}

const variantsText = (variants: Readonly<Record<string, string>>) =>
  Object.entries(variants)
    .map(([problem, name]) => `${name} for ${problem}`)
    .join(', ');

/** What makes two results not quite comparable, a line each. */
export function differences(now: BenchResult, before: BenchResult): string[] {
  const facts = ({ versions, kernels: _, ...result }: BenchResult): [string, unknown][] => [
    ['adapter', `${result.adapter}, ${result.backend}`],
    ...(['model', 'batchSize', 'plain', 'dataset', 'threads', 'rounds', 'steps'] as const).map(
      (name): [string, unknown] => [name, result[name]],
    ),
    ['avoided kernels', result.avoided.join(', ') || 'none'],
    ['kernel variants', variantsText(result.variants)],
    ...Object.entries(versions),
  ];
  const earlier = new Map(facts(before));
  return facts(now).flatMap(([name, value]) => {
    const other = earlier.get(name);
    return other === value ? [] : [`${name} differs: now ${value}, before ${other}`];
  });
}

const unitText = { seconds: timeText, bytes: bytesText, share: percent };

/** The comparison as text. */
export function againstText(now: BenchResult, before: BenchResult, path: string): string {
  const rows = compareResults(now, before).map((row) => [
    row.name,
    unitText[row.unit](row.now.median),
    rangeText(row.now),
    unitText[row.unit](row.before.median),
    rangeText(row.before),
    Number.isFinite(row.ratio) ? row.ratio.toFixed(2) : '',
    row.withinNoise === null ? '' : row.withinNoise ? 'within noise' : row.ratio < 1 ? 'faster' : 'slower',
  ]);
  const notes = differences(now, before).map((line) => `${line}\n`);
  const header = ['', 'now', '', 'before', '', 'ratio', ''];
  return `against ${path}\n${notes.join('')}${table([header, ...rows], { align: 'lrlrlrl' })}`;
}
