// What other commands need of a run: its files, and the options that its model was built with. A checkpoint's file alone,
// a page's for instance, is as good as a run's folder: it carries them too.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { HeddleError, messageOf } from '../errors.ts';
import { type Checkpoint, decodeCheckpoint, decodeWeights } from '../io/checkpoint.ts';
import type { NamedTensor } from '../io/safetensors.ts';
import { codeOf } from '../platform/node-read.ts';
import { parseRecord, type RunRecord, recordNote } from '../recipes/record.ts';
import { runFiles } from './run-folder.ts';

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
    const missing = ['ENOENT', 'ENOTDIR'].includes(codeOf(cause));
    const reason = missing ? `does not exist; ${expected}` : `cannot be read: ${messageOf(cause)}`;
    throw new HeddleError(missing ? 'usage' : 'file', `${path} ${reason}`, { cause });
  }
}

/** Whether a run is given as a checkpoint's file instead of a folder. */
export function isCheckpointFile(run: string): boolean {
  try {
    return statSync(run).isFile();
  } catch {
    return false; // whoever reads it says why
  }
}

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
