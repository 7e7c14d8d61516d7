// A timeline in Chrome's trace format, which Perfetto opens: what the host did in rounds of training, and how long each
// dispatch of a step takes on the GPU.
// The format: docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU

import type { DispatchProfile, Span } from '../index.ts';

/** An event of a trace: a span (`X`), or the name of a process or thread (`M`). Times are in µs. */
export type TraceEvent =
  | {
      readonly ph: 'X';
      readonly name: string;
      readonly cat: string;
      readonly ts: number;
      readonly dur: number;
      readonly pid: number;
      readonly tid: number;
      readonly args?: Readonly<Record<string, unknown>>;
    }
  | {
      readonly ph: 'M';
      readonly name: 'process_name' | 'thread_name';
      readonly pid: number;
      readonly tid: number;
      readonly args: { readonly name: string };
    };

const [hostProcess, gpuProcess] = [1, 2];
const threads = { round: 1, fill: 2, submit: 2, wait: 3 };

const named = (name: 'process_name' | 'thread_name', pid: number, tid: number, text: string): TraceEvent => ({
  ph: 'M',
  name,
  pid,
  tid,
  args: { name: text },
});

/** The timeline. Rounds lie where they were; the dispatches, measured apart, stand end to end from the first round's start. */
export function traceOf(rounds: readonly (readonly Span[])[], kernels: readonly DispatchProfile[] | null) {
  const origin = rounds.flat().reduce((least, { start }) => Math.min(least, start), Number.POSITIVE_INFINITY);
  const events: TraceEvent[] = [
    named('process_name', hostProcess, 0, 'host'),
    named('thread_name', hostProcess, threads.round, 'rounds'),
    named('thread_name', hostProcess, threads.fill, 'fill and submit'),
    named('thread_name', hostProcess, threads.wait, 'wait'),
    named('process_name', gpuProcess, 0, 'GPU'),
    named(
      'thread_name',
      gpuProcess,
      1,
      'dispatches of one step: median times, measured apart from the rounds',
    ),
  ];
  const span = (name: string, tid: number, start: number, end: number): TraceEvent => ({
    ph: 'X',
    name,
    cat: 'host',
    ts: 1000 * (start - origin),
    dur: 1000 * (end - start),
    pid: hostProcess,
    tid,
  });
  rounds.forEach((spans, i) => {
    const [first, last] = [spans[0], spans.at(-1)];
    if (first === undefined || last === undefined) return;
    events.push(span(`round ${i + 1}`, threads.round, first.start, last.end));
    for (const { name, start, end } of spans) events.push(span(name, threads[name], start, end));
  });
  let ts = 0;
  for (const { label, kernel, seconds, lowest, highest } of kernels ?? []) {
    const dur = 1e6 * seconds;
    const args = { kernel, lowest: 1e6 * lowest, highest: 1e6 * highest };
    events.push({ ph: 'X', name: label, cat: 'gpu', ts, dur, pid: gpuProcess, tid: 1, args });
    ts += dur;
  }
  return { displayTimeUnit: 'ms', traceEvents: events };
}
