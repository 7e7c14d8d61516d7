// Parts of data sets: chosen rows, and random splits as torch.utils.data.random_split makes them.
//
// A part has arrays of its own: a view where its rows lie side by side, else a copy. A list of row numbers beside the whole
// set's arrays would save the copy, but then `inputs` would no longer be what a data set says it is, and each reader would
// have to know. Splitting all of FashionMNIST takes some 50 ms, and the whole set can be collected once only its parts are held.

import { HeddleError } from '../errors.ts';
import { createGenerator, defaultGenerator, type Generator } from '../random/generator.ts';
import { randperm } from '../random/permutation.ts';
import type { Dataset } from './dataset.ts';
import { pickRows } from './rows.ts';

/**
 * The rows of `indices`, in that order; a row may come more than once.
 * Throws `usage` when there are none or one is not a row of the data set.
 */
export function subset<Kind extends Dataset>(dataset: Kind, indices: ArrayLike<number>): Kind {
  const { name, length, inputs, targets } = dataset;
  const refuse = (text: string) => new HeddleError('usage', `subset of ${name}: ${text}.`);
  if (indices.length === 0) throw refuse('no rows were chosen');
  let consecutive = true;
  for (let i = 0; i < indices.length; i++) {
    const row = indices[i] as number;
    if (!Number.isInteger(row) || row < 0 || row >= length) {
      throw refuse(`index ${i} is ${row}, expected a row of 0 to ${length - 1}`);
    }
    consecutive &&= row === (indices[0] as number) + i;
  }
  const chosen = indices instanceof Int32Array ? indices : Int32Array.from(indices);
  const part = <Rows extends Uint8Array | Int32Array | Float32Array>(array: Rows): Rows => {
    const size = array.length / length;
    const start = chosen[0] as number;
    return consecutive
      ? (array.subarray(start * size, (start + chosen.length) * size) as Rows)
      : pickRows(array, length, chosen);
  };
  return {
    ...dataset,
    name: `${name} (${chosen.length} of ${length} rows)`,
    length: chosen.length,
    inputs: part(inputs),
    targets: part(targets),
  };
}

/** Where `randomSplit` draws from: one of the two, else the default generator. */
export type SplitOptions =
  | { readonly generator?: Generator | undefined; readonly seed?: undefined }
  | {
      readonly generator?: undefined;
      /** The same as a generator of its own with this seed. */
      readonly seed: number | bigint;
    };

/**
 * Cuts a data set at random, as `torch.utils.data.random_split` does with the same generator. `parts` are numbers of rows
 * that add up to the data set's, or fractions that add up to 1: those are rounded down, and what is left over goes to the
 * parts in turn, a row each. Throws `usage` for parts that do not add up, and, unlike PyTorch, for empty ones.
 */
export function randomSplit<Kind extends Dataset, const Parts extends readonly number[]>(
  dataset: Kind,
  parts: Parts,
  options: SplitOptions = {},
): { -readonly [Part in keyof Parts]: Kind } {
  const { name, length } = dataset;
  const lengths = partLengths(name, length, parts);
  const { generator, seed } = options;
  if (generator !== undefined && seed !== undefined) {
    throw new HeddleError('usage', `randomSplit of ${name}: generator and seed exclude each other.`);
  }
  const source = generator ?? (seed === undefined ? defaultGenerator : createGenerator(seed));
  const order = randperm(source, length);
  let end = 0;
  const split = lengths.map((rows) => {
    const start = end;
    end += rows;
    return subset(dataset, order.subarray(start, end));
  });
  return split as { -readonly [Part in keyof Parts]: Kind };
}

function partLengths(name: string, length: number, parts: readonly number[]): readonly number[] {
  const text = `[${Array.isArray(parts) ? parts.join(', ') : String(parts)}]`;
  const refuse = (found: string) =>
    new HeddleError(
      'usage',
      `randomSplit of ${name} into ${text}: ${found}, expected numbers of rows that add up to ${length}, or fractions that add up to 1.`,
    );
  if (!Array.isArray(parts) || parts.length === 0) throw refuse('no parts');
  if (!parts.every((part) => Number.isFinite(part) && part >= 0)) throw refuse('a part is no number from 0');
  const sum = parts.reduce((total: number, part: number) => total + part, 0);
  // As math.isclose: sums of fractions are rarely 1 to the last bit.
  const fractions = Math.abs(sum - 1) <= 1e-9;
  if (!fractions && sum !== length) throw refuse(`they add up to ${sum}`);
  if (!fractions && !parts.every(Number.isInteger)) throw refuse('a number of rows is not whole');
  const lengths: number[] = fractions ? parts.map((part) => Math.floor(length * part)) : parts;
  const left = length - lengths.reduce((total, rows) => total + rows, 0);
  const filled = lengths.map((rows, i) => rows + Math.ceil(Math.max(0, left - i) / lengths.length));
  const empty = filled.indexOf(0);
  if (empty >= 0) throw refuse(`part ${empty} has no rows`);
  return filled;
}
