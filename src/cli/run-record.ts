// What other commands need of a run's folder: its files, and the options that its model was built with.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { HeddleError, messageOf } from '../errors.ts';
import { decodeWeights } from '../io/checkpoint.ts';
import type { NamedTensor } from '../io/safetensors.ts';
import { modelNames } from './model.ts';
import { optimizerNames } from './optimizer.ts';
import { runFiles } from './run-folder.ts';

const positive = v.pipe(v.number(), v.safeInteger(), v.minValue(1));

const runRecord = v.object({
  // The tutorial's, where an older record does not say.
  input: v.optional(v.array(positive), [1, 28, 28]),
  classes: v.optional(positive, 10),
  classNames: v.exactOptional(v.array(v.string())),
  options: v.object({
    model: v.optional(v.picklist(modelNames), 'mlp'), // the only one there was at first
    dataset: v.string(),
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
  }),
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
  const path = join(run, name);
  try {
    return new Uint8Array(readFileSync(path)); // not a Buffer, whose slice() is a view
  } catch (cause) {
    const missing =
      cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR');
    const expected =
      name === runFiles.best && existsSync(join(run, runFiles.info))
        ? 'this run has kept no best weights; use --weights last'
        : 'expected the folder of a run';
    const reason = missing ? `does not exist; ${expected}` : `cannot be read: ${messageOf(cause)}`;
    throw new HeddleError(missing ? 'usage' : 'file', `${path} ${reason}`, { cause });
  }
}

/** Reads run.json. Throws as `readRunFile`, and `file` for content that is no run's. */
export function readRunRecord(run: string): RunRecord {
  const path = join(run, runFiles.info);
  const text = new TextDecoder().decode(readRunFile(run, runFiles.info));
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

/** A run's parameters and buffers. Throws as `readRunFile`, and `file`. */
export function readRunWeights(run: string, which: Which): Map<string, NamedTensor> {
  const bytes = readRunFile(run, runFiles[which]);
  try {
    return decodeWeights(bytes);
  } catch (cause) {
    throw new HeddleError('file', `${join(run, runFiles[which])}: ${messageOf(cause)}`, { cause });
  }
}
