// `heddle train`: opens device and data, trains, and leaves a run's folder behind.

import { createHash } from 'node:crypto';
import type { Command } from 'commander';
import {
  createTrainer,
  type Dataset,
  type Device,
  dataLoader,
  HeddleError,
  manualSeed,
  nn,
  openDevice,
  type optim,
  type Trainer,
  take,
} from '../index.ts';
import { augmentation } from './augment.ts';
import { follow } from './follow.ts';
import { barSink } from './format-bar.ts';
import { jsonLine } from './format-json.ts';
import { pytorchText } from './format-pytorch.ts';
import { loadBoth, mayDownload, orderNotice, syntheticNotice } from './load-data.ts';
import { buildModel, countParameters, modelText, refuseTooLarge, type Shape } from './model.ts';
import { clippingFor, optimizerFor } from './optimizer.ts';
import { declare, parseOptions, type TrainOptions, trainOptions } from './options.ts';
import { createRunFolder, type RunFolder, refuseUsed, runFiles } from './run-folder.ts';
import { makeSchedule } from './schedule.ts';
import { scheduleHelp } from './schedule-kinds.ts';
import type { Session } from './session.ts';
import { adapterFacts, adapterText, type RunEvent, type Sink, textSink } from './sinks.ts';
import { count } from './table.ts';
import { prepareDevice, variantNotice, variantsUsed } from './tuning.ts';
import type { Sound } from './verdicts.ts';
import { versions } from './versions.ts';

const examples = `
${scheduleHelp}
Results go to stdout, progress to stderr; the run is kept in runs/.
Ctrl-C stops after the current step and keeps the weights; a second one stops at once.

Examples:
  heddle train                                      the tutorial's run: 10 epochs, about 71 %
  heddle train --epochs 2 --hidden 256 --lr 0.05
  heddle train --model cnn --optimizer adam --shuffle
  heddle train --optimizer adam --clip-norm 1
  heddle train --lr 0.1 --schedule warmup:steps=500/cosine
  heddle train --dataset synthetic --epochs 1       without data or network
  heddle train --dataset ./flowers --shuffle        PNG images in ./flowers/train/CLASS, ./flowers/test/CLASS
  heddle train --json | jq 'select(.type == "epoch").validation.accuracy'`;

/** Adds the command to the program. */
export function registerTrain(program: Command, session: Session): void {
  const command = program
    .command('train')
    .description('Train a network on FashionMNIST, on the GPU: the tutorial’s, or one with convolutions.')
    .addHelpText('after', examples)
    .action(async (raw: Record<string, unknown>) => {
      const options = parseOptions(trainOptions, raw);
      if (options.json && options.format !== 'auto') {
        throw new HeddleError(
          'usage',
          '--json and --format exclude each other: --json is a format of its own',
        );
      }
      const optimizer = optimizerFor(options);
      session.exitCode = await train({ ...options, lr: optimizer.lr }, optimizer, session);
    });
  declare(command, [
    'model',
    'dataset',
    'data',
    'epochs',
    'batchSize',
    'lr',
    'optimizer',
    'schedule',
    'hidden',
    'seed',
    'shuffle',
    'augment',
  ]);
  declare(command, ['momentum', 'nesterov', 'dampening', 'weightDecay', 'betas', 'alpha', 'eps']);
  declare(command, ['clipNorm', 'clipValue']);
  declare(command, ['limit', 'logEvery', 'out', 'json', 'format', 'adapter', 'plain', 'kernels']);
}

interface Data {
  readonly train: Dataset;
  readonly test: Dataset;
}

async function loadData(options: TrainOptions): Promise<Data> {
  const { train, test } = await loadBoth(options);
  return { train: options.limit === undefined ? train : take(train, options.limit), test };
}

async function train(options: TrainOptions, optimizer: optim.Optimizer, session: Session): Promise<number> {
  const clipping = clippingFor(options);
  if (options.out !== undefined) refuseUsed(options.out);
  const early = mayDownload(options) ? undefined : await loadData(options);
  const opened = await openDevice(options.adapter === undefined ? {} : { adapter: options.adapter });
  try {
    const sound = prepareDevice(opened, options);
    const { device } = sound;
    const data = early ?? (await loadData(options));
    const { model: name, hidden } = options;
    const { inputShape: input, classes } = data.train;
    const shape: Shape = { model: name, input, hidden, classes: classes.length };
    refuseTooLarge(shape, device.limits.maxStorageBufferBindingSize);
    process.stderr.write(introduction(device, data, shape));
    process.stderr.write(`${sound.notice}${orderNotice(options)}`);

    manualSeed(options.seed);
    const model = buildModel(shape);
    const started = performance.now();
    const trainer = await createTrainer(device, {
      model,
      loss: nn.crossEntropyLoss(),
      optimizer,
      ...clipping,
      batchSize: options.batchSize,
      plain: sound.choice.plain,
      input: {
        shape: data.train.inputShape,
        dtype: data.train.inputs instanceof Uint8Array ? 'u8' : 'f32',
      },
    });
    try {
      const compiled = (performance.now() - started) / 1000;
      const kernels = trainer.describe().dispatches.length;
      const pipelines = `${device.pipelines.size} pipelines compiled in parallel in ${compiled.toFixed(1)} s`;
      process.stderr.write(`${kernels} dispatches a step; ${pipelines}\n`);
      return await runTraining({ options, session, sound, data, shape, trainer });
    } finally {
      trainer.destroy();
    }
  } finally {
    opened.destroy();
  }
}

