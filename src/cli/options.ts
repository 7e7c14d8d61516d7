// The command line's options: how they are declared to commander and which values they take.
// A value that is refused throws `usage` in one line that names option, value and expectation.

import type { Command } from 'commander';
import * as v from 'valibot';
import { HeddleError } from '../errors.ts';
import { modelNames } from '../recipes/model.ts';
import { optimizerNames } from '../recipes/optimizer.ts';
import { nonFiniteWays } from '../recipes/record.ts';
import { scheduleSpec } from './schedule.ts';
import { decimal, duration, oneOf, portNumber, positiveNumber, wholeNumber } from './values.ts';

const atLeastZero = v.pipe(
  v.string(),
  v.regex(decimal, 'a number of at least 0'),
  v.transform(Number),
  v.check((n) => Number.isFinite(Math.fround(n)), 'a number that float32 can hold'),
);

const pair = 'two numbers of at least 0 and below 1, separated by a comma, such as 0.9,0.999';
const betaPair = v.pipe(
  v.string(),
  v.check((text) => text.split(',').length === 2 && text.split(',').every((one) => decimal.test(one)), pair),
  v.transform((text) => text.split(',').map(Number) as [number, number]),
  v.everyItem((n) => n < 1, pair),
);

const sizes = 'whole numbers of at least 1, separated by commas, such as 512,512';
const sizeList = v.pipe(
  v.string(),
  v.regex(/^\d+(,\d+)*$/, sizes),
  v.transform((text) => text.split(',').map(Number)),
  v.everyItem((n) => Number.isSafeInteger(n) && n >= 1, sizes),
);

const text = (what: string) => v.pipe(v.string(), v.nonEmpty(what));
const flag = v.optional(v.boolean(), false);

/** Data sets that are files under known names. */
export const fileSetNames = ['fashion-mnist', 'mnist', 'kmnist'] as const;
/** Whether a data set is a folder of pictures; a slash tells it from a name. */
export const isFolder = (dataset: string) => /[\\/]/.test(dataset);
const named: readonly string[] = [...fileSetNames, 'synthetic'];
const datasetName = v.pipe(
  v.string(),
  v.check(
    (name) => named.includes(name) || isFolder(name),
    `one of ${named.join(', ')}, or a folder, written with a slash, such as ./flowers`,
  ),
);

const augmentations = 'flip, crop, or both separated by a comma';
const augmentList = v.pipe(
  v.string(),
  v.transform((text) => text.split(',')),
  v.array(v.picklist(['flip', 'crop'], augmentations)),
  v.check((names) => new Set(names).size === names.length, augmentations),
);

const fields = {
  model: oneOf(...modelNames),
  dataset: datasetName,
  data: v.exactOptional(text('a folder')),
  epochs: wholeNumber(1),
  batchSize: wholeNumber(1),
  lr: v.exactOptional(positiveNumber),
  optimizer: oneOf(...optimizerNames),
  momentum: v.exactOptional(atLeastZero),
  nesterov: flag,
  dampening: v.exactOptional(atLeastZero),
  weightDecay: v.exactOptional(atLeastZero),
  betas: v.exactOptional(betaPair),
  alpha: v.exactOptional(atLeastZero),
  eps: v.exactOptional(atLeastZero),
  clipNorm: v.exactOptional(positiveNumber),
  clipValue: v.exactOptional(positiveNumber),
  schedule: v.exactOptional(scheduleSpec),
  hidden: sizeList,
  seed: wholeNumber(0),
  shuffle: flag,
  augment: v.exactOptional(augmentList),
  limit: v.exactOptional(wholeNumber(1)),
  logEvery: wholeNumber(1),
  out: v.exactOptional(text('a folder')),
  json: flag,
  format: oneOf('auto', 'bar', 'pytorch'),
  adapter: v.exactOptional(text('part of an adapter’s name')),
  plain: flag,
  kernels: v.exactOptional(text('default, or the folder of a run')),
  resume: v.exactOptional(text('the folder of a run, or auto')),
  init: v.exactOptional(text('a safetensors file, or the folder of a run')),
  initPrefix: v.exactOptional(text('the beginning of the file’s keys, such as module. or module.=net.')),
  initPartial: flag,
  checkpointEvery: v.exactOptional(wholeNumber(1)),
  keep: v.optional(wholeNumber(0), '0'),
  patience: v.exactOptional(wholeNumber(1)),
  maxTime: v.exactOptional(duration),
  onNan: v.optional(oneOf(...nonFiniteWays), 'stop'),
  ui: v.exactOptional(v.boolean()),
  uiPort: v.exactOptional(portNumber),
};

