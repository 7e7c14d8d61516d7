// A benchmark's result as text for people. Pure functions.

import { bytesText, count } from '../recipes/units.ts';
import type { BenchResult, KernelTime, PeerResult, SizeResult, Spread } from './bench-result.ts';
import { table } from './table.ts';

const digits = (value: number) => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** A time in the unit that suits it: `1.23 s`, `4.56 ms`, `78.9 µs`. */
export function timeText(seconds: number): string {
  if (seconds === 0) return '0';
  if (seconds >= 0.9995) return `${digits(seconds)} s`;
  if (seconds >= 0.9995e-3) return `${digits(1e3 * seconds)} ms`;
  return seconds >= 1e-6 ? `${digits(1e6 * seconds)} µs` : `${(1e6 * seconds).toFixed(3)} µs`;
}

/** Lowest and highest of something measured more than once, in times. */
export function rangeText({ lowest, highest }: Spread): string {
  return lowest === highest ? '' : `(${timeText(lowest)} … ${timeText(highest)})`;
}

/** A share as per cent. */
export const percent = (share: number) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;

const plural = (n: number, one: string) => `${count(n)} ${one}${n === 1 ? '' : 's'}`;

/** CPU of other processes, in cores, from which on a user should know of it. */
const disturbance = 0.2;
/** Less than this is no measure of how fast memory is. */
const leastBytes = 64 * 1024;

/** Dispatches with their GPU times, the whole below. */
export function kernelTable(kernels: readonly KernelTime[]): string {
  const total = kernels.reduce((sum, { seconds }) => sum + seconds, 0);
  const totalFlops = kernels.reduce((sum, { flops }) => sum + (flops ?? 0), 0);
  const microseconds = (seconds: number) => (1e6 * seconds).toFixed(1);
  const share = (seconds: number) => (total === 0 ? '' : percent(seconds / total));
  const rate = (amount: number, seconds: number) => (seconds === 0 ? '' : digits(amount / seconds / 1e9));
  const rows = kernels.map(({ label, kernel, seconds, lowest, highest, flops, bytes }) => [
    label,
    kernel,
    microseconds(seconds),
    `${microseconds(lowest)} … ${microseconds(highest)}`,
    share(seconds),
    flops === null ? '' : rate(flops, seconds),
    bytes < leastBytes ? '' : rate(bytes, seconds),
  ]);
  const header = ['label', 'kernel', 'GPU µs', 'lowest … highest', 'share', 'GFLOP/s', 'GB/s'];
  const last = [
    `${kernels.length} dispatches`,
    '',
    microseconds(total),
    '',
    share(total),
    rate(totalFlops, total),
  ];
  return table([header, ...rows, last], { align: 'llrrrrr' });
}

/** The job in one line. */
export function jobText(result: BenchResult): string {
  const { model, batchSize, plain, adapter, backend, dataset, threads } = result;
  const parts = [
    `${model}, batch ${count(batchSize)}, ${plain ? 'plain' : 'fused'}`,
    `${adapter}${backend === '' ? '' : `, ${backend}`}`,
    dataset,
  ];
  if (threads !== null) parts.push(plural(threads, 'thread'));
  return parts.join(' · ');
}

