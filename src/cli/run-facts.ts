// What a run is, for the first event and for run.json.

import { createHash } from 'node:crypto';
import { HeddleError, messageOf } from '../errors.ts';
import type { ClassDataset, Trainer } from '../index.ts';
import { modelText, type Shape } from '../recipes/model.ts';
import { adapterFacts, type DataSums } from '../recipes/record.ts';
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
  readonly sums: DataSums;
}

const sumOf = ({ inputs, targets }: ClassDataset): string =>
  createHash('sha256').update(inputs).update(targets).digest('hex');

/** The sums for `Data`. */
export const sumsOf = ({ train, test }: Pick<Data, 'train' | 'test'>): DataSums => ({
  sha256: sumOf(train),
  testSha256: sumOf(test),
});

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
  const dataset = { ...run.dataset, ...data.sums };
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
