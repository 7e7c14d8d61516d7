// What a transform is, and how a loader applies several of them to the rows that it picks. Knows no particular transform.

import { type PlaceRandom, placedRandom } from '../random/counter.ts';
import type { Dataset } from './dataset.ts';

/** Values of rows: bytes, or floats. */
export type RowValues = Uint8Array | Float32Array;

/** Shape and type of a row of inputs. */
export interface RowKind {
  readonly shape: readonly number[];
  /** `u8` pixels are scaled by 1/255 on the GPU. */
  readonly dtype: 'u8' | 'f32';
}

/** A change that a loader makes to the rows of its batches; see `transforms`. */
export interface Transform {
  /** For messages. */
  readonly name: string;
  /** Prepares it for rows of one kind. Throws `usage` where they do not fit. */
  bind(rows: RowKind): BoundTransform;
}

/** A transform for rows of one kind. */
export interface BoundTransform {
  /** The kind of rows that come out. */
  readonly rows: RowKind;
  /** Makes the row `to` of the row `from`, which stays as it is; all of `to` is written. */
  apply(from: RowValues, to: RowValues, random: PlaceRandom): void;
}

/** Transforms in a row, ready for a data set. */
export interface Pipeline {
  /** The kind of rows that come out. */
  readonly rows: RowKind;
  /** The transformed inputs of the `count` rows that `rowAt` names, for an epoch. */
  apply(epoch: number, count: number, rowAt: (i: number) => number): RowValues;
}

/**
 * Prepares transforms for the rows of a data set. What a transform draws follows from the seed, the epoch, the row's number
 * in the data set and the transform's place among the others: not from the order in which rows are taken.
 */
export function createPipeline(
  { inputs, inputShape, length }: Dataset,
  transforms: readonly Transform[],
  seed: number,
): Pipeline {
  let rows = kindOf(inputs, inputShape);
  const size = inputs.length / length;
  const random = placedRandom(seed);
  const stages = transforms.map((transform) => {
    const bound = transform.bind(rows);
    rows = bound.rows;
    return { apply: bound.apply, result: valuesOf(rows, 1) };
  });
  const last = rows;
  const resultSize = sizeOf(last);
  return {
    rows: last,
    apply(epoch, count, rowAt) {
      const all = valuesOf(last, count);
      for (let i = 0; i < count; i++) {
        const row = rowAt(i);
        let from: RowValues = inputs.subarray(row * size, (row + 1) * size);
        for (const [place, { apply, result }] of stages.entries()) {
          const end = place === stages.length - 1;
          const to = end ? all.subarray(i * resultSize, (i + 1) * resultSize) : result;
          apply(from, to, random.at(epoch, row, place));
          from = to;
        }
      }
      return all;
    },
  };
}

/** The kind of rows in an array of them. */
export function kindOf(inputs: RowValues, shape: readonly number[]): RowKind {
  return { shape, dtype: inputs instanceof Uint8Array ? 'u8' : 'f32' };
}

function sizeOf({ shape }: RowKind): number {
  return shape.reduce((product, size) => product * size, 1);
}

function valuesOf(rows: RowKind, count: number): RowValues {
  const size = count * sizeOf(rows);
  return rows.dtype === 'u8' ? new Uint8Array(size) : new Float32Array(size);
}
