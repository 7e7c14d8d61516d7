// `heddle train`: from options to a device, data and a run's folder; training itself is followed by train-run.ts.

import { join } from 'node:path';
import type { Command } from 'commander';
import { HeddleError, type optim, take } from '../index.ts';
import { countParameters, modelText, refuseTooLarge, type Shape } from '../recipes/model.ts';
import { clippingFor, optimizerFor } from '../recipes/optimizer.ts';
import { refuseOtherData } from '../recipes/record.ts';
import { count } from '../recipes/units.ts';
import { checkInit, readInit } from './init.ts';
import { loadBoth, mayDownload, orderNotice, syntheticNotice } from './load-data.ts';
import { type Machine, openMachine } from './machine.ts';
import { declare, parseOptions, type TrainOptions, trainOptions } from './options.ts';
import { type Resumed, takeUpRun } from './resume.ts';
import { type Data, sumsOf } from './run-facts.ts';
import { refuseUsed, runFiles, writeWhole } from './run-folder.ts';
import { isCheckpointFile, readRunFile } from './run-record.ts';
import { scheduleHelp } from './schedule-kinds.ts';
import type { Session } from './session.ts';
import { shellWord } from './shell-words.ts';
import { adapterText } from './sinks.ts';
import { trainRun } from './train-run.ts';
import { type TrainUi, withUi } from './train-ui.ts';

const examples = `
${scheduleHelp}
Results go to stdout, progress to stderr; the run is kept in runs/.
Ctrl-C stops after the current step and keeps the run's state; a second one stops at once.

Examples:
  heddle train                                      the tutorial's run: 10 epochs, about 71 %
  heddle train --epochs 2 --hidden 256 --lr 0.05
  heddle train --model cnn --optimizer adam --shuffle
  heddle train --optimizer adam --clip-norm 1
  heddle train --lr 0.1 --schedule warmup:steps=500/cosine
  heddle train --resume runs/2026-11-23T22-10-05-mlp --epochs 20
  heddle train --out runs/mine --resume auto        begins it, or goes on with it
  heddle train --init theirs.safetensors --init-prefix module.=linear_relu_stack.
  heddle train --dataset synthetic --epochs 1       without data or network
  heddle train --dataset ./flowers --shuffle        PNG images in ./flowers/train/CLASS, ./flowers/test/CLASS
  heddle train --ui                                 shows the run in a page of this machine
  heddle train --json | jq 'select(.type == "epoch").validation.accuracy'`;

/** Adds the command to the program. */
export function registerTrain(program: Command, session: Session): void {
  const command = program
    .command('train')
    .description('Train a network on FashionMNIST, on the GPU: the tutorial’s, or one with convolutions.')
    .addHelpText('after', examples)
    .action(async (raw: Record<string, unknown>) => {
      const options = checkTrainOptions(raw);
      const given = new Set(Object.keys(raw).filter((name) => command.getOptionValueSource(name) === 'cli'));
      const run = takeUpRun(options, given);
      const optimizer = optimizerFor(run.options);
      const trained = { ...run.options, lr: optimizer.lr };
      session.exitCode = await withUi(options, session, (ui) =>
        train(trained, run.resumed, optimizer, session, ui),
      );
    });
  declareTrain(command);
}

/** Declares the options of `heddle train` on a command. */
export function declareTrain(command: Command): void {
  declare(command, ['model', 'dataset', 'data', 'epochs', 'batchSize', 'lr', 'optimizer', 'schedule']);
  declare(command, ['hidden', 'seed', 'shuffle', 'augment']);
  declare(command, ['momentum', 'nesterov', 'dampening', 'weightDecay', 'betas', 'alpha', 'eps']);
  declare(command, ['clipNorm', 'clipValue', 'limit']);
  declare(command, ['out', 'resume', 'init', 'initPrefix', 'initPartial', 'checkpointEvery', 'keep']);
  declare(command, ['patience', 'maxTime', 'onNan']);
  declare(command, ['logEvery', 'json', 'format', 'ui', 'uiPort', 'adapter', 'plain', 'kernels']);
}

