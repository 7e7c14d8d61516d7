// What a run is, for the first event and for run.json.

import { createHash } from 'node:crypto';
import { HeddleError, messageOf } from '../errors.ts';
import type { ClassDataset, Trainer } from '../index.ts';
import { modelText, type Shape } from '../recipes/model.ts';
import { adapterFacts } from '../recipes/record.ts';
import { variantsUsed } from '../recipes/variants.ts';
import type { TrainOptions } from './options.ts';
import type { Resumed } from './resume.ts';
import type { RunFolder } from './run-folder.ts';
import type { RunEvent } from './sinks.ts';
import type { Sound } from './verdicts.ts';
import { versions } from './versions.ts';

/** What a run trains and tests on. */
export interface Data {
  readonly train: ClassDataset;
  readonly test: ClassDataset;
  /** SHA-256 of the training data: inputs, then targets. */
  readonly sha256: string;
}

/** The sum for `Data`. */
export const sumOf = (train: ClassDataset): string =>
  createHash('sha256').update(train.inputs).update(train.targets).digest('hex');

/** The run as its first event tells it. */
export function runEvent(
  { options, data, shape }: { options: TrainOptions; data: Data; shape: Shape },
  { device, choice }: Sound,
  trainer: Trainer,
  folder: string,
): RunEvent {
  const { dispatches } = trainer.describe();
  return {
    type: 'run',
    adapter: adapterFacts(device.info),
    kernels: {
      plain: choice.plain,
      avoided: choice.avoid,
      used: [...new Set(dispatches.map(({ kernel }) => kernel))],
      variants: variantsUsed(dispatches),
    },
    dataset: {
      name: options.dataset,
      synthetic: data.train.synthetic,
      train: data.train.length,
      test: data.test.length,
    },
    model: modelText(shape),
    input: shape.input,
    classes: shape.classes,
    parameters: trainer.parameterCount,
    seed: options.seed,
    options,
    run: folder,
  };
}

/** How a run is, or has ended. */
export type Status = 'running' | 'done' | 'interrupted' | 'failed';

/** Writes run.json, again each time the run's status changes; `error` is why it failed. */
export function recordKeeper(folder: RunFolder, run: RunEvent, data: Data, from: Resumed | undefined) {
  const { type: _, run: __, ...facts } = run;
  const now = new Date().toISOString();
  const resumed =
    from === undefined ? [] : [...from.record.resumed, { at: now, run: from.run, step: from.state.steps }];
  const started = from?.record.started || now;
  const dataset = { ...run.dataset, sha256: data.sha256 };
  const classNames = data.train.classes;
  return (status: Status, error?: unknown) => {
    const code = error instanceof HeddleError ? { code: error.code } : {};
    const why = error === undefined ? {} : { error: messageOf(error), ...code };
    const ended = status === 'running' ? {} : { ended: new Date().toISOString() };
    folder.saveInfo({
      ...{ status, ...why, started, ...ended },
      ...(resumed.length > 0 && { resumed }),
      ...facts,
      classNames,
      dataset,
      versions: versions(),
    });
  };
}