/** Options of `heddle train`. */
export const trainOptions = v.object(fields);
/** Options of `heddle train`, checked. */
export type TrainOptions = v.InferOutput<typeof trainOptions>;

/** Options of `heddle eval`. What is not given comes from the run. */
export const evalOptions = v.object({
  dataset: v.exactOptional(datasetName),
  data: fields.data,
  weights: v.exactOptional(oneOf('last', 'best')),
  adapter: fields.adapter,
  json: flag,
  plain: flag,
});
/** Options of `heddle eval`, checked. */
export type EvalOptions = v.InferOutput<typeof evalOptions>;

/** Options of `heddle doctor`. */
export const doctorOptions = v.object({
  data: fields.data,
  adapter: fields.adapter,
  model: v.exactOptional(text('mlp, lenet, cnn, or the folder of a run')),
  report: v.exactOptional(v.union([v.literal(true), text('a file')])),
  json: flag,
});
/** Options of `heddle doctor`, checked. */
export type DoctorOptions = v.InferOutput<typeof doctorOptions>;

/** Options of `heddle plan`. */
export const planOptions = v.object({
  model: fields.model,
  batchSize: fields.batchSize,
  hidden: fields.hidden,
  adapter: fields.adapter,
  json: flag,
  plain: flag,
  kernels: fields.kernels,
});
/** Options of `heddle plan`, checked. */
export type PlanOptions = v.InferOutput<typeof planOptions>;

/** Options of `heddle tune`. */
export const tuneOptions = v.object({
  model: fields.model,
  batchSize: fields.batchSize,
  hidden: fields.hidden,
  plain: flag,
  adapter: fields.adapter,
  budget: wholeNumber(1),
  forget: flag,
  json: flag,
});
/** Options of `heddle tune`, checked. */
export type TuneOptions = v.InferOutput<typeof tuneOptions>;

/** Options of `heddle bench`. */
export const benchOptions = v.object({
  model: fields.model,
  dataset: fields.dataset,
  data: fields.data,
  batchSize: fields.batchSize,
  hidden: fields.hidden,
  plain: flag,
  kernels: fields.kernels,
  adapter: fields.adapter,
  rounds: wholeNumber(1),
  steps: wholeNumber(1),
  peer: v.exactOptional(oneOf('torch')),
  threads: v.exactOptional(wholeNumber(1)),
  sizes: flag,
  save: v.exactOptional(text('a file')),
  against: v.exactOptional(text('a file that --save wrote')),
  trace: v.exactOptional(text('a file')),
  json: flag,
  firstStep: flag,
});
/** Options of `heddle bench`, checked. */
export type BenchOptions = v.InferOutput<typeof benchOptions>;

type Name =
  | keyof typeof fields
  | 'checked'
  | 'weights'
  | 'report'
  | keyof TuneOptions
  | Exclude<keyof BenchOptions, 'firstStep'>;

