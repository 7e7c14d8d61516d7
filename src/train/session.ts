// A session: everything on the GPU that depends on the kind of input a model is fed with: rings, scheduler and plans.

import type { Batch } from '../data/dataset.ts';
import type { DataLoader } from '../data/loader.ts';
import { HeddleError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import {
  type DispatchDescription,
  describe,
  type Plan,
  type Recorder,
  record,
  recordNow,
} from '../gpu/plan.ts';
import { type DispatchProfile, profilePlan } from '../gpu/profiler.ts';
import { read } from '../gpu/readback.ts';
import { createScheduler, type Scheduler } from '../gpu/scheduler.ts';
import { alignUp, elementCount, type Storage, type Tensor, view } from '../gpu/tensor.ts';
import { bufferUsage } from '../gpu/usage.ts';
import type { Evaluation, ProgressEvent } from './events.ts';
import { createFeed, type Feed, type InputSpec } from './feed.ts';
import {
  type Job,
  outputOf,
  recordBackward,
  recordEvaluation,
  recordOptimizer,
  recordOutputs,
  recordRowLosses,
  recordStep,
} from './plans.ts';

/** The plans of a session. Those of backward, the optimizer, `losses` and `outputs` are made when first asked for. */
export interface Session {
  readonly feed: Feed;
  readonly scheduler: Scheduler;
  /** How many classes the model tells apart; undefined where targets are real values. */
  readonly classes: number | undefined;
  readonly stepPlan: Plan;
  readonly evaluationPlan: Plan;
  accumulatePlan(): Plan;
  optimizerPlan(): Plan;
  /** Evaluates a loader's data, telling how far it is; undefined when `signal` stopped it. */
  evaluate(
    loader: DataLoader,
    epoch: number,
    signal?: AbortSignal,
  ): AsyncGenerator<ProgressEvent, Evaluation | undefined>;
  /** The loss of each row of a loader's epoch 0, in its order. */
  losses(loader: DataLoader, signal?: AbortSignal): Promise<Float32Array<ArrayBuffer>>;
  /** What the model gives for each of them, [rows, …output]. */
  outputs(loader: DataLoader, signal?: AbortSignal): Promise<Float32Array<ArrayBuffer>>;
  /** Times each dispatch of the step on what lies in slot 0, with all rows and learning rate 0. */
  profile(repeats: number): Promise<DispatchProfile[]>;
  destroy(): void;
}

interface Parts {
  readonly classes: number | undefined;
  readonly feed: Feed;
  /** Of an evaluation, u32 [classes + 1, classes]: see confusion.wgsl. */
  readonly counts: Tensor | undefined;
  readonly step: (recorder: Recorder) => void;
  readonly evaluation: (recorder: Recorder) => void;
}

function prepare(device: Device, job: Job, spec: InputSpec, batchSize: number): Parts {
  const output = outputOf(job, spec);
  const classes = spec.targetShape === undefined ? (output[0] as number) : undefined;
  const { loss, optimizer } = job;
  const feed = createFeed(device, spec, { batchSize, classes: classes ?? 0, loss, optimizer });
  const counts = classes === undefined ? undefined : createCounts(device, classes);
  return {
    classes,
    feed,
    counts,
    step: recordStep(job, feed),
    evaluation: recordEvaluation(job, feed, counts),
  };
}

function createCounts(device: Device, classes: number): Tensor {
  const bytes = 4 * (classes + 1) * classes;
  const storage: Storage = { label: 'metrics.confusion', bytes, buffer: undefined };
  device.allocate(storage, bufferUsage.storage | bufferUsage.copySrc | bufferUsage.copyDst);
  return view(storage, storage.label, [classes + 1, classes], { dtype: 'u32' });
}

/** What brings back some numbers of every row. */
interface RowResults {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  /** A ring of [batchSize, numbers]. */
  readonly ring: Tensor;
}

/** Makes room for `numbers` numbers of every row, and the plan that writes them there; its kernels compile in parallel. */
async function createRowResults(
  device: Device,
  feed: Feed,
  { label, numbers }: { readonly label: string; readonly numbers: number },
  fill: (ring: Tensor) => (recorder: Recorder) => void,
): Promise<RowResults> {
  const shape = [feed.inputs.shape[0] as number, numbers];
  const slotStride = alignUp(4 * elementCount(shape));
  const storage: Storage = { label: `${label}.rows`, bytes: feed.slots * slotStride, buffer: undefined };
  device.allocate(storage, bufferUsage.storage | bufferUsage.copySrc);
  const ring = view(storage, storage.label, shape, { slotStride });
  try {
    const plan = await record(device, label, feed.slots, fill(ring));
    return { plan, ring, scheduler: createScheduler(device, feed.rings, ring) };
  } catch (error) {
    device.release(storage);
    throw error;
  }
}

function destroyRowResults(device: Device, { plan, scheduler, ring }: RowResults): void {
  plan.destroy();
  scheduler.destroy();
  device.release(ring.storage);
}

/** The numbers of each row of a loader's epoch 0, [rows, numbers], in its order. */
async function collect(
  { plan, scheduler, ring }: RowResults,
  feed: Feed,
  loader: DataLoader,
  signal: AbortSignal | undefined,
): Promise<Float32Array<ArrayBuffer>> {
  const numbers = ring.shape[1] as number;
  const all = new Float32Array(loader.rows * numbers);
  const { fill, rows } = feeding(feed, loader.epoch(0), signal);
  let end = 0;
  for await (const { steps, results } of scheduler.run(plan, fill)) {
    for (let step = 0; step < steps; step++) {
      const start = (step * ring.slotStride) / 4;
      const count = numbers * (rows.shift() as number);
      all.set(results.subarray(start, start + count), end);
      end += count;
    }
  }
  signal?.throwIfAborted();
  return all;
}

/** Fills slots with batches that are not to be trained on; `rows` has the rows of those whose results have not come yet. */
function feeding(
  feed: Feed,
  epoch: Iterable<Batch>,
  signal?: AbortSignal,
): { readonly fill: (slot: number) => boolean; readonly rows: number[] } {
  const batches = epoch[Symbol.iterator]();
  const rows: number[] = [];
  const fill = (slot: number) => {
    const next = signal?.aborted === true ? undefined : batches.next();
    if (next === undefined || next.done === true) return false;
    feed.write(slot, next.value, { number: 0, draw: 0 });
    rows.push(next.value.rows);
    return true;
  };
  return { fill, rows };
}

function release(device: Device, parts: Parts): void {
  parts.feed.destroy();
  if (parts.counts !== undefined) device.release(parts.counts.storage);
}

/** Every dispatch that a session may replay: those of its step, its evaluation and its backward. Compiles and runs nothing. */
export function describeSession(
  device: Device,
  job: Job,
  spec: InputSpec,
  batchSize: number,
): DispatchDescription[] {
  const parts = prepare(device, job, spec, batchSize);
  try {
    const works = [
      parts.step,
      parts.evaluation,
      recordBackward(job, parts.feed, true),
      recordOptimizer(job, parts.feed),
    ];
    return works.flatMap((work) => describe(device, work));
  } finally {
    release(device, parts);
  }
}

/** Makes a session; its kernels compile in parallel. Throws a HeddleError when model and input do not fit, or the GPU refuses. */
export async function createSession(
  device: Device,
  job: Job,
  spec: InputSpec,
  batchSize: number,
): Promise<Session> {
  const parts = prepare(device, job, spec, batchSize);
  const { slots } = parts.feed;
  const made = await Promise.allSettled([
    record(device, 'step', slots, parts.step),
    record(device, 'evaluation', slots, parts.evaluation),
  ]);
  const [step, evaluation] = made;
  if (step.status === 'fulfilled' && evaluation.status === 'fulfilled') {
    return sessionOf(device, job, parts, step.value, evaluation.value);
  }
  for (const plan of made) if (plan.status === 'fulfilled') plan.value.destroy();
  release(device, parts);
  throw made.find((plan) => plan.status === 'rejected')?.reason;
}

/** As `createSession`, without waiting for the kernels to compile. */
export function createSessionNow(device: Device, job: Job, spec: InputSpec, batchSize: number): Session {
  const parts = prepare(device, job, spec, batchSize);
  const { slots } = parts.feed;
  const step = recordNow(device, 'step', slots, parts.step);
  return sessionOf(device, job, parts, step, recordNow(device, 'evaluation', slots, parts.evaluation));
}

function sessionOf(device: Device, job: Job, parts: Parts, stepPlan: Plan, evaluationPlan: Plan): Session {
  const { feed, classes, counts } = parts;
  const scheduler = createScheduler(device, feed.rings, feed.results);
  let accumulate: Plan | undefined;
  let optimizer: Plan | undefined;
  const rowResults = new Map<string, RowResults>();
  let destroyed = false;
  const rowResultsFor = async (label: string, numbers: number, fill: typeof recordOutputs) => {
    const known = rowResults.get(label);
    if (known !== undefined) return known;
    const made = await createRowResults(device, feed, { label, numbers }, (ring) => fill(job, feed, ring));
    if (destroyed) {
      destroyRowResults(device, made);
      throw new HeddleError('destroyed', 'the trainer was destroyed while it was asked');
    }
    rowResults.set(label, made);
    return made;
  };
  return {
    feed,
    scheduler,
    classes,
    stepPlan,
    evaluationPlan,
    accumulatePlan() {
      accumulate ??= recordNow(device, 'backward', 1, recordBackward(job, feed, true));
      return accumulate;
    },
    optimizerPlan() {
      optimizer ??= recordNow(device, 'optimizer', 1, recordOptimizer(job, feed));
      return optimizer;
    },
    async *evaluate(loader, epoch, signal) {
      if (counts !== undefined) {
        const encoder = device.gpu.createCommandEncoder({ label: 'metrics.clear' });
        encoder.clearBuffer(counts.storage.buffer as GPUBuffer);
        device.gpu.queue.submit([encoder.finish()]);
      }
      const started = performance.now();
      const { fill, rows } = feeding(feed, loader.epoch(epoch - 1), signal);
      let [sum, done, seen] = [0, 0, 0];
      for await (const chunk of scheduler.run(evaluationPlan, fill)) {
        for (const loss of chunk.results) {
          seen += rows.shift() as number;
          done++;
          sum += loss;
        }
        const samplesPerSecond = (1000 * seen) / (performance.now() - started);
        const loss = chunk.results.at(-1) as number;
        yield {
          type: 'progress',
          phase: 'validate',
          epoch,
          batch: done,
          batches: loader.batches,
          loss,
          samplesPerSecond,
        };
      }
      if (signal?.aborted === true) return undefined;
      const loss = sum / done;
      if (counts === undefined || classes === undefined)
        return { loss, accuracy: Number.NaN, confusion: [], ranks: [] };
      const words = new Uint32Array(await read(device, counts));
      const confusion = Array.from({ length: classes + 1 }, (_, i) => [
        ...words.subarray(i * classes, (i + 1) * classes),
      ]);
      const ranks = confusion.pop() as number[];
      const correct = confusion.reduce((total, row, i) => total + (row[i] as number), 0);
      const counted = ranks.reduce((total, one) => total + one, 0);
      return { loss, accuracy: correct / counted, confusion, ranks };
    },
    async losses(loader, signal) {
      return collect(await rowResultsFor('losses', 1, recordRowLosses), feed, loader, signal);
    },
    async outputs(loader, signal) {
      const numbers = elementCount(outputOf(job, feed.spec));
      return collect(await rowResultsFor('outputs', numbers, recordOutputs), feed, loader, signal);
    },
    profile(repeats) {
      const rows = feed.inputs.shape[0] as number;
      feed.writeStep(0, { rows, scale: 1 / rows, number: 1, lr: 0 });
      for (const { storage, stride, host } of feed.rings)
        device.gpu.queue.writeBuffer(storage.buffer as GPUBuffer, 0, host, 0, stride);
      return profilePlan(device, stepPlan, { slot: 0, repeats });
    },
    destroy() {
      for (const plan of [stepPlan, evaluationPlan, accumulate, optimizer]) plan?.destroy();
      scheduler.destroy();
      destroyed = true;
      for (const results of rowResults.values()) destroyRowResults(device, results);
      rowResults.clear();
      release(device, parts);
    },
  };
}
