// The plan of a sweep: which runs it has, under which names and options. Every run's options are checked as `heddle train`
// checks them before anything starts. Pure: no file is read, nothing is run.

import { createHash } from 'node:crypto';
import { Command, type Option } from 'commander';
import * as v from 'valibot';
import { HeddleError } from '../index.ts';
import { clippingFor, optimizerFor } from '../recipes/optimizer.ts';
import type { TrainOptions } from './options.ts';
import type { Configuration } from './sweep-axes.ts';
import { checkTrainOptions, declareTrain } from './train.ts';

/** What a sweep is to run; `sweep.json` is this. */
export const sweepPlan = v.object({
  /** Options of `heddle train` that every run has, as they were given. */
  train: v.array(v.string()),
  /** Names of the options that differ. */
  axes: v.array(v.string()),
  seeds: v.array(v.number()),
  configurations: v.array(v.record(v.string(), v.string())),
});
/** What a sweep is to run. */
export type SweepPlan = v.InferOutput<typeof sweepPlan>;

/** One run of a sweep. */
export interface PlannedRun {
  /** Its number, from 1, and its folder within the sweep's. */
  readonly number: number;
  readonly name: string;
  /** The number of its configuration, from 0. */
  readonly configuration: number;
  readonly seed: number;
  /** What to give to `heddle train`. */
  readonly args: readonly string[];
  /** The options that differ between runs, by the names that run.json has; null for what is left out. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** What a value of an axis says instead of one: a flag is given, an option is left out. */
const [on, off] = ['on', 'off'];

/** Options of `heddle train` that the sweep sets itself. */
const taken: Readonly<Record<string, string>> = {
  seed: '--seed and --seeds of heddle sweep',
  out: '--out of heddle sweep',
  resume: 'none: runs that are not finished go on when the same sweep is started again',
  json: '--json of heddle sweep',
  format: 'none: heddle sweep has its own output',
};

function trainCommand(): Command {
  const command = new Command('train')
    .helpOption(false)
    .exitOverride()
    .configureOutput({ outputError: () => {} });
  declareTrain(command);
  return command;
}

const known = trainCommand().options;
const optionOf = (name: string): Option | undefined => known.find(({ long }) => long === `--${name}`);

/** An axis's option. Throws `usage` for what is none of `heddle train`, and for those that a sweep sets. */
function axisOption(name: string): Option {
  const option = optionOf(name);
  if (Object.hasOwn(taken, name))
    throw new HeddleError('usage', `--grid: found ${name}, expected ${taken[name]}`);
  if (option === undefined)
    throw new HeddleError(
      'usage',
      `--grid: found '${name}', expected an option of heddle train without its dashes, such as lr, batch-size or hidden`,
    );
  return option;
}

function argumentsOf(configuration: Configuration): string[] {
  return Object.entries(configuration).flatMap(([name, value]) => {
    if (value === off) return [];
    if (!axisOption(name).isBoolean()) return [`--${name}`, value];
    if (value === on) return [`--${name}`];
    throw new HeddleError('usage', `--grid: found ${name}=${value}, expected ${name}=${on},${off}`);
  });
}

/** The options of a command line of `heddle train`. Throws as it would. */
function readTrain(args: readonly string[]): TrainOptions {
  const options = checkTrainOptions(trainCommand().parse(args, { from: 'user' }).opts());
  optimizerFor(options);
  clippingFor(options);
  return options;
}

/** Throws `usage` for options after `--` that the sweep sets itself, in every run or as an axis. */
function refuseTaken({ train, axes }: SweepPlan): void {
  const command = trainCommand().parse(train, { from: 'user' });
  const set = (name: string) => command.getOptionValueSource(optionOf(name)?.attributeName() ?? '') === 'cli';
  for (const [name, expected] of Object.entries(taken))
    if (set(name)) throw new HeddleError('usage', `--${name}: found after --, expected ${expected}`);
  const twice = axes.find(set);
  if (twice !== undefined)
    throw new HeddleError('usage', `--${twice}: found after -- and by --grid, expected one of them`);
}

/** A run's folder: its number and what sets it apart, in letters that no shell and no file system minds. */
function nameOf(number: number, described: readonly string[]): string {
  const words = [String(number).padStart(3, '0'), ...described].join('-');
  return words.replace(/[^\w.,=+-]/g, '_').slice(0, 100);
}

/** The runs: configuration by configuration, each by its seeds. Throws what `heddle train` would for any of them. */
export function runsOf(plan: SweepPlan): PlannedRun[] {
  const { train, axes, seeds, configurations } = plan;
  for (const name of axes) axisOption(name);
  refuseTaken(plan);
  return configurations.flatMap((configuration, c) => {
    const args = [...train, ...argumentsOf(configuration)];
    const parsed: Readonly<Record<string, unknown>> = readTrain(args);
    const options = Object.fromEntries(
      axes.map((name) => {
        const key = axisOption(name).attributeName();
        return [key, configuration[name] === off ? null : parsed[key]];
      }),
    );
    return seeds.map((seed, s) => {
      const number = c * seeds.length + s + 1;
      const described = axes.map((name) => `${name}=${configuration[name]}`);
      if (seeds.length > 1) described.push(`seed=${seed}`);
      const name = nameOf(number, described);
      return { number, name, configuration: c, seed, args: [...args, '--seed', String(seed)], options };
    });
  });
}

/** Every `of`-th run from the `index`-th on, from 0. */
export function share<T>(runs: readonly T[], index: number, of: number): T[] {
  return runs.filter((_, i) => i % of === index);
}

/** What keeps a sweep with one plan from going on by another; undefined when it only has fewer runs, or as many. */
export function difference(before: SweepPlan, now: SweepPlan): string | undefined {
  const differ = (a: unknown, b: unknown) => JSON.stringify(a) !== JSON.stringify(b);
  if (differ(before.train, now.train)) return 'other options after --';
  if (differ(before.axes, now.axes)) return 'other axes';
  if (differ(before.seeds, now.seeds)) return 'other seeds';
  const begun = now.configurations.slice(0, before.configurations.length);
  return differ(before.configurations, begun) ? 'other configurations' : undefined;
}

/** A name for the sweep that follows from its plan, so that the same command finds the same folder. */
export function sweepName(plan: SweepPlan): string {
  const sum = createHash('sha256').update(JSON.stringify(plan)).digest('hex').slice(0, 8);
  return [...plan.axes.slice(0, 4), sum].join('-');
}
