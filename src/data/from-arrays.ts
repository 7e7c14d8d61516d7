// Data sets out of the caller's own arrays, and parts of data sets. Checks what comes from outside once, here.

import { HeddleError } from '../errors.ts';
import type { Dataset } from './dataset.ts';

/** What `fromArrays` takes. */
export interface ArraysOptions {
  /** For messages and records. Default `arrays`. */
  readonly name?: string | undefined;
  /** `[rows, ...inputShape]`, row-major; bytes are images (scaled by 1/255 on the GPU), floats are taken as they are. */
  readonly inputs: Uint8Array | Float32Array;
  /** Class index of each row. */
  readonly targets: Uint8Array | Int32Array | readonly number[];
  /** Shape of one row, e.g. `[1, 28, 28]` or `[4]`. */
  readonly inputShape: readonly number[];
  /** Class names. Default: the numbers 0 to the largest target. */
  readonly classes?: readonly string[] | undefined;
}

/**
 * A data set of the caller's arrays, which are not copied (a plain array of targets is).
 * Throws `usage` when the lengths do not agree, a size is not a positive integer, or a target is not a class index.
 */
export function fromArrays(options: ArraysOptions): Dataset {
  const { name = 'arrays', inputs, inputShape } = options;
  const refuse = (text: string) => new HeddleError('usage', `data set ${name}: ${text}.`);
  if (!(inputs instanceof Uint8Array || inputs instanceof Float32Array)) {
    throw refuse('expected inputs as Uint8Array or Float32Array');
  }
  if (!Array.isArray(inputShape) || inputShape.length === 0 || !inputShape.every(isPositiveInteger)) {
    throw refuse(
      `expected inputShape as a list of positive integers, e.g. [1, 28, 28], got ${show(inputShape)}`,
    );
  }
  const targets = indices(options.targets, refuse);
  const rowSize = inputShape.reduce((product: number, size: number) => product * size, 1);
  const length = targets.length;
  if (length === 0) throw refuse('it has no rows');
  if (inputs.length !== length * rowSize) {
    const expected = `${length} targets x [${inputShape.join(', ')}] = ${length * rowSize}`;
    throw refuse(`expected ${expected} input values, got ${inputs.length}`);
  }
  let highest = 0;
  for (const target of targets) highest = Math.max(highest, target);
  const classes = options.classes ?? Array.from({ length: highest + 1 }, (_, i) => String(i));
  const wrong = targets.findIndex((target) => target < 0 || target >= classes.length);
  if (wrong >= 0) {
    throw refuse(
      `row ${wrong} has target ${targets[wrong]}, expected a class index of 0 to ${classes.length - 1}`,
    );
  }
  return {
    name,
    length,
    inputs,
    inputShape: [...inputShape],
    targets,
    classes: [...classes],
    synthetic: false,
  };
}

/**
 * The first `rows` rows of a data set (all of them when it has fewer), as views of its arrays.
 * Throws `usage` when `rows` is not a positive integer.
 */
export function take(dataset: Dataset, rows: number): Dataset {
  checkLimit(rows);
  if (rows >= dataset.length) return dataset;
  const rowSize = dataset.inputs.length / dataset.length;
  return {
    ...dataset,
    length: rows,
    inputs: dataset.inputs.subarray(0, rows * rowSize),
    targets: dataset.targets.subarray(0, rows),
  };
}

/** Throws `usage` unless `rows` is something `take` can do; for callers that have work to do before it. */
export function checkLimit(rows: number): void {
  if (!isPositiveInteger(rows)) {
    throw new HeddleError('usage', `limit: expected a positive integer of rows, got ${show(rows)}.`);
  }
}

function indices(
  targets: ArraysOptions['targets'],
  refuse: (text: string) => HeddleError,
): Uint8Array | Int32Array {
  if (targets instanceof Uint8Array || targets instanceof Int32Array) return targets;
  if (!Array.isArray(targets))
    throw refuse('expected targets as Uint8Array, Int32Array or a list of class indices');
  const wrong = targets.findIndex((target) => !(Number.isInteger(target) && target >= 0 && target < 2 ** 31));
  if (wrong >= 0) throw refuse(`row ${wrong} has target ${show(targets[wrong])}, expected a class index`);
  return Int32Array.from(targets);
}

function isPositiveInteger(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function show(value: unknown): string {
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
}
