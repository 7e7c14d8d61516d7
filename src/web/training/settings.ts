// Settings of the page as options of `heddle train`, and back: what a run is trained by, and what its checkpoints say of it.
// Pure functions.

import * as v from 'valibot';
import { HeddleError } from '../../index.ts';
import { modelNames } from '../../recipes/model.ts';
import { optimizerNames } from '../../recipes/optimizer.ts';
import type { Settings } from '../../recipes/protocol.ts';
import { freeOptions, type RunRecord } from '../../recipes/record.ts';

/** Options of `heddle train` that a run's numbers follow from, as its record has them. */
export type RunOptions = Omit<
  RunRecord['options'],
  'epochs' | 'data' | 'logEvery' | 'kernels' | 'keep' | 'checkpointEvery' | 'patience' | 'onNan' | 'schedule'
>;

const datasetNames = ['fashion-mnist', 'mnist', 'kmnist', 'synthetic'] as const;
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const rate = v.pipe(v.number(), v.finite(), v.minValue(0));
const settingsSchema = v.object({
  dataset: v.picklist(datasetNames),
  model: v.picklist(modelNames),
  hidden: v.array(count),
  optimizer: v.picklist(optimizerNames),
  lr: rate,
  momentum: rate,
  weightDecay: rate,
  batchSize: count,
  epochs: count,
  seed: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  shuffle: v.boolean(),
  limit: v.optional(count),
});

/** Checks settings, which may come from anybody's link. Throws a HeddleError `usage`. */
export function checkSettings(settings: Settings): Settings {
  const result = v.safeParse(settingsSchema, settings);
  if (result.success) {
    const { limit, ...rest } = result.output;
    return limit === undefined ? rest : { ...rest, limit };
  }
  const [issue] = result.issues;
  const name = v.getDotPath(issue) ?? 'settings';
  throw new HeddleError(
    'usage',
    `${name}: found ${issue.received}, expected ${issue.expected ?? issue.message}`,
  );
}

const takesMomentum: readonly string[] = ['sgd', 'rmsprop'];

/** The options that `heddle train` has when it is asked for the same: what is 0 there by default is left out. */
export function optionsOf(settings: Settings): RunOptions {
  const { dataset, model, hidden, optimizer, lr, momentum, weightDecay, batchSize, seed, shuffle, limit } =
    settings;
  return {
    ...{ model, dataset, batchSize, hidden: [...hidden], optimizer, lr },
    ...(momentum > 0 && takesMomentum.includes(optimizer) && { momentum }),
    nesterov: false,
    // AdamW's own is not 0.
    ...((weightDecay > 0 || optimizer === 'adamw') && { weightDecay }),
    ...{ seed, shuffle, plain: false },
    ...(limit !== undefined && { limit }),
  };
}

/**
 * The settings and options of a run that a checkpoint is of. How many epochs it is to have the page says. Throws a HeddleError
 * `usage` for what the page does not have.
 */
export function takeUp(
  { options }: Pick<RunRecord, 'options'>,
  epochs: number,
): { readonly settings: Settings; readonly options: RunOptions } {
  const { schedule, dataset, ...rest } = options;
  const known = datasetNames.find((name) => name === dataset);
  const without =
    known === undefined
      ? `the data set ${dataset}`
      : schedule && `the schedule of its learning rate, ${schedule}`;
  if (without)
    throw new HeddleError(
      'usage',
      `the checkpoint is of a run that needs ${without}, which the page does not have: \`heddle train --resume\` goes on with it`,
    );
  const own = Object.fromEntries(Object.entries(rest).filter(([name]) => !freeOptions.has(name)));
  const {
    model,
    hidden,
    optimizer,
    lr = 1e-3,
    momentum = 0,
    weightDecay,
    batchSize,
    seed,
    shuffle,
    limit,
  } = rest;
  return {
    options: { ...own, dataset } as RunOptions,
    settings: {
      dataset: known as Settings['dataset'],
      ...{ model, hidden, optimizer, lr, momentum, batchSize, epochs, seed, shuffle },
      weightDecay: weightDecay ?? (optimizer === 'adamw' ? 0.01 : 0),
      ...(limit !== undefined && { limit }),
    },
  };
}