/** What commander collected, checked by itself: without a run to go on with, data or a GPU. Throws `usage`. */
export function checkTrainOptions(raw: Readonly<Record<string, unknown>>): TrainOptions {
  const options = parseOptions(trainOptions, raw);
  if (options.json && options.format !== 'auto') {
    throw new HeddleError('usage', '--json and --format exclude each other: --json is a format of its own');
  }
  checkInit(options);
  return options;
}

async function loadData(options: TrainOptions): Promise<Data> {
  const { train: all, test } = await loadBoth(options);
  const train = options.limit === undefined ? all : take(all, options.limit);
  return { train, test, sums: sumsOf({ train, test }) };
}

/** Says in its run.json that a run is done, when it was killed between its last checkpoint and saying so. */
function markDone({ run, record }: Resumed): void {
  if (record.status === 'done' || isCheckpointFile(run)) return;
  const info: object = JSON.parse(new TextDecoder().decode(readRunFile(run, runFiles.info)));
  writeWhole(
    join(run, runFiles.info),
    Buffer.from(`${JSON.stringify({ ...info, status: 'done' }, null, 2)}\n`),
  );
}

async function train(
  options: TrainOptions,
  resumed: Resumed | undefined,
  optimizer: optim.Optimizer,
  session: Session,
  ui: TrainUi | undefined,
): Promise<number> {
  const clipping = clippingFor(options);
  if (resumed !== undefined && resumed.state.epochs >= options.epochs) {
    markDone(resumed);
    process.stderr.write(
      `${resumed.run} has had its ${count(options.epochs)} epochs; give more by --epochs to go on\n`,
    );
    return 0;
  }
  if (options.out !== undefined) refuseUsed(options.out, options.resume === 'auto');
  const init = readInit(options);
  const early = mayDownload(options) ? undefined : await loadData(options);
  const machine = await openMachine(options);
  try {
    const data = early ?? (await loadData(options));
    if (resumed !== undefined) {
      const { run, record } = resumed;
      const todo = `Name its data by --data, or begin a new run with --init ${shellWord(run)}`;
      refuseOtherData(record, data.sums, { run, todo });
    }
    const { model: name, hidden } = options;
    const { inputShape: input, classes } = data.train;
    const shape: Shape = { model: name, input, hidden, classes: classes.length };
    refuseTooLarge(shape, machine.device.limits.maxStorageBufferBindingSize);
    process.stderr.write(introduction(machine, data, shape));
    process.stderr.write(`${machine.notice}${orderNotice(options)}`);
    if (resumed !== undefined) process.stderr.write(resumptionNotice(machine, resumed, options));
    if (ui !== undefined) process.stderr.write(ui.address);
    const start = { ...(resumed && { resumed }), ...(init && { init }), ...(ui && { ui }) };
    return await trainRun({ options, optimizer, clipping, data, shape, session, ...start }, machine);
  } finally {
    machine.close();
  }
}

function introduction({ device }: Machine, { train: rows, test }: Data, shape: Shape): string {
  const name = rows.name.split('/')[0];
  const data = `${name}: ${count(rows.length)} + ${count(test.length)} images`;
  const model = `${modelText(shape)}: ${count(countParameters(shape))} parameters`;
  return `${syntheticNotice(rows)}${adapterText(device.info)} · ${data} · ${model}\n`;
}

/** Where a run goes on, and what keeps it from going on to the bit. */
function resumptionNotice(
  { device }: Machine,
  { run, record, state }: Resumed,
  options: TrainOptions,
): string {
  const { steps, epochs } = state;
  const lines = [`going on with ${run} after ${count(epochs)} epochs, ${count(steps)} steps`];
  const began = record.adapter?.description ?? device.info.description;
  if (began !== device.info.description)
    lines.push(`it began on ${began}: on another adapter its numbers go on, but not to the bit`);
  const { epochs: before = options.epochs } = record.options;
  if (options.schedule !== undefined && options.epochs !== before)
    lines.push(
      `--schedule ${options.schedule} was made for ${before} epochs, and now is for ${options.epochs}`,
    );
  return lines.map((line) => `${line}\n`).join('');
}