function figures(result: BenchResult): string[][] {
  const { step, host, cpu, evaluation, firstStep, kernels, rounds, steps } = result;
  const spread = (name: string, value: Spread, more = '') => [
    name,
    timeText(value.median),
    [rangeText(value), more].filter((text) => text !== '').join('  '),
  ];
  const rows = [
    spread('step', step, `${plural(rounds, 'round')} of ${plural(steps, 'step')}`),
    ['images/s', count(result.imagesPerSecond), ''],
    spread('host, a step', host, 'to fill and submit'),
    ['dispatches, a step', String(result.dispatchesPerStep), ''],
    ['submits, a step', result.submitsPerStep.toFixed(3), ''],
  ];
  if (cpu.javascript !== null) rows.push(['CPU, JavaScript', percent(cpu.javascript), 'of a core']);
  rows.push(['CPU, process', percent(cpu.process), 'of a core']);
  const disturbed = cpu.others > disturbance ? ': they disturb the measurement' : '';
  rows.push(['CPU, others', percent(cpu.others), `of a core, by other processes${disturbed}`]);
  const share = `${count(evaluation.images)} images, ${percent(evaluation.shareOfEpoch)} of an epoch’s training`;
  rows.push(spread('evaluation', evaluation.seconds, share));
  rows.push(spread('first step, cold', firstStep.cold, 'from the start of the process'));
  rows.push(spread('first step, warm', firstStep.warm, 'shaders in the driver’s cache'));
  rows.push(['GPU memory', bytesText(result.deviceBytes), '']);
  if (result.peakBytes !== null) rows.push(['process memory', bytesText(result.peakBytes), 'at its peak']);
  if (kernels === null) rows.push(['GPU times', 'none', 'this adapter has no timestamp-query']);
  return rows;
}

/** How we did beside a peer. */
export function peerText({ name, version, threads, step, ratio, gemm }: PeerResult): string {
  const times = (value: number) => value.toFixed(2);
  const by = `(${times(ratio.lowest)} … ${times(ratio.highest)} by round)`;
  const rows = [
    [`${name} ${version}`, timeText(step.median), `${rangeText(step)}  a step, ${plural(threads, 'thread')}`],
    [`heddle ÷ ${name}`, times(ratio.median), `${by}  below 1, heddle is faster`],
  ];
  if (gemm !== null) {
    const { m, n, k, ours, theirs } = gemm;
    const speeds = `ours ${timeText(ours)}, with its epilogue; ${name}’s ${timeText(theirs)}`;
    rows.push([`matmul ${m}×${n}×${k}`, percent(theirs / ours), `of ${name}’s speed: ${speeds}`]);
  }
  return table(rows, { align: 'lrl' });
}

/** One sweep over sizes; times and speeds, and the time's growth from the row above. */
export function sizesTable(sizes: readonly SizeResult[]): string {
  let before: number | undefined;
  const rows = sizes.map(({ batchSize, hidden, step, flops, skipped }) => {
    const size = [count(batchSize), hidden.join(',')];
    if (step === null) return [...size, 'skipped:', skipped ?? ''];
    const seconds = step.median;
    const growth = before === undefined ? '' : `×${(seconds / before).toFixed(2)}`;
    before = seconds;
    return [
      ...size,
      (1e3 * seconds).toPrecision(3),
      rangeText(step),
      digits((1e6 * seconds) / batchSize),
      count(batchSize / seconds),
      digits(flops / seconds / 1e9),
      growth,
    ];
  });
  const header = [
    'batch',
    'hidden',
    'ms a step',
    'lowest … highest',
    'µs an image',
    'images/s',
    'GFLOP/s',
    'time',
  ];
  // A reason for skipping is longer than any number; it must not widen the column that it stands in.
  const widths = table([header, ...rows.filter((row) => row[2] !== 'skipped:')], { align: 'rlrlrrrr' });
  const skipped = rows.filter((row) => row[2] === 'skipped:').map((row) => `batch ${row.join('  ')}\n`);
  return `${widths}${skipped.join('')}`;
}

/** The whole result. */
export function resultText(result: BenchResult): string {
  const parts = [`${jobText(result)}\n`, table(figures(result), { align: 'lrl' })];
  if (result.peer !== undefined) parts.push(peerText(result.peer));
  if (result.kernels !== null) parts.push(kernelTable(result.kernels));
  for (const sweep of ['batch', 'hidden'] as const) {
    const sizes = (result.sizes ?? []).filter((size) => size.sweep === sweep);
    if (sizes.length > 0) parts.push(sizesTable(sizes));
  }
  return parts.join('\n');
}
