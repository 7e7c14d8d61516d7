// What a checkpoint is: a safetensors file of a model's parameters and buffers under PyTorch's keys, beside them what the
// optimizer keeps (`optimizer/KEY.exp_avg`), and in the metadata how far training has come. Pure functions on bytes.

import { HeddleError } from '../errors.ts';
import type { PlateauState } from '../optim/schedule.ts';
import { decodeSafetensors, encodeSafetensors, type NamedTensor } from './safetensors.ts';

/** An epoch that has begun and not ended. */
export interface BegunEpoch {
  /** Of the epoch: batches and rows. */
  readonly of: { readonly batches: number; readonly rows: number };
  /** Batches trained on, and their rows. */
  readonly batches: number;
  readonly rows: number;
  /** The sum of the losses that have come back (null: not finite), and how many they are. */
  readonly loss: number | null;
  readonly losses: number;
  /** Seconds of training. */
  readonly seconds: number;
}

/** How far training has come: what, besides the tensors, the next step and all after it follow from. Plain JSON. */
export interface TrainingState {
  /** Optimizer steps done. */
  readonly steps: number;
  /** Forward passes done; dropout draws by their number. */
  readonly draws: number;
  /** Epochs done, validation included. */
  readonly epochs: number;
  readonly begun?: BegunEpoch | undefined;
  /** What dropout draws from. */
  readonly seed: number;
  /** The optimizer and its groups' hyper-parameters. */
  readonly optimizer: { readonly kind: string; readonly groups: readonly HyperParameters[] };
  /** What a schedule that observes has seen. */
  readonly schedule?: PlateauState | undefined;
  /** The generator's words when the orders of all epochs done were drawn, and none after; undefined before any `fit`. */
  readonly generator?: readonly number[] | undefined;
  /** Instead of it, before any `fit`: the default generator's words. */
  readonly defaultGenerator?: readonly number[] | undefined;
}

/** Hyper-parameters by name: `lr`, `momentum`, … */
export type HyperParameters = Readonly<Record<string, unknown>>;

/** A checkpoint's content. */
export interface Checkpoint {
  /** Parameters and buffers by PyTorch key. */
  readonly weights: ReadonlyMap<string, NamedTensor>;
  /** What the optimizer keeps, by `KEY.NAME`. */
  readonly optimizer: ReadonlyMap<string, NamedTensor>;
  readonly state: TrainingState;
  /** What the caller keeps beside it. */
  readonly notes: ReadonlyMap<string, string>;
}

/** Begins the names of tensors that are no weights; no key of PyTorch's holds a slash. */
export const optimizerPrefix = 'optimizer/';
const stateKey = 'heddle.state';
/** What readers of PyTorch's weights expect to find in the metadata. */
const format = ['format', 'pt'] as const;

/** The bytes of a checkpoint's file. */
export function encodeCheckpoint({ weights, optimizer, state, notes }: Checkpoint): Uint8Array<ArrayBuffer> {
  const slots = [...optimizer].map(([key, tensor]) => [`${optimizerPrefix}${key}`, tensor] as const);
  const metadata = new Map([format, ...notes, [stateKey, JSON.stringify(state)]]);
  return encodeSafetensors(new Map([...weights, ...slots]), metadata);
}

/** The parameters and buffers in a file of ours, or of PyTorch's: all that is not the optimizer's. Throws `file`. */
export function decodeWeights(file: Uint8Array): Map<string, NamedTensor> {
  const { tensors } = decodeSafetensors(file);
  return new Map([...tensors].filter(([name]) => !name.startsWith(optimizerPrefix)));
}

/** Reads a checkpoint. Throws a HeddleError `file` for one that is damaged, and for a file that has weights alone. */
export function decodeCheckpoint(file: Uint8Array): Checkpoint {
  const { tensors, metadata } = decodeSafetensors(file);
  const notes = new Map(metadata);
  const text = notes.get(stateKey);
  if (text === undefined)
    throw new HeddleError(
      'file',
      'checkpoint: the file has weights, and nothing of how far training has come: load() takes it, and --init',
    );
  notes.delete(stateKey);
  notes.delete(format[0]);
  const [weights, optimizer] = [new Map<string, NamedTensor>(), new Map<string, NamedTensor>()];
  for (const [name, tensor] of tensors) {
    if (name.startsWith(optimizerPrefix)) optimizer.set(name.slice(optimizerPrefix.length), tensor);
    else weights.set(name, tensor);
  }
  return { weights, optimizer, state: readState(text), notes };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
/** Draws and rows are counted in a u32 on the GPU. */
const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 32;
const isWords = (value: unknown) => value === undefined || (Array.isArray(value) && value.every(isCount));

function isBegun(value: unknown): value is BegunEpoch {
  if (!isObject(value) || !isObject(value.of)) return false;
  const { of, batches, rows, loss, losses, seconds } = value;
  if (!isCount(of.batches) || !isCount(of.rows) || !isCount(batches) || !isCount(rows) || !isCount(losses))
    return false;
  if (batches > of.batches || rows > of.rows || losses > batches) return false;
  return (loss === null || Number.isFinite(loss)) && typeof seconds === 'number' && seconds >= 0;
}

/** As reduceLrOnPlateau keeps it. */
function isSchedule(value: unknown): value is PlateauState {
  if (!isObject(value)) return false;
  const { best, badEpochs, cooldown, reductions } = value;
  return (best === null || typeof best === 'number') && [badEpochs, cooldown, reductions].every(isCount);
}

function isState(value: unknown): value is TrainingState {
  if (!isObject(value)) return false;
  const { steps, draws, epochs, begun, seed, optimizer, schedule, generator, defaultGenerator } = value;
  if (![steps, draws, epochs, seed].every(isCount)) return false;
  if (begun !== undefined && !isBegun(begun)) return false;
  if (!isObject(optimizer) || typeof optimizer.kind !== 'string') return false;
  if (!Array.isArray(optimizer.groups) || !optimizer.groups.every(isObject)) return false;
  if (schedule !== undefined && !isSchedule(schedule)) return false;
  return isWords(generator) && isWords(defaultGenerator);
}

function readState(text: string): TrainingState {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new HeddleError('file', `checkpoint: ${stateKey} in its metadata is not JSON`, { cause });
  }
  if (!isState(parsed))
    throw new HeddleError('file', `checkpoint: ${stateKey} in its metadata is not what a checkpoint holds`);
  return parsed;
}
