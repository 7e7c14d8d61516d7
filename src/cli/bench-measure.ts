// The measurements of `heddle bench` that happen in its own process: rounds of steps, evaluation, GPU times.

import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import {
  canProfile,
  type DataLoader,
  type Device,
  type DispatchDescription,
  type DispatchProfile,
  dataLoader,
  HeddleError,
  type Span,
  type Trainer,
  take,
} from '../index.ts';
import type { Workshop } from './bench-job.ts';
import { type KernelTime, type Spread, spreadOf } from './bench-result.ts';
import { boundBytes } from './plan.ts';

/** One measured round. */
export interface Round {
  /** Seconds of a step: the whole round's by its steps. */
  readonly step: number;
  /** Seconds of a step in which the JavaScript thread filled or submitted. */
  readonly host: number;
  readonly submits: number;
  /** CPU seconds by seconds passed. */
  readonly javascript: number | null;
  readonly process: number;
  /** What the other processes of the machine took meanwhile: the less, the better the measurement. */
  readonly others: number;
  readonly spans: readonly Span[];
}

/** CPU seconds of the thread that runs JavaScript, where the system tells. */
function javascriptSeconds(): number | undefined {
  if (process.platform === 'linux') {
    try {
      const [nanoseconds] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ');
      return Number(nanoseconds) / 1e9;
    } catch {
      return undefined; // a kernel without scheduler statistics
    }
  }
  if (!('threadCpuUsage' in process) || typeof process.threadCpuUsage !== 'function') return undefined;
  const { user, system }: { user: number; system: number } = process.threadCpuUsage();
  return (user + system) / 1e6;
}

function processSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** CPU seconds of all processes. */
function machineSeconds(): number {
  const busy = cpus().map(({ times: { user, nice, sys, irq } }) => user + nice + sys + irq);
  return busy.reduce((sum, milliseconds) => sum + milliseconds, 0) / 1000;
}

/** Trains for one epoch of `loader` and measures it. */
export async function runRound(device: Device, trainer: Trainer, loader: DataLoader): Promise<Round> {
  const spans: Span[] = [];
  device.observe = (span) => spans.push(span);
  const [machineBefore, threadBefore] = [machineSeconds(), javascriptSeconds()];
  const [processBefore, started] = [processSeconds(), performance.now()];
  try {
    for await (const _ of trainer.fit(loader, { epochs: 1, logEvery: loader.batches }));
  } finally {
    device.observe = undefined;
  }
  const seconds = (performance.now() - started) / 1000;
  const own = processSeconds() - processBefore;
  const threadAfter = javascriptSeconds();
  const all = machineSeconds() - machineBefore;
  const busy = spans.filter(({ name }) => name !== 'wait');
  const known = threadBefore !== undefined && threadAfter !== undefined;
  return {
    step: seconds / loader.batches,
    host: busy.reduce((sum, { start, end }) => sum + end - start, 0) / 1000 / loader.batches,
    submits: spans.filter(({ name }) => name === 'submit').length,
    javascript: known ? (threadAfter - threadBefore) / seconds : null,
    process: own / seconds,
    others: Math.max(0, all - own) / seconds,
    spans,
  };
}

/** How long the evaluation of up to 10,000 test images takes. */
export async function measureEvaluation(
  { test }: Workshop,
  trainer: Trainer,
  { batchSize, repeats }: { batchSize: number; repeats: number },
): Promise<{ images: number; seconds: Spread }> {
  const rows = take(test, Math.min(test.length, 10_000));
  const loader = dataLoader(rows, { batchSize });
  await trainer.evaluate(loader);
  const seconds: number[] = [];
  for (let i = 0; i < repeats; i++) {
    const started = performance.now();
    await trainer.evaluate(loader);
    seconds.push((performance.now() - started) / 1000);
  }
  return { images: rows.length, seconds: spreadOf(seconds) };
}

/** Floating-point operations of a product of matrices; null for a kernel that is none. */
export function flopsOf({ kernel, params }: DispatchDescription): number | null {
  const { m, n, k } = params;
  if (!kernel.startsWith('matmul') || m === undefined || n === undefined || k === undefined) return null;
  return 2 * m * n * k;
}

/** Floating-point operations in the matrix products of a step. */
export function stepFlops(dispatches: readonly DispatchDescription[]): number {
  return dispatches.reduce((sum, dispatch) => sum + (flopsOf(dispatch) ?? 0), 0);
}

/** What each dispatch does, with the time that it takes. Both lists are in the step's order. */
export function kernelTimes(
  dispatches: readonly DispatchDescription[],
  profile: readonly DispatchProfile[],
): KernelTime[] {
  return dispatches.map((dispatch, i) => {
    const { read, written } = boundBytes(dispatch);
    const time = profile[i];
    if (time === undefined) throw new HeddleError('gpu', `profile: no time for ${dispatch.label}`);
    return { ...time, flops: flopsOf(dispatch), bytes: read + written };
  });
}

/** A product of matrices, [m, k] times [k, n], and its GPU time. */
export interface Product {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly seconds: number;
}

/** Products x·Wᵀ of float32 matrices in a step's forward pass with their GPU times: those that PyTorch can be held to. */
export function forwardProducts(
  dispatches: readonly DispatchDescription[],
  kernels: readonly KernelTime[] | null,
): Product[] {
  return dispatches.flatMap(({ kernel, constants, params }, i) => {
    const { m, n, k } = params;
    const forward = constants.B_TRANSPOSED === true && constants.A_U8 !== true;
    const time = kernels?.[i];
    if (!kernel.startsWith('matmul') || !forward || time === undefined) return [];
    if (m === undefined || n === undefined || k === undefined || time.seconds === 0) return [];
    return [{ m, n, k, seconds: time.seconds }];
  });
}

/** GPU times of the step's dispatches; null where the adapter has no timestamps. */
export async function measureKernels(
  device: Device,
  trainer: Trainer,
  repeats: number,
): Promise<KernelTime[] | null> {
  if (!canProfile(device)) return null;
  return kernelTimes(trainer.describe().dispatches, await trainer.profile({ repeats }));
}
