// Batches of a data set in PyTorch's order: file order, or shuffled by the draws that torch.utils.data.DataLoader
// (single process) makes from its generator; and transformed on the way. No GPU type appears here.

import { HeddleError } from '../errors.ts';
import { createGenerator, defaultGenerator, type Generator } from '../random/generator.ts';
import { randperm } from '../random/permutation.ts';
import type { Batch, Dataset } from './dataset.ts';
import { pickRows } from './rows.ts';
import { createPipeline, kindOf, type Pipeline, type RowKind, type Transform } from './transform.ts';

/** Options of `dataLoader`. */
export interface LoaderOptions {
  /** Rows of a batch; the last batch of an epoch may have fewer. */
  readonly batchSize: number;
  /** A new random order each epoch. Default false: file order. */
  readonly shuffle?: boolean | undefined;
  /** Leave out a last batch that is not full. Default false. */
  readonly dropLast?: boolean | undefined;
  /** Where the draws come from. Default: the default generator, which `manualSeed` restarts. */
  readonly generator?: Generator | undefined;
  /** What becomes of the inputs, in this order, e.g. augmentation for training; see `transforms`. Default: nothing. */
  readonly transforms?: readonly Transform[] | undefined;
  /**
   * What the transforms draw from: a whole number below 2³². Default: the seed of the default generator, see `manualSeed`.
   * What they do to a row follows from this seed, the epoch and the row's number in the data set, whatever was iterated
   * before.
   */
  readonly seed?: number | undefined;
}

/** The kind of rows that a loader's batches hold. */
export interface BatchKind extends RowKind {
  /** Shape of a row of real-valued targets; left out where targets are class indices. */
  readonly targetShape?: readonly number[];
}

/** A data set cut into batches; see `dataLoader`. */
export interface DataLoader {
  readonly dataset: Dataset;
  /** What its batches hold: the data set's rows, as the transforms leave them. */
  readonly kind: BatchKind;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly dropLast: boolean;
  /** Batches of an epoch. */
  readonly batches: number;
  /** Rows of an epoch: all of the data set's, unless `dropLast` leaves some out. */
  readonly rows: number;
  /**
   * The batches of epoch `n`, from 0; they can be iterated any number of times. The epoch's random numbers are drawn
   * when it is first asked for, whether it shuffles or not, as each `iter()` of a PyTorch loader does; asked for again,
   * the same `n` gives the same rows in the same order and draws nothing. `from`: without so many batches at the beginning.
   * Throws `usage` when `n` or `from` is not an integer from 0.
   */
  epoch(n: number, from?: number): Iterable<Batch>;
  /** The generator's words before epoch `n` was drawn; as they are now when it was not drawn yet. */
  stateBefore(n: number): Uint32Array;
  /** Forgets the orders of epochs from `n` on, to be drawn again; from `state`, as `stateBefore` gave it, where given. */
  rewind(n: number, state?: ArrayLike<number>): void;
}

/**
 * Cuts a data set into batches of `batchSize` rows.
 * Without shuffling and transforms a batch is a view of the data set; with them, a copy of its rows.
 * Throws `usage` for bad options.
 */
export function dataLoader(dataset: Dataset, options: LoaderOptions): DataLoader {
  const { batchSize, shuffle = false, dropLast = false, generator, transforms = [] } = options;
  const { seed = defaultGenerator.seed } = options;
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw new HeddleError('usage', `batchSize: expected a positive integer, got ${String(batchSize)}.`);
  }
  const { name, length } = dataset;
  const batches = dropLast ? Math.floor(length / batchSize) : Math.ceil(length / batchSize);
  if (batches === 0) {
    const reason = dropLast ? `dropLast leaves nothing of ${name}` : `${name} has no rows to batch`;
    throw new HeddleError('usage', `${reason}: ${length} rows, batchSize ${batchSize}.`);
  }
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new HeddleError('usage', `seed: expected a whole number below 2^32, got ${String(seed)}.`);
  }
  const pipeline = transforms.length === 0 ? undefined : createPipeline(dataset, transforms, seed);
  const { targetShape } = dataset;
  const { shape, dtype } = pipeline?.rows ?? kindOf(dataset.inputs, dataset.inputShape);
  const rows = dropLast ? batches * batchSize : length;
  // An order is remembered as what it is drawn from, and where that stood: a permutation is made again in a millisecond.
  const orders = new Map<
    number,
    { readonly before: Uint32Array; readonly make: () => Int32Array | undefined }
  >();
  const drawsFrom = generator ?? defaultGenerator;

  return {
    dataset,
    kind: targetShape === undefined ? { shape, dtype } : { shape, dtype, targetShape },
    batchSize,
    shuffle,
    dropLast,
    batches,
    rows,
    epoch(n, from = 0) {
      for (const count of [n, from]) {
        if (!Number.isSafeInteger(count) || count < 0)
          throw new HeddleError('usage', `epoch: expected an integer from 0, got ${String(count)}.`);
      }
      let order = orders.get(n);
      if (!order) {
        order = { before: drawsFrom.state(), make: drawOrder(length, shuffle, generator) };
        orders.set(n, order);
      }
      const { make } = order;
      return { [Symbol.iterator]: () => cut({ dataset, batchSize, rows, pipeline }, n, from, make()) };
    },
    stateBefore: (n) => orders.get(n)?.before ?? drawsFrom.state(),
    rewind(n, state) {
      for (const drawn of [...orders.keys()]) if (drawn >= n) orders.delete(drawn);
      if (state !== undefined) drawsFrom.setState(state);
    },
  };
}

/** Takes an epoch's draws as PyTorch does, and returns what makes its order (undefined: file order). */
function drawOrder(
  length: number,
  shuffle: boolean,
  own: Generator | undefined,
): () => Int32Array | undefined {
  // The base seed of worker processes: drawn first, and drawn even where there are none.
  (own ?? defaultGenerator).random64();
  if (!shuffle) return () => undefined;
  if (!own) {
    const seed = defaultGenerator.random64();
    return () => randperm(createGenerator(seed), length);
  }
  // A loader's own generator shuffles by itself, and PyTorch's sampler permutes once more when an epoch ends.
  const state = own.state();
  randperm(own, length);
  randperm(own, length);
  return () => {
    const replay = createGenerator();
    replay.setState(state);
    return randperm(replay, length);
  };
}

interface Cut {
  readonly dataset: Dataset;
  readonly batchSize: number;
  readonly rows: number;
  readonly pipeline: Pipeline | undefined;
}

function* cut(
  { dataset, batchSize, rows, pipeline }: Cut,
  epoch: number,
  from: number,
  order: Int32Array | undefined,
): Iterator<Batch> {
  const { length } = dataset;
  for (let index = from; index * batchSize < rows; index++) {
    const start = index * batchSize;
    const end = Math.min(start + batchSize, rows);
    const part = <Values extends Uint8Array | Int32Array | Float32Array>(array: Values): Values => {
      const size = array.length / length;
      // A batch's arrays are its own when they are no views: several batches are on their way to the GPU at once.
      return order
        ? pickRows(array, length, order.subarray(start, end))
        : (array.subarray(start * size, end * size) as Values);
    };
    const inputs = pipeline
      ? pipeline.apply(epoch, end - start, (i) => (order ? order[start + i]! : start + i))
      : part(dataset.inputs);
    const batch = { index, rows: end - start, inputs };
    if (dataset.targetShape === undefined) yield { ...batch, targets: part(dataset.targets) };
    else yield { ...batch, targets: part(dataset.targets), targetShape: dataset.targetShape };
  }
}
