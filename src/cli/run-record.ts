// What other commands need of a run: its files, and the options that its model was built with. A checkpoint's file alone,
// a page's for instance, is as good as a run's folder: it carries them too.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { HeddleError, messageOf } from '../errors.ts';
import { type Checkpoint, decodeCheckpoint, decodeWeights } from '../io/checkpoint.ts';
import type { NamedTensor } from '../io/safetensors.ts';
import { modelNames } from '../recipes/model.ts';
import { optimizerNames } from '../recipes/optimizer.ts';
import { runFiles } from './run-folder.ts';

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const positive = v.pipe(whole, v.minValue(1));
/** What becomes of a run that meets a loss, gradient or parameter that is not finite. */
export const nonFiniteWays = ['stop', 'restore', 'ignore'] as const;

const runRecord = v.looseObject({
  status: v.optional(v.string(), 'unknown'),
  started: v.optional(v.string(), ''),
  // The tutorial's, where an older record does not say.
  input: v.optional(v.array(positive), [1, 28, 28]),
  classes: v.optional(positive, 10),
  classNames: v.exactOptional(v.array(v.string())),
  options: v.object({
    model: v.optional(v.picklist(modelNames), 'mlp'), // the only one there was at first
    dataset: v.string(),
    data: v.exactOptional(v.string()),
    epochs: v.exactOptional(positive),
    batchSize: positive,
    hidden: v.array(positive),
    optimizer: v.optional(v.picklist(optimizerNames), 'sgd'),
    lr: v.exactOptional(v.number()),
    momentum: v.exactOptional(v.number()),
    nesterov: v.optional(v.boolean(), false),
    dampening: v.exactOptional(v.number()),
    weightDecay: v.exactOptional(v.number()),
    betas: v.exactOptional(v.tuple([v.number(), v.number()])),
    alpha: v.exactOptional(v.number()),
    eps: v.exactOptional(v.number()),
    clipNorm: v.exactOptional(v.number()),
    clipValue: v.exactOptional(v.number()),
    schedule: v.exactOptional(v.string()),
    seed: v.optional(whole, 0),
    shuffle: v.optional(v.boolean(), false),
    augment: v.exactOptional(v.array(v.picklist(['flip', 'crop']))),
    limit: v.exactOptional(positive),
    logEvery: v.optional(positive, 100),
    plain: v.optional(v.boolean(), false),
    kernels: v.exactOptional(v.string()),
    keep: v.optional(whole, 0),
    checkpointEvery: v.exactOptional(positive),
    patience: v.exactOptional(positive),
    onNan: v.optional(v.picklist(nonFiniteWays), 'stop'),
  }),
  adapter: v.exactOptional(v.looseObject({ description: v.string(), device: v.string() })),
  dataset: v.exactOptional(v.looseObject({ sha256: v.exactOptional(v.string()) })),
  resumed: v.optional(v.array(v.object({ at: v.string(), step: whole })), []),
  kernels: v.exactOptional(
    v.object({
      plain: v.boolean(),
      avoided: v.array(v.string()),
      variants: v.exactOptional(v.record(v.string(), v.string())),
    }),
  ),
});

/** The part of run.json that says what was trained. */
export type RunRecord = v.InferOutput<typeof runRecord>;

/** A file of a run's folder. Throws `usage` when it is not there, `file` when it cannot be read. */
export function readRunFile(run: string, name: string): Uint8Array {
  const keptNone = name === runFiles.best && existsSync(join(run, runFiles.info));
  return readBytes(
    join(run, name),
    keptNone ? 'this run has kept no best weights; use --weights last' : 'expected the folder of a run',
  );
}

function readBytes(path: string, expected: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path)); // not a Buffer, whose slice() is a view
  } catch (cause) {
    const missing =
      cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR');
    const reason = missing ? `does not exist; ${expected}` : `cannot be read: ${messageOf(cause)}`;
    throw new HeddleError(missing ? 'usage' : 'file', `${path} ${reason}`, { cause });
  }
}

/** Beside the state in a checkpoint: what run.json says of the run, as far as going on with it needs. */
export const recordNote = 'heddle.record';

/** Whether a run is given as a checkpoint's file instead of a folder. */
export const isCheckpointFile = (run: string): boolean =>
  statSync(run, { throwIfNoEntry: false })?.isFile() === true;

/** A run's record and checkpoint: of its folder the last one. Throws as `readRunFile`, and `file` for other content. */
export function readCheckpoint(run: string): Checkpoint & { readonly bytes: Uint8Array } {
  const alone = isCheckpointFile(run);
  const bytes = alone ? readBytes(run, '') : readRunFile(run, runFiles.last);
  try {
    return { ...decodeCheckpoint(bytes), bytes };
  } catch (cause) {
    throw new HeddleError('file', `${alone ? run : join(run, runFiles.last)}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** Reads run.json, or what a checkpoint's file says instead. Throws as `readRunFile`, and `file` for content that is no run's. */
export function readRunRecord(run: string): RunRecord {
  if (!isCheckpointFile(run))
    return parseRecord(join(run, runFiles.info), new TextDecoder().decode(readRunFile(run, runFiles.info)));
  const note = readCheckpoint(run).notes.get(recordNote);
  if (note === undefined)
    throw new HeddleError(
      'file',
      `${run} is a checkpoint that does not say of what options; expected one that heddle train or the page made`,
    );
  return parseRecord(run, note);
}

function parseRecord(path: string, text: string): RunRecord {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new HeddleError('file', `${path} is not JSON: ${messageOf(cause)}`, { cause });
  }
  const result = v.safeParse(runRecord, parsed);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new HeddleError('file', `${path}: ${v.getDotPath(issue) ?? 'content'}: ${issue.message}`);
}

/** Which of a run's weights: as they were last, or as they were when the test accuracy was best. */
export type Which = 'last' | 'best';

/** The best weights of a run, where it has kept them apart, else the last. */
export const bestOrLast = (run: string): Which => (existsSync(join(run, runFiles.best)) ? 'best' : 'last');

/** A run's parameters and buffers; a checkpoint's file has one kind only. Throws as `readRunFile`, and `file`. */
export function readRunWeights(run: string, which: Which): Map<string, NamedTensor> {
  const alone = isCheckpointFile(run);
  const bytes = alone ? readBytes(run, '') : readRunFile(run, runFiles[which]);
  try {
    return decodeWeights(bytes);
  } catch (cause) {
    throw new HeddleError('file', `${alone ? run : join(run, runFiles[which])}: ${messageOf(cause)}`, {
      cause,
    });
  }
}
