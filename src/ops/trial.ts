// What a trial of a kernel is, and what the trials of all kernels have in common; they themselves are in trials.ts and in
// the trials-….ts of the kernel families.

import type { KernelName } from './kernels.generated.ts';
import type { Bounded } from './reference.ts';
import type { StepRecord } from './step.ts';

/** Data for every binding and image, and what the written ones should hold afterwards. */
export interface Trial {
  readonly inputs: Readonly<Record<string, Float32Array | Uint32Array | Uint8Array>>;
  readonly expected: Readonly<Record<string, readonly Bounded[]>>;
  /** The step record's content, for kernels that read one. */
  readonly step?: Partial<StepRecord>;
}

/** A dispatch with its bindings by name, and where random data comes from. */
export interface Subject {
  readonly params: Readonly<Record<string, number>>;
  readonly on: (constant: string) => boolean;
  /** What the dispatch sets a constant to. */
  readonly constant: (name: string) => boolean | number | undefined;
  readonly isU8: (binding: string) => boolean;
  readonly count: (binding: string) => number;
  readonly floats: (count: number, from?: number, to?: number) => Float32Array;
  /** Whole numbers of at most `most`, of either sign. */
  readonly whole: (count: number, most: number) => Float32Array;
  readonly integers: (count: number, below: number) => Uint32Array;
}

/** What an output holds before it is written. */
export const nothing = (count: number) => new Float32Array(count).fill(Number.NaN);
/** Outputs of a ReLU: about half of them 0. */
export const rectified = (values: Float32Array) => values.map((v) => Math.max(0, v));
/** A batch that is not full: its last quarter is padding. */
export const partOf = (rows: number) => rows - (rows >> 2);
/** Logits are tried up to here, of either sign. */
export const largestLogit = 20;

/** The largest whole number of which `terms` products with 3 fit a sum that float32 holds exactly; enough bits to show a cut mantissa. */
export const largestTerm = (terms: number) => Math.max(1, Math.min(2047, Math.floor(2 ** 22 / (3 * terms))));

/** Asks for a NaN. */
export const nan: Bounded = { value: Number.NaN, bound: 0 };

/** The trials of a dispatch of each of some kernels. */
export type Trials<Names extends KernelName> = Readonly<
  Record<Names, (subject: Subject) => readonly Trial[]>
>;