/** Each option as commander and `--help` know it: flags, description, default. */
const declarations: Record<Name, readonly [flags: string, description: string, fallback?: string]> = {
  model: ['--model <name>', 'mlp (the tutorial’s), lenet or cnn (with convolutions)', 'mlp'],
  dataset: [
    '--dataset <name>',
    'fashion-mnist, mnist, kmnist, synthetic (drawn by a program), or a folder such as ./flowers',
    'fashion-mnist',
  ],
  data: ['--data <dir>', 'folder that has the data set’s files'],
  epochs: ['--epochs <n>', 'passes over the training set', '10'],
  batchSize: ['--batch-size <n>', 'samples in a step', '64'],
  lr: ['--lr <x>', 'learning rate (default: 1e-3; of rmsprop and adagrad 1e-2)'],
  optimizer: ['--optimizer <name>', 'sgd, adam, adamw, rmsprop or adagrad', 'sgd'],
  momentum: ['--momentum <x>', 'of sgd and rmsprop (default: 0)'],
  nesterov: ['--nesterov', 'Nesterov’s momentum, of sgd'],
  dampening: ['--dampening <x>', 'of the momentum of sgd (default: 0)'],
  weightDecay: ['--weight-decay <x>', 'towards 0 (default: 0; of adamw 0.01)'],
  betas: ['--betas <x,y>', 'of adam and adamw (default: 0.9,0.999)'],
  alpha: ['--alpha <x>', 'of rmsprop (default: 0.99)'],
  eps: ['--eps <x>', 'of all but sgd (default: 1e-8; of adagrad 1e-10)'],
  clipNorm: ['--clip-norm <x>', 'make gradients smaller, all together, down to this norm'],
  clipValue: ['--clip-value <x>', 'keep every gradient within plus or minus this'],
  schedule: ['--schedule <spec>', 'how the learning rate changes, see below; e.g. cosine or step:size=3'],
  hidden: ['--hidden <sizes>', 'sizes of the mlp’s hidden layers', '512,512'],
  seed: ['--seed <n>', 'the same numbers as torch.manual_seed(n)', '0'],
  shuffle: ['--shuffle', 'a new order each epoch, as DataLoader(shuffle=True)'],
  augment: ['--augment <names>', 'flip, crop: mirror and move the training images at random'],
  limit: ['--limit <n>', 'train on the first n samples only'],
  logEvery: ['--log-every <n>', 'report the loss every n batches', '100'],
  out: ['--out <dir>', 'folder of the run; new or empty (default: "runs/<date>-<model>")'],
  json: ['--json', 'JSON lines on stdout, nothing else'],
  format: ['--format <name>', 'auto, bar, or pytorch (the tutorial’s text)', 'auto'],
  adapter: ['--adapter <name>', 'part of the adapter’s name, where there are several'],
  plain: ['--plain', 'one kernel per operation instead of the fused plan'],
  kernels: ['--kernels <name>', 'default, or a run whose kernel variants to use (default: the tuned ones)'],
  resume: [
    '--resume <run>',
    'go on with a run, bit for bit; auto: with --out’s, or the newest unfinished one',
  ],
  init: ['--init <file>', 'begin with the weights of a safetensors file (or run), PyTorch’s too'],
  initPrefix: ['--init-prefix <old[=new]>', 'what that file’s keys begin with, and what it stands for here'],
  initPartial: ['--init-partial', 'take what fits of that file, and list what does not'],
  checkpointEvery: ['--checkpoint-every <n>', 'a checkpoint every n steps too, not only each epoch'],
  keep: ['--keep <n>', 'keep the checkpoints of the last n epochs too', '0'],
  patience: ['--patience <n>', 'stop after n epochs without a better test accuracy'],
  maxTime: [
    '--max-time <time>',
    'stop in order so long after the start, e.g. 90s, 30m, 2h; --resume goes on',
  ],
  onNan: ['--on-nan <what>', 'stop; restore (last checkpoint, half the learning rate); ignore', 'stop'],
  ui: ['--ui', 'show the run live in a page of this machine'],
  uiPort: ['--ui-port <n>', 'its port; 0: a free one (default: 8417, or a free one)'],
  budget: ['--budget <seconds>', 'compile no further variants after so long', '60'],
  forget: ['--forget', 'go back to the untuned variants'],
  weights: ['--weights <name>', 'last, or best: those with the best test accuracy', 'last'],
  checked: ['--model <name>', 'mlp, lenet, cnn, or a run whose model to check (default: the tutorial’s)'],
  report: ['--report [file]', 'a text to paste into an issue, on stdout or into a file'],
  rounds: ['--rounds <n>', 'rounds to measure, after a warm-up', '7'],
  steps: ['--steps <n>', 'training steps in a round', '100'],
  peer: ['--peer <name>', 'torch: the same job in PyTorch, in turn with ours'],
  threads: ['--threads <n>', 'CPU threads (and on Linux, cores) of a software driver and of the peer'],
  sizes: ['--sizes', 'also batches of 16 to 4096, and hidden layers of 128 to 4096'],
  save: ['--save <file>', 'keep the result as JSON'],
  against: ['--against <file>', 'compare with a result that was kept'],
  trace: ['--trace <file>', 'a timeline of the rounds for Perfetto or chrome://tracing'],
};

/** Declares options on a command. `without` leaves the defaults out of those named. */
export function declare(command: Command, names: readonly Name[], without: readonly Name[] = []): Command {
  for (const name of names) {
    const [flags, description, fallback] = declarations[name];
    command.option(flags, description, without.includes(name) ? undefined : fallback);
  }
  return command;
}

/** An option's flag, such as `--batch-size`. */
export const flagOf = (name: string): string =>
  (declarations[name as Name]?.[0] ?? `--${name}`).split(' ')[0] as string;

/** Checks what commander collected. Throws `usage` for the first value that is refused. */
export function parseOptions<const Schema extends v.GenericSchema>(
  schema: Schema,
  raw: Readonly<Record<string, unknown>>,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, raw);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const name = String(issue.path?.[0]?.key ?? '');
  throw new HeddleError('usage', `${flagOf(name)}: found '${String(raw[name])}', expected ${issue.message}`);
}
