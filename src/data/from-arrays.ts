// Data sets out of the caller's own arrays, and parts of data sets. Checks what comes from outside once, here.

import { HeddleError } from '../errors.ts';
import type { ClassDataset, Dataset, ValueDataset } from './dataset.ts';

/** Rows of inputs. */
interface RowsOptions {
  /** For messages and records. Default `arrays`. */
  readonly name?: string | undefined;
  /** `[rows, ...inputShape]`, row-major; bytes are images (scaled by 1/255 on the GPU), floats are taken as they are. */
  readonly inputs: Uint8Array | Float32Array;
  /** Shape of one row, e.g. `[1, 28, 28]` or `[4]`. */
  readonly inputShape: readonly number[];
}

/** What `fromArrays` takes of rows that have a class each. */
export interface ClassArraysOptions extends RowsOptions {
  /** Class index of each row. */
  readonly targets: Uint8Array | Int32Array | readonly number[];
  readonly targetShape?: undefined;
  /** Class names. Default: the numbers 0 to the largest target. */
  readonly classes?: readonly string[] | undefined;
  /** A target that is no class but tells the loss to leave the row out, e.g. -100. Default: there is none. */
  readonly ignoreIndex?: number | undefined;
}

/** What `fromArrays` takes of rows that have real-valued targets. */
export interface ValueArraysOptions extends RowsOptions {
  /** `[rows, ...targetShape]`, row-major. */
  readonly targets: Float32Array;
  /** Shape of one row's targets, e.g. `[1]` for regression, `[classes]` for class probabilities. */
  readonly targetShape: readonly number[];
  /** Names of what the targets stand for, e.g. the classes of probabilities. Default: none. */
  readonly classes?: readonly string[] | undefined;
}

/** What `fromArrays` takes. */
export type ArraysOptions = ClassArraysOptions | ValueArraysOptions;

/**
 * A data set of the caller's arrays, which are not copied (a plain array of targets is).
 * Throws `usage` when the lengths do not agree, a size is not a positive integer, a target is not a class index, or a
 * real-valued one is not finite.
 */
export function fromArrays(options: ClassArraysOptions): ClassDataset;
export function fromArrays(options: ValueArraysOptions): ValueDataset;
export function fromArrays(options: ArraysOptions): Dataset;
export function fromArrays(options: ArraysOptions): Dataset {
  const { name = 'arrays', inputs, inputShape } = options;
  const refuse = (text: string) => new HeddleError('usage', `data set ${name}: ${text}.`);
  if (!(inputs instanceof Uint8Array || inputs instanceof Float32Array)) {
    throw refuse('expected inputs as Uint8Array or Float32Array');
  }
  const rowSize = sizeOf('inputShape', inputShape, '[1, 28, 28]', refuse);
  const rows = (length: number) => {
    if (length === 0) throw refuse('it has no rows');
    if (inputs.length !== length * rowSize) {
      const expected = `${length} targets x [${inputShape.join(', ')}] = ${length * rowSize}`;
      throw refuse(`expected ${expected} input values, got ${inputs.length}`);
    }
    return { name, length, inputs, inputShape: [...inputShape], synthetic: false };
  };
  if (options.targetShape === undefined) {
    const targets = indices(options, refuse);
    return { ...rows(targets.length), targets, classes: classNames(targets, options, refuse) };
  }
  const { targets, targetShape, classes = [] } = options;
  if (!(targets instanceof Float32Array)) {
    throw refuse('expected targets as Float32Array, as a targetShape is given');
  }
  const targetSize = sizeOf('targetShape', targetShape, '[1]', refuse);
  if (targets.length % targetSize !== 0) {
    throw refuse(
      `${targets.length} target values are no whole number of rows of [${targetShape.join(', ')}]`,
    );
  }
  const wrong = targets.findIndex((target) => !Number.isFinite(target));
  if (wrong >= 0) {
    throw refuse(
      `row ${Math.floor(wrong / targetSize)} has target ${targets[wrong]}, expected a finite number`,
    );
  }
  return {
    ...rows(targets.length / targetSize),
    targets,
    targetShape: [...targetShape],
    classes: [...classes],
  };
}

/**
 * The first `rows` rows of a data set (all of them when it has fewer), as views of its arrays.
 * Throws `usage` when `rows` is not a positive integer.
 */
export function take<Kind extends Dataset>(dataset: Kind, rows: number): Kind {
  checkLimit(rows);
  if (rows >= dataset.length) return dataset;
  const { inputs, targets, length } = dataset;
  return {
    ...dataset,
    length: rows,
    inputs: inputs.subarray(0, (rows * inputs.length) / length),
    targets: targets.subarray(0, (rows * targets.length) / length),
  };
}

/** Throws `usage` unless `rows` is something `take` can do; for callers that have work to do before it. */
export function checkLimit(rows: number): void {
  if (!isPositiveInteger(rows)) {
    throw new HeddleError('usage', `limit: expected a positive integer of rows, got ${show(rows)}.`);
  }
}

function indices(
  { targets, ignoreIndex }: { readonly targets: unknown; readonly ignoreIndex?: number | undefined },
  refuse: (text: string) => HeddleError,
): Uint8Array | Int32Array {
  if (targets instanceof Uint8Array || targets instanceof Int32Array) return targets;
  if (targets instanceof Float32Array) {
    throw refuse('targets as Float32Array are real values and need a targetShape, e.g. [1]');
  }
  if (!Array.isArray(targets))
    throw refuse('expected targets as Uint8Array, Int32Array or a list of class indices');
  const fits = (target: unknown) =>
    Number.isInteger(target) && (target as number) >= 0 && (target as number) < 2 ** 31;
  const wrong = targets.findIndex((target) => target !== ignoreIndex && !fits(target));
  if (wrong >= 0) throw refuse(`row ${wrong} has target ${show(targets[wrong])}, expected a class index`);
  return Int32Array.from(targets);
}

function classNames(
  targets: Uint8Array | Int32Array,
  { classes: given, ignoreIndex }: ClassArraysOptions,
  refuse: (text: string) => HeddleError,
): string[] {
  let highest = 0;
  for (const target of targets) if (target !== ignoreIndex) highest = Math.max(highest, target);
  const classes = given ? [...given] : Array.from({ length: highest + 1 }, (_, i) => String(i));
  const wrong = targets.findIndex(
    (target) => target !== ignoreIndex && (target < 0 || target >= classes.length),
  );
  if (wrong >= 0) {
    throw refuse(
      `row ${wrong} has target ${targets[wrong]}, expected a class index of 0 to ${classes.length - 1}`,
    );
  }
  return classes;
}

/** How many values a shape has, which comes from outside. */
function sizeOf(
  option: string,
  shape: unknown,
  example: string,
  refuse: (text: string) => HeddleError,
): number {
  if (!Array.isArray(shape) || shape.length === 0 || !shape.every(isPositiveInteger)) {
    throw refuse(`expected ${option} as a list of positive integers, e.g. ${example}, got ${show(shape)}`);
  }
  return shape.reduce((product: number, size: number) => product * size, 1);
}

function isPositiveInteger(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function show(value: unknown): string {
  return Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
}
