// From settings to a trainer, by the same steps and random draws as `heddle train`; and what is to be said of a run, to the
// page and in its checkpoints.

import {
  type Checkpoint,
  createTrainer,
  type DataLoader,
  type Device,
  dataLoader,
  decodeCheckpoint,
  decodeWeights,
  manualSeed,
  nn,
  type Trainer,
  take,
  withoutKernels,
  withVariants,
} from '../../index.ts';
import { createGenerator } from '../../random/generator.ts';
import { augmentation } from '../../recipes/augment.ts';
import { buildModel, modelText, refuseTooLarge, type Shape } from '../../recipes/model.ts';
import { clippingFor, optimizerFor } from '../../recipes/optimizer.ts';
import type { RunFacts, Settings } from '../../recipes/protocol.ts';
import {
  adapterFacts,
  parseRecord,
  type RunRecord,
  recordNote,
  recordOf,
  refuseOtherData,
} from '../../recipes/record.ts';
import { knownVariants, variantsUsed } from '../../recipes/variants.ts';
import { type Data, dataSums } from './data.ts';
import { checkSettings, optionsOf, type RunOptions, takeUp } from './settings.ts';

/** What is to be trained, and from where on. */
export interface Plan {
  readonly settings: Settings;
  readonly options: RunOptions;
  /** A checkpoint to go on from. */
  readonly checkpoint?: { readonly bytes: Uint8Array; readonly record?: RunRecord };
  /** Weights to begin with. */
  readonly weights?: Uint8Array;
}

/**
 * What `start` asks for. A checkpoint of ours brings settings of its own; of a file that has weights alone only these are
 * taken. Throws `usage` for settings that cannot be, `file` for a file that is neither.
 */
export function planOf(given: Settings, file?: Uint8Array): Plan {
  const settings = checkSettings(given);
  const plan = { settings, options: optionsOf(settings) };
  if (file === undefined) return plan;
  decodeWeights(file); // refuses what is no safetensors file
  let checkpoint: Checkpoint;
  try {
    checkpoint = decodeCheckpoint(file);
  } catch {
    return { ...plan, weights: file };
  }
  const note = checkpoint.notes.get(recordNote);
  if (note === undefined) return { ...plan, checkpoint: { bytes: file } };
  const record = parseRecord('the checkpoint’s record', note);
  return { ...takeUp(record, settings.epochs), checkpoint: { bytes: file, record } };
}

/** A run that can be trained. */
export interface Setup {
  readonly plan: Plan;
  readonly shape: Shape;
  readonly model: nn.Layer;
  readonly device: Device;
  readonly trainer: Trainer;
  readonly data: Data;
  readonly train: DataLoader;
  readonly validate: DataLoader;
}

/** The data as the run has it. Throws `data` when a checkpoint's run began with other data. */
export async function dataFor({ options, checkpoint }: Plan, data: Data): Promise<Data> {
  const own = options.limit === undefined ? data : { ...data, train: take(data.train, options.limit) };
  if (checkpoint?.record?.dataset !== undefined)
    refuseOtherData(checkpoint.record, await dataSums(own), {
      run: 'the checkpoint’s run',
      todo: 'Drop its files on the page, or begin a new run.',
    });
  return own;
}

/** The kernels that a run used before, so that its numbers go on to the bit where they can. */
function kernelsOf(opened: Device, record: RunRecord | undefined): Device {
  const { avoided = [], variants = {} } = record?.kernels ?? {};
  const known = Object.entries(variants).filter(([, name]) => knownVariants.has(name));
  const device = avoided.length === 0 ? opened : withoutKernels(opened, avoided);
  return known.length === 0 ? device : withVariants(device, new Map(known));
}

/** Makes model, trainer and loaders, in `heddle train`'s order: the generator then stands where it does there. */
export async function setUp(plan: Plan, opened: Device, data: Data): Promise<Setup> {
  const { options, checkpoint } = plan;
  const { inputShape, inputs, classes } = data.train;
  const shape: Shape = {
    model: options.model,
    input: inputShape,
    hidden: options.hidden,
    classes: classes.length,
  };
  refuseTooLarge(shape, opened.limits.maxStorageBufferBindingSize);
  const device = kernelsOf(opened, checkpoint?.record);
  const optimizer = optimizerFor(options);
  manualSeed(options.seed);
  const model = buildModel(shape);
  const { batchSize, shuffle } = options;
  const trainer = await createTrainer(device, {
    model,
    loss: nn.crossEntropyLoss(),
    optimizer,
    ...clippingFor(options),
    batchSize,
    plain: options.plain || checkpoint?.record?.kernels?.plain === true,
    input: { shape: inputShape, dtype: inputs instanceof Uint8Array ? 'u8' : 'f32' },
  });
  try {
    const transforms = augmentation(options.augment, data.train);
    const train = dataLoader(data.train, { batchSize, shuffle, transforms });
    const validate = dataLoader(data.test, { batchSize });
    return { plan, shape, model, device, trainer, data, train, validate };
  } catch (error) {
    trainer.destroy();
    throw error;
  }
}

/** The test images in file order, by a generator of their own: asking for them draws nothing that training draws from. */
export const testLoader = ({ data, plan }: Pick<Setup, 'data' | 'plan'>): DataLoader =>
  dataLoader(data.test, { batchSize: plan.options.batchSize, generator: createGenerator(0) });

/** An adapter in a few words, as far as a browser tells them. */
function adapterText({ description, vendor, architecture, device }: Device['info']): string {
  return description || [vendor, architecture, device].filter(Boolean).join(' ') || 'unnamed adapter';
}

/** What the page is told of the run. */
export function factsOf({ plan, shape, device, trainer, data }: Setup): RunFacts {
  const { dispatches, bytes } = trainer.describe();
  const { backend, software } = device.info;
  return {
    settings: plan.settings,
    ...{ adapter: adapterText(device.info), backend, software },
    ...{ model: modelText(shape), parameters: trainer.parameterCount, classes: data.train.classes },
    ...{ train: data.train.length, test: data.test.length, synthetic: data.train.synthetic },
    ...{ dispatches: dispatches.length, bytes },
  };
}

/** The run's record, as `heddle train` writes it and goes on from. */
export async function recordTextOf({ plan, shape, device, trainer, data }: Setup): Promise<string> {
  const { options, checkpoint } = plan;
  const { dispatches } = trainer.describe();
  const { train, test } = data;
  const facts = {
    input: shape.input,
    classes: shape.classes,
    kernels: {
      plain: options.plain || checkpoint?.record?.kernels?.plain === true,
      avoided: [...device.avoided],
      used: [...new Set(dispatches.map(({ kernel }) => kernel))],
      variants: variantsUsed(dispatches),
    },
    adapter: adapterFacts(device.info),
    dataset: { name: options.dataset, synthetic: train.synthetic, train: train.length, test: test.length },
    options: { ...options, epochs: plan.settings.epochs },
  };
  return JSON.stringify(recordOf(facts, train.classes, await dataSums(data)));
}
