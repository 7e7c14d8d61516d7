// Batches of a data set in PyTorch's order: file order, or shuffled by the draws that torch.utils.data.DataLoader
// (single process) makes from its generator. Knows data sets and random numbers; no GPU type appears here.

import { HeddleError } from '../errors.ts';
import { createGenerator, defaultGenerator, type Generator } from '../random/generator.ts';
import { randperm } from '../random/permutation.ts';
import type { Batch, Dataset } from './dataset.ts';
import { pickRows } from './rows.ts';

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
}

/** A data set cut into batches; see `dataLoader`. */
export interface DataLoader {
  readonly dataset: Dataset;
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
   * the same `n` gives the same order and draws nothing. Throws `usage` when `n` is not an integer from 0.
   */
  epoch(n: number): Iterable<Batch>;
}

/**
 * Cuts a data set into batches of `batchSize` rows.
 * Without shuffling a batch is a view of the data set; with it, a copy of its rows. Throws `usage` for bad options.
 */
export function dataLoader(dataset: Dataset, options: LoaderOptions): DataLoader {
  const { batchSize, shuffle = false, dropLast = false, generator } = options;
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw new HeddleError('usage', `batchSize: expected a positive integer, got ${String(batchSize)}.`);
  }
  const { name, length } = dataset;
  const batches = dropLast ? Math.floor(length / batchSize) : Math.ceil(length / batchSize);
  if (batches === 0) {
    const reason = dropLast ? `dropLast leaves nothing of ${name}` : `${name} has no rows to batch`;
    throw new HeddleError('usage', `${reason}: ${length} rows, batchSize ${batchSize}.`);
  }
  const rows = dropLast ? batches * batchSize : length;
  // An order is remembered as what it is drawn from: an epoch's permutation is made again in a millisecond.
  const orders = new Map<number, () => Int32Array | undefined>();

  return {
    dataset,
    batchSize,
    shuffle,
    dropLast,
    batches,
    rows,
    epoch(n) {
      if (!Number.isSafeInteger(n) || n < 0) {
        throw new HeddleError('usage', `epoch: expected an integer from 0, got ${String(n)}.`);
      }
      let order = orders.get(n);
      if (!order) {
        order = drawOrder(length, shuffle, generator);
        orders.set(n, order);
      }
      return { [Symbol.iterator]: () => cut(dataset, batchSize, rows, order()) };
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

function* cut(
  dataset: Dataset,
  batchSize: number,
  rows: number,
  order: Int32Array | undefined,
): Iterator<Batch> {
  for (let start = 0, index = 0; start < rows; start += batchSize, index++) {
    const end = Math.min(start + batchSize, rows);
    yield order ? gather(dataset, order.subarray(start, end), index) : view(dataset, start, end, index);
  }
}

function view(dataset: Dataset, start: number, end: number, index: number): Batch {
  const { inputs, length } = dataset;
  const rowSize = inputs.length / length;
  const part = {
    index,
    rows: end - start,
    inputs: inputs.subarray(start * rowSize, end * rowSize),
  };
  if (dataset.targetShape === undefined) return { ...part, targets: dataset.targets.subarray(start, end) };
  const { targets, targetShape } = dataset;
  const targetSize = targets.length / length;
  return { ...part, targets: targets.subarray(start * targetSize, end * targetSize), targetShape };
}

// A batch's arrays are its own: several batches are on their way to the GPU at once.
function gather(dataset: Dataset, chosen: Int32Array, index: number): Batch {
  const { inputs, length } = dataset;
  const rows = chosen.length;
  const part = { index, rows, inputs: pickRows(inputs, length, chosen) };
  if (dataset.targetShape === undefined) {
    return { ...part, targets: pickRows(dataset.targets, length, chosen) };
  }
  const { targets, targetShape } = dataset;
  return { ...part, targets: pickRows(targets, length, chosen), targetShape };
}