function introduction(device: Device, { train: rows, test }: Data, shape: Shape): string {
  const name = rows.name.split('/')[0];
  const data = `${name}: ${count(rows.length)} + ${count(test.length)} images`;
  const model = `${modelText(shape)}: ${count(countParameters(shape))} parameters`;
  return `${syntheticNotice(rows)}${adapterText(device.info)} · ${data} · ${model}\n`;
}

interface Job {
  readonly options: TrainOptions;
  readonly session: Session;
  readonly sound: Sound;
  readonly data: Data;
  readonly shape: Shape;
  readonly trainer: Trainer;
}

async function runTraining({ options, session, sound, data, shape, trainer }: Job): Promise<number> {
  const { watch } = session;
  const { batchSize, shuffle, epochs, logEvery } = options;
  const transforms = augmentation(options.augment, data.train);
  const loader = dataLoader(data.train, { batchSize, shuffle, transforms });
  const length = { epochs, stepsPerEpoch: loader.batches, lr: trainer.optimizer.lr };
  const schedule = options.schedule === undefined ? undefined : makeSchedule(options.schedule, length);
  const folder = createRunFolder({
    kind: options.model,
    ...(options.out === undefined ? {} : { out: options.out }),
  });
  const { dispatches } = trainer.describe();
  const variants = variantsUsed(dispatches);
  process.stderr.write(variantNotice(options, sound.device, variants));
  const run: RunEvent = {
    type: 'run',
    adapter: adapterFacts(sound.device.info),
    kernels: {
      plain: sound.choice.plain,
      avoided: sound.choice.avoid,
      used: [...new Set(dispatches.map(({ kernel }) => kernel))],
      variants,
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
    run: folder.path,
  };
  const keepRecord = recordKeeper(folder, run, data);
  keepRecord('running');
  try {
    watch.graceful();
    const writer = writerFor(options, data.train.length);
    folder.event(run);
    writer.event(run);
    const outcome = await follow({
      events: trainer.fit(loader, {
        epochs,
        logEvery,
        ...(schedule && { schedule }),
        validate: dataLoader(data.test, { batchSize }),
        signal: watch.signal,
      }),
      sinks: [writer],
      folder,
      watch,
      save: () => trainer.save(),
    });
    keepRecord(outcome);
    if (outcome === 'done') {
      if (writer.silentEnd) process.stderr.write(`kept in ${folder.path}\n`);
      return 0;
    }
    const { name, code } = watch.reason ?? { name: 'SIGINT', code: 130 };
    if (name !== 'EPIPE') {
      process.stderr.write(
        `heddle train: stopped by ${name} after ${trainer.steps} steps; the weights are in ${folder.path}/${runFiles.last}\n`,
      );
    }
    return code;
  } catch (error) {
    try {
      keepRecord('failed');
    } catch {
      // A full disk, say: what went wrong first is what the user must hear of.
    }
    throw error;
  }
}

/** Writes run.json, again each time the run's status changes. */
function recordKeeper(folder: RunFolder, run: RunEvent, data: Data) {
  const { type: _, run: __, ...facts } = run;
  const started = new Date().toISOString();
  const hash = createHash('sha256').update(data.train.inputs).update(data.train.targets);
  const dataset = { ...run.dataset, sha256: hash.digest('hex') };
  const classNames = data.train.classes;
  return (status: 'running' | 'done' | 'interrupted' | 'failed') => {
    const ended = status === 'running' ? {} : { ended: new Date().toISOString() };
    folder.saveInfo({ status, started, ...ended, ...facts, classNames, dataset, versions: versions() });
  };
}

/** The writer on stdout that the options ask for; `silentEnd` when its last line does not name the run's folder. */
function writerFor(options: TrainOptions, rows: number): Sink & { readonly silentEnd: boolean } {
  const { stdout, stderr } = process;
  if (options.json) return { ...textSink(stdout, jsonLine), silentEnd: false };
  const live = stdout.isTTY === true && stderr.isTTY === true;
  if (options.format === 'bar' || (options.format === 'auto' && live)) {
    const { epochs, batchSize } = options;
    return { ...barSink({ stdout, stderr, epochs, rows, batchSize }), silentEnd: false };
  }
  return { ...textSink(stdout, pytorchText(rows)), silentEnd: true };
}
