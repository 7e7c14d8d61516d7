// A run's folder, as it is watched from another process: what its event log has, what is added to it, and how it ends.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as v from 'valibot';
import { messageOf } from '../errors.ts';
import type { RunRecord } from '../recipes/record.ts';
import { classNamesOf } from './class-names.ts';
import { runFiles } from './run-folder.ts';
import { lockOwner } from './run-lock.ts';
import { readRunRecord } from './run-record.ts';
import { shellWord } from './shell-words.ts';
import { tailOf } from './tail.ts';
import { runFacts } from './watch-facts.ts';
import type { Watched } from './watched.ts';

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** JSON has no word for what is not finite. */
const value = v.pipe(
  v.nullable(v.number()),
  v.transform((found) => found ?? Number.NaN),
);
const text = v.fallback(v.string(), '');

const event = v.variant('type', [
  v.object({ type: v.literal('step'), epoch: count, step: count, samples: count, loss: value, lr: value }),
  v.object({
    type: v.literal('epoch'),
    epoch: count,
    seconds: value,
    samplesPerSecond: value,
    train: v.object({ loss: value }),
    validation: v.pipe(
      v.object({ loss: value, accuracy: value }),
      v.transform((found) => ({ ...found, confusion: [], ranks: [] })), // the log does not have them
    ),
  }),
  v.object({
    type: v.literal('run'),
    adapter: v.object({
      vendor: text,
      architecture: text,
      device: text,
      description: text,
      backend: text,
      software: v.fallback(v.boolean(), false),
    }),
    dataset: v.object({ name: v.string(), synthetic: v.boolean(), train: count, test: count }),
    model: v.string(),
    parameters: count,
    options: v.record(v.string(), v.unknown()),
  }),
]);

function parse(line: string): v.InferOutput<typeof event> | undefined {
  try {
    const result = v.safeParse(event, JSON.parse(line));
    return result.success ? result.output : undefined;
  } catch {
    return undefined; // torn by a crash
  }
}

/** Tells what the event log of a run's folder says that was not told before. */
export function replayFrom(run: string, record: RunRecord, watched: Watched): () => void {
  const lines = tailOf(join(run, runFiles.events), () => watched.rewind(0)); // a run that goes back writes it anew
  const names = classNamesOf(record) ?? Array.from({ length: record.classes }, (_, i) => String(i));
  return () => {
    for (const line of lines()) {
      const found = parse(line);
      if (found?.type === 'run') {
        const { input, classes } = record;
        const unsaid = { input, classes, seed: record.options.seed, run };
        const kernels = { plain: record.options.plain, avoided: [], used: [], variants: {} };
        watched.begin(
          runFacts({ ...unsaid, kernels, ...found }, { classes: names, dispatches: 0, bytes: 0 }),
        );
      } else if (found !== undefined) watched.event(found);
    }
  };
}

const infoOf = v.object({ status: text, error: text });

function tellStatus(run: string, watched: Watched): void {
  let info: v.InferOutput<typeof infoOf>;
  try {
    info = v.parse(infoOf, JSON.parse(readFileSync(join(run, runFiles.info), 'utf8')));
  } catch {
    return; // the folder has gone, or somebody edits it
  }
  const goesOn = `heddle train --resume ${shellWord(run)} goes on.`;
  const { status, error } = info;
  if (status === 'done') watched.status('done', 'the run has ended');
  else if (status === 'interrupted') watched.status('stopped', `the run was stopped. ${goesOn}`);
  else if (status === 'failed')
    watched.fail({ type: 'error', code: 'run', message: error || 'the run failed', todo: goesOn });
  else if (lockOwner(run) === undefined) watched.status('stopped', `the run’s process is gone. ${goesOn}`);
  else watched.status('training', 'at work in another process');
}

/** How often a run's folder is looked at, in ms. */
const interval = 500;

/** Watches a run's folder until the function that it returns is called. Throws as `readRunRecord`. */
export function watchFolder(run: string, watched: Watched): () => void {
  const replay = replayFrom(run, readRunRecord(run), watched);
  const look = () => {
    try {
      replay();
      tellStatus(run, watched);
    } catch (error) {
      watched.status('stopped', `the run’s folder cannot be read: ${messageOf(error)}`);
    }
  };
  look();
  const timer = setInterval(look, interval);
  return () => clearInterval(timer);
}
