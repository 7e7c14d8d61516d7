// What `heddle train` was asked for, and what is made of it: a trainer, loaders and a schedule, as each process begins them.

import {
  type ClipOptions,
  createTrainer,
  dataLoader,
  type FitOptions,
  manualSeed,
  type NamedTensor,
  nn,
  type optim,
  type Trainer,
} from '../index.ts';
import { augmentation } from '../recipes/augment.ts';
import { buildModel, type Shape } from '../recipes/model.ts';
import type { Machine } from './machine.ts';
import type { TrainOptions } from './options.ts';
import type { Resumed } from './resume.ts';
import type { Data } from './run-facts.ts';
import { makeSchedule } from './schedule.ts';
import type { Session } from './session.ts';
import type { TrainUi } from './train-ui.ts';

/** What is to be trained. */
export interface Job {
  readonly options: TrainOptions;
  readonly optimizer: optim.Optimizer;
  readonly clipping: ClipOptions;
  readonly data: Data;
  readonly shape: Shape;
  readonly session: Session;
  readonly resumed?: Resumed;
  /** Weights to begin with. */
  readonly init?: ReadonlyMap<string, NamedTensor>;
  /** A page that shows it. */
  readonly ui?: TrainUi;
}

/** The model and its trainer, as a process begins them: the generator stands after the drawing of the weights. */
export async function makeTrainer(
  { options, optimizer, clipping, data, shape }: Job,
  { device, choice }: Machine,
): Promise<Trainer> {
  manualSeed(options.seed);
  const { inputShape, inputs } = data.train;
  return createTrainer(device, {
    model: buildModel(shape),
    loss: nn.crossEntropyLoss(),
    optimizer,
    ...clipping,
    batchSize: options.batchSize,
    plain: choice.plain,
    input: { shape: inputShape, dtype: inputs instanceof Uint8Array ? 'u8' : 'f32' },
  });
}

/** Loaders and schedule as a process begins them. */
export function makeFit({ options, data, optimizer }: Job) {
  const { batchSize, shuffle, epochs, logEvery, checkpointEvery } = options;
  const train = dataLoader(data.train, {
    ...{ batchSize, shuffle, transforms: augmentation(options.augment, data.train) },
  });
  const length = { epochs, stepsPerEpoch: train.batches, lr: optimizer.lr };
  const schedule = options.schedule === undefined ? undefined : makeSchedule(options.schedule, length);
  return {
    train,
    fitOptions: {
      logEvery,
      ...(schedule && { schedule }),
      ...(checkpointEvery && { checkpointEvery }),
      validate: dataLoader(data.test, { batchSize }),
      onNonFinite: options.onNan === 'ignore' ? 'ignore' : 'throw',
    } satisfies Omit<FitOptions, 'epochs'>,
  };
}
