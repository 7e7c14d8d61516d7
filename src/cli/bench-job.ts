// What `heddle bench` measures: the job of `heddle train`, on batches that never run out.

import {
  createTrainer,
  type DataLoader,
  type Dataset,
  type Device,
  dataLoader,
  HeddleError,
  manualSeed,
  nn,
  openDevice,
  optim,
  type Trainer,
} from '../index.ts';
import { buildModel, type ModelName, refuseTooLarge, type Shape } from '../recipes/model.ts';
import { count } from '../recipes/units.ts';
import { loadSplit, mayDownload, syntheticNotice } from './load-data.ts';
import type { BenchOptions } from './options.ts';
import { prepareDevice } from './tuning.ts';
import type { Sound } from './verdicts.ts';

/** The device and the data of a benchmark. */
export interface Workshop {
  readonly sound: Sound;
  readonly device: Device;
  readonly train: Dataset;
  readonly test: Dataset;
  destroy(): void;
}

/** Opens device and data as `heddle train` does. With `quiet` nothing is said about them. */
export async function openWorkshop(options: BenchOptions, quiet = false): Promise<Workshop> {
  const load = async () => [await loadSplit('train', options), await loadSplit('test', options)] as const;
  const early = mayDownload(options) ? undefined : await load();
  const { adapter } = options;
  const opened = await openDevice({ exactTimestamps: true, ...(adapter === undefined ? {} : { adapter }) });
  try {
    const sound = prepareDevice(opened, options);
    const [train, test] = early ?? (await load());
    if (!quiet) process.stderr.write(`${syntheticNotice(train)}${sound.notice}`);
    return { sound, device: sound.device, train, test, destroy: () => opened.destroy() };
  } catch (error) {
    opened.destroy();
    throw error;
  }
}

/** Sizes of the job. */
export interface JobSizes {
  readonly model: ModelName;
  readonly hidden: readonly number[];
  readonly batchSize: number;
}

/** The network that the sizes and the data ask for. */
export function shapeOf({ train }: Workshop, { model, hidden }: JobSizes): Shape {
  return { model, input: train.inputShape, hidden, classes: train.classes.length };
}

/** The trainer of `heddle train`, with seed 0. Throws `limit` when the adapter cannot hold it. */
export async function openTrainer(workshop: Workshop, sizes: JobSizes): Promise<Trainer> {
  const { device, sound, train } = workshop;
  const shape = shapeOf(workshop, sizes);
  refuseTooLarge(shape, device.limits.maxStorageBufferBindingSize);
  manualSeed(0);
  return createTrainer(device, {
    model: buildModel(shape),
    loss: nn.crossEntropyLoss(),
    optimizer: optim.sgd({ lr: 1e-3 }),
    batchSize: sizes.batchSize,
    plain: sound.choice.plain,
    input: { shape: train.inputShape, dtype: train.inputs instanceof Uint8Array ? 'u8' : 'f32' },
  });
}

/**
 * A loader with exactly `steps` full batches in each epoch; each epoch goes on where the one before stopped, round and
 * round. Throws `usage` for a batch that is larger than the data set.
 */
export function endlessLoader(dataset: Dataset, batchSize: number, steps: number): DataLoader {
  if (batchSize > dataset.length) {
    const most = `at most ${count(dataset.length)}, the rows of ${dataset.name}`;
    throw new HeddleError('usage', `--batch-size: found ${count(batchSize)}, expected ${most}`);
  }
  const once = dataLoader(dataset, { batchSize, dropLast: true });
  const all = [...once.epoch(0)];
  return {
    ...once,
    batches: steps,
    rows: steps * batchSize,
    *epoch(n) {
      for (let index = 0; index < steps; index++) {
        const batch = all[(n * steps + index) % all.length];
        if (batch !== undefined) yield { ...batch, index };
      }
    },
  };
}
