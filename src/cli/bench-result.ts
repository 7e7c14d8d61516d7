// What a benchmark's result consists of, and the statistics in it. Pure; times are in seconds, sizes in bytes.

import * as v from 'valibot';

const spread = v.object({ median: v.number(), lowest: v.number(), highest: v.number() });
/** Several measurements of the same thing. */
export type Spread = v.InferOutput<typeof spread>;

/** The median of some measurements, and the lowest and highest of them. There must be at least one. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (i: number) => sorted[i] as number;
  const middle = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? at(middle) : (at(middle - 1) + at(middle)) / 2;
  return { median, lowest: at(0), highest: at(sorted.length - 1) };
}

const kernelTime = v.object({
  label: v.string(),
  kernel: v.string(),
  seconds: v.number(),
  lowest: v.number(),
  highest: v.number(),
  /** Floating-point operations of a product of matrices; null for other kernels. */
  flops: v.nullable(v.number()),
  /** Bytes that it binds: what it reads and writes, each counted once. */
  bytes: v.number(),
});
/** GPU time of one dispatch, and what it did in that time. */
export type KernelTime = v.InferOutput<typeof kernelTime>;

const gemm = v.object({
  m: v.number(),
  n: v.number(),
  k: v.number(),
  ours: v.number(),
  theirs: v.number(),
});

const peer = v.object({
  name: v.string(),
  version: v.string(),
  threads: v.number(),
  step: spread,
  /** Our time for a step as a share of the peer's: of the medians, and the lowest and highest of the rounds. */
  ratio: spread,
  /** A product of matrices alone; null where there is none to compare. */
  gemm: v.nullable(gemm),
});
/** The same job, done by somebody else. */
export type PeerResult = v.InferOutput<typeof peer>;

const size = v.object({
  sweep: v.picklist(['batch', 'hidden']),
  batchSize: v.number(),
  hidden: v.array(v.number()),
  /** Floating-point operations in the matrix products of a step. */
  flops: v.number(),
  /** Null when it was skipped. */
  step: v.nullable(spread),
  skipped: v.nullable(v.string()),
});
/** A step of another size. */
export type SizeResult = v.InferOutput<typeof size>;

const versions = v.object({ heddle: v.string(), webgpu: v.string(), node: v.string(), os: v.string() });

/** The result of `heddle bench`, as `--json` and `--save` write it. */
export const benchResult = v.object({
  type: v.literal('bench'),
  secondsPerStep: v.number(),
  adapter: v.string(),
  backend: v.string(),
  software: v.boolean(),
  versions,
  dataset: v.string(),
  synthetic: v.boolean(),
  model: v.string(),
  parameters: v.number(),
  batchSize: v.number(),
  plain: v.boolean(),
  avoided: v.array(v.string()),
  /** The variant of each matrix product. */
  variants: v.record(v.string(), v.string()),
  /** What `--threads` asked for. */
  threads: v.nullable(v.number()),
  rounds: v.number(),
  steps: v.number(),
  step: spread,
  imagesPerSecond: v.number(),
  /** Time in which the JavaScript thread fills and submits chunks, a step. */
  host: spread,
  dispatchesPerStep: v.number(),
  submitsPerStep: v.number(),
  /** CPU time as a share of the time that passed: 1 is one core. Null where the system does not tell. */
  cpu: v.object({ javascript: v.nullable(v.number()), process: v.number(), others: v.number() }),
  evaluation: v.object({ images: v.number(), seconds: spread, shareOfEpoch: v.number() }),
  /** From the start of the process to the loss of its first step, with and without compiled shaders in the driver's cache. */
  firstStep: v.object({ cold: spread, warm: spread }),
  deviceBytes: v.number(),
  peakBytes: v.nullable(v.number()),
  /** Null where the adapter has no timestamps. */
  kernels: v.nullable(v.array(kernelTime)),
  peer: v.exactOptional(peer),
  sizes: v.exactOptional(v.array(size)),
});
/** The result of `heddle bench`, checked. */
export type BenchResult = v.InferOutput<typeof benchResult>;
