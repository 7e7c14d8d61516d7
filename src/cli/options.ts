// The command line's options: how they are declared to commander and which values they take.
// A value that is refused throws `usage` in one line that names option, value and expectation.

import type { Command } from 'commander';
import * as v from 'valibot';
import { HeddleError } from '../errors.ts';
import { scheduleSpec } from './schedule.ts';
import { oneOf, positiveNumber, wholeNumber } from './values.ts';

const sizes = 'whole numbers of at least 1, separated by commas, such as 512,512';
const sizeList = v.pipe(
  v.string(),
  v.regex(/^\d+(,\d+)*$/, sizes),
  v.transform((text) => text.split(',').map(Number)),
  v.everyItem((n) => Number.isSafeInteger(n) && n >= 1, sizes),
);

const text = (what: string) => v.pipe(v.string(), v.nonEmpty(what));
const flag = v.optional(v.boolean(), false);
const datasetName = oneOf('fashion-mnist', 'synthetic');

const fields = {
  dataset: datasetName,
  data: v.exactOptional(text('a folder')),
  epochs: wholeNumber(1),
  batchSize: wholeNumber(1),
  lr: positiveNumber,
  optimizer: oneOf('sgd'),
  schedule: v.exactOptional(scheduleSpec),
  hidden: sizeList,
  seed: wholeNumber(0),
  shuffle: flag,
  limit: v.exactOptional(wholeNumber(1)),
  logEvery: wholeNumber(1),
  out: v.exactOptional(text('a folder')),
  json: flag,
  format: oneOf('auto', 'bar', 'pytorch'),
  adapter: v.exactOptional(text('part of an adapter’s name')),
  plain: flag,
  kernels: v.exactOptional(text('default, or the folder of a run')),
};

/** Options of `heddle train`. */
export const trainOptions = v.object(fields);
/** Options of `heddle train`, checked. */
export type TrainOptions = v.InferOutput<typeof trainOptions>;

/** Options of `heddle eval`. What is not given comes from the run. */
export const evalOptions = v.object({
  dataset: v.exactOptional(datasetName),
  data: fields.data,
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
  model: v.exactOptional(text('the folder of a run')),
  report: v.exactOptional(v.union([v.literal(true), text('a file')])),
  json: flag,
});
/** Options of `heddle doctor`, checked. */
export type DoctorOptions = v.InferOutput<typeof doctorOptions>;

/** Options of `heddle plan`. */
export const planOptions = v.object({
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
  | 'model'
  | 'report'
  | keyof TuneOptions
  | Exclude<keyof BenchOptions, 'firstStep'>;

/** Each option as commander and `--help` know it: flags, description, default. */
const declarations: Record<Name, readonly [flags: string, description: string, fallback?: string]> = {
  dataset: ['--dataset <name>', 'fashion-mnist, or synthetic (drawn by a program)', 'fashion-mnist'],
  data: ['--data <dir>', 'folder that has the data set’s files'],
  epochs: ['--epochs <n>', 'passes over the training set', '10'],
  batchSize: ['--batch-size <n>', 'samples in a step', '64'],
  lr: ['--lr <x>', 'learning rate', '1e-3'],
  optimizer: ['--optimizer <name>', 'sgd', 'sgd'],
  schedule: ['--schedule <spec>', 'how the learning rate changes, see below; e.g. cosine or step:size=3'],
  hidden: ['--hidden <sizes>', 'sizes of the hidden layers', '512,512'],
  seed: ['--seed <n>', 'the same numbers as torch.manual_seed(n)', '0'],
  shuffle: ['--shuffle', 'a new order each epoch, as DataLoader(shuffle=True)'],
  limit: ['--limit <n>', 'train on the first n samples only'],
  logEvery: ['--log-every <n>', 'report the loss every n batches', '100'],
  out: ['--out <dir>', 'folder of the run; new or empty (default: "runs/<date>-mlp")'],
  json: ['--json', 'JSON lines on stdout, nothing else'],
  format: ['--format <name>', 'auto, bar, or pytorch (the tutorial’s text)', 'auto'],
  adapter: ['--adapter <name>', 'part of the adapter’s name, where there are several'],
  plain: ['--plain', 'one kernel per operation instead of the fused plan'],
  kernels: ['--kernels <name>', 'default, or a run whose kernel variants to use (default: the tuned ones)'],
  budget: ['--budget <seconds>', 'compile no further variants after so long', '60'],
  forget: ['--forget', 'go back to the untuned variants'],
  model: ['--model <run>', 'check at the shapes of a run’s model (default: the tutorial’s)'],
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

/** Checks what commander collected. Throws `usage` for the first value that is refused. */
export function parseOptions<const Schema extends v.GenericSchema>(
  schema: Schema,
  raw: Readonly<Record<string, unknown>>,
): v.InferOutput<Schema> {
  const result = v.safeParse(schema, raw);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const name = String(issue.path?.[0]?.key ?? '');
  const [flags] = declarations[name as Name] ?? [`--${name}`];
  const option = flags.split(' ')[0];
  throw new HeddleError('usage', `${option}: found '${String(raw[name])}', expected ${issue.message}`);
}
