// `heddle sweep`: many runs of `heddle train`, over a grid of options or drawn at random, and a table of what they reached.
// Owns the sweep's folder; the runs are processes of their own.

import type { Command } from 'commander';
import * as v from 'valibot';
import { HeddleError } from '../index.ts';
import { parseOptions } from './options.ts';
import type { Session } from './session.ts';
import { commandLine, shellWord } from './shell-words.ts';
import { drawFrom, gridOf, mostConfigurations, parseAxes } from './sweep-axes.ts';
import { type ChildEnd, inParallel, runChild } from './sweep-children.ts';
import { openSweepFolder, readSweepFolder, type SweepFolder } from './sweep-folder.ts';
import { type PlannedRun, runsOf, type SweepPlan, share, sweepName } from './sweep-plan.ts';
import { endedResult, isSettled, type RunResult, standingResult, summaries, tally } from './sweep-results.ts';
import { sweepProgress, sweepTable, tallyText } from './sweep-text.ts';
import { oneOf, wholeNumber } from './values.ts';

const examples = `
What stands after -- goes to every \`heddle train\` as it is. An axis is one of its options, without dashes, and its values:
  lr=1e-3,1e-2            separated by commas, or by ; where there is one: hidden=128;512,512 has two values
  nesterov=on,off         a flag; off leaves any option out: schedule=off;cosine
  momentum=0..0.95        a range, for --random: evenly spread
  lr=log:1e-4..1e-1       its logarithms evenly spread
  hidden=int:64..512      whole numbers; log:int: for both
Repeat r of a configuration is trained with seed + r - 1. A run is its command line: the table ends with that of the best.

The same command again goes on where it was: what is done is not repeated, nor what diverged. The best epoch of each run
is chosen by the test set, and the best run too, so the winner's accuracy flatters it; more --seeds show how much is luck.
Runs share the GPU, so --jobs above 1 makes each slower; it pays where one run alone leaves much of the machine idle.

In an array job each task takes its share: --index K --of N, or --index auto, which is SLURM_ARRAY_TASK_ID or Kubernetes'
JOB_COMPLETION_INDEX. --report then sums up all. See src/cli/README.md.

Exit codes: 0 when a run is done and none failed (those that diverged are no failures), 1 otherwise, 3 no usable GPU.

Examples:
  heddle sweep --grid lr=1e-3,1e-2,1e-1 --grid optimizer=sgd,adam --seeds 3 -- --epochs 5
  heddle sweep --grid lr=log:1e-4..1 --grid 'hidden=128;512,512' --random 20 --out sweeps/mine -- --shuffle
  heddle sweep --out sweeps/mine --report`;

const sweepOptions = v.object({
  grid: v.optional(v.array(v.string()), []),
  random: v.exactOptional(wholeNumber(1)),
  seed: wholeNumber(0),
  seeds: wholeNumber(1),
  jobs: wholeNumber(1),
  out: v.exactOptional(v.pipe(v.string(), v.nonEmpty('a folder'))),
  index: v.exactOptional(v.union([oneOf('auto'), wholeNumber(0)], 'a whole number of at least 0, or auto')),
  of: v.exactOptional(wholeNumber(1)),
  report: v.optional(v.boolean(), false),
  json: v.optional(v.boolean(), false),
});
type SweepOptions = v.InferOutput<typeof sweepOptions>;

/** Adds the command to the program. */
export function registerSweep(program: Command, session: Session): void {
  program
    .command('sweep')
    .description('Train over a grid of options, or over options drawn at random, and compare.')
    .argument('[train options...]', 'after --: options of heddle train, for every run')
    .option('--grid <axis>', 'NAME=VALUES, an option that differs; may be given several times', collect)
    .option('--random <n>', 'draw n configurations instead of trying all')
    .option('--seed <n>', 'of the drawing, and of each configuration’s first run', '0')
    .option('--seeds <n>', 'runs of each configuration, with different seeds', '1')
    .option('--jobs <n>', 'runs at a time; they share the GPU', '1')
    .option('--out <dir>', 'folder of the sweep (default: a name in sweeps/ that follows from the options)')
    .option('--index <k>', 'do a share of the runs: every Nth from this one on, from 0; or auto')
    .option('--of <n>', 'how many shares there are')
    .option('--report', 'run nothing; sum up what is in --out')
    .option('--json', 'JSON lines on stdout, nothing else')
    .addHelpText('after', examples)
    .action(async (train: string[], raw: Record<string, unknown>) => {
      const options = parseOptions(sweepOptions, raw);
      session.exitCode = options.report ? report(options, train) : await sweep(options, train, session);
    });
}

const collect = (text: string, before: readonly string[] = []) => [...before, text];

function usage(message: string): HeddleError {
  return new HeddleError('usage', message);
}

/** Which share of the runs is ours. Throws `usage`. */
export function shareOf(
  { index, of }: Pick<SweepOptions, 'index' | 'of'>,
  env: NodeJS.ProcessEnv,
): { readonly index: number; readonly of: number } | undefined {
  if (index === undefined && of === undefined) return undefined;
  if (index === undefined || of === undefined)
    throw usage('--index and --of: found one of them, expected both');
  let number = index;
  if (number === 'auto') {
    const text = env.SLURM_ARRAY_TASK_ID ?? env.JOB_COMPLETION_INDEX ?? '';
    if (!/^\d+$/.test(text))
      throw usage(
        `--index: found auto with '${text}' in the environment, expected a number in SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX`,
      );
    number = Number(text);
  }
  if (number >= of)
    throw usage(`--index: found ${number}, expected a number from 0 to ${of - 1}, below --of`);
  return { index: number, of };
}

function planOf({ grid, random, seed, seeds }: SweepOptions, train: readonly string[]): SweepPlan {
  const axes = parseAxes(grid);
  if (axes.length === 0 && (seeds === 1 || random !== undefined))
    throw usage('--grid: found none, expected an axis such as lr=1e-3,1e-2, or --seeds above 1');
  if (!Number.isSafeInteger(seed + seeds)) throw usage(`--seed: found ${seed}, expected less`);
  const within = (count: number) => {
    if (count * seeds > mostConfigurations)
      throw usage(
        `found ${count} configurations with ${seeds} seeds each, expected at most ${mostConfigurations} runs`,
      );
  };
  within(random ?? 1);
  const configurations = random === undefined ? gridOf(axes) : drawFrom(axes, random, seed);
  within(configurations.length);
  return {
    train: [...train],
    axes: axes.map(({ name }) => name),
    seeds: Array.from({ length: seeds }, (_, repeat) => seed + repeat),
    configurations: configurations.map((configuration) => ({ ...configuration })),
  };
}

/** Says what came of the runs, on stdout; the sweep's exit code. */
function conclude(
  plan: SweepPlan,
  folder: Pick<SweepFolder, 'path' | 'keep'>,
  runs: readonly PlannedRun[],
  results: ReadonlyMap<string, RunResult>,
  json: boolean,
): number {
  const pairs = runs.flatMap((run) => {
    const result = results.get(run.name);
    return result === undefined ? [] : [[run, result] as const];
  });
  const summed = summaries(pairs);
  const counts = tally([...results.values()]);
  const [winner] = summed;
  const first = runs.find(({ number }) => number === winner?.numbers[0]);
  const best =
    winner?.accuracy == null || first === undefined
      ? null
      : {
          options: first.options,
          accuracy: winner.accuracy,
          spread: winner.spread,
          loss: winner.loss,
          runs: winner.runs.map(({ run }) => run),
          command: commandLine(['heddle', 'train', ...first.args]),
        };
  const line = { type: 'sweep', out: folder.path, runs: runs.length, ...counts, best } as const;
  folder.keep([line]);
  if (json) process.stdout.write(`${JSON.stringify(line)}\n`);
  else if (pairs.length > 0) {
    process.stdout.write(sweepTable(summed, plan.axes, plan.seeds.length));
    process.stdout.write(`\n${tallyText(counts)}, in ${folder.path}\n`);
    if (best !== null) process.stdout.write(`best: ${best.command}\n`);
  }
  const good = counts.failed === 0 && counts.done + counts.unfinished > 0;
  return good || pairs.length === 0 ? 0 : 1;
}

function report(options: SweepOptions, train: readonly string[]): number {
  const { out, json, grid, random, index, of } = options;
  if (out === undefined) throw usage('--report: found without --out, expected the folder of a sweep');
  if (train.length > 0 || grid.length > 0 || [random, index, of].some((value) => value !== undefined))
    throw usage('--report: found with options of a sweep, expected with --out and --json alone');
  const { plan, kept } = readSweepFolder(out);
  const runs = runsOf(plan);
  const results = new Map(runs.map((run) => [run.name, standingResult(out, run, kept.get(run.name))]));
  if (json) for (const result of results.values()) process.stdout.write(`${JSON.stringify(result)}\n`);
  conclude(plan, { path: out, keep: () => {} }, runs, results, json);
  return 0;
}

/** The exit code by which `heddle train` says that there is no usable GPU: no other run would find one. */
const noAdapter = 3;

async function sweep(options: SweepOptions, train: readonly string[], session: Session): Promise<number> {
  const { jobs, json } = options;
  const { watch } = session;
  const ours = shareOf(options, process.env);
  const plan = planOf(options, train);
  const all = runsOf(plan);
  const runs = ours === undefined ? all : share(all, ours.index, ours.of);
  const folder = openSweepFolder(options.out ?? `sweeps/${sweepName(plan)}`, plan, ours?.index);
  try {
    watch.graceful();
    const results = new Map<string, RunResult>();
    const keep = (found: readonly (readonly [string, RunResult])[]) => {
      for (const [name, result] of found) results.set(name, result);
      folder.keep(found.map(([, result]) => result));
      if (json) for (const [, result] of found) process.stdout.write(`${JSON.stringify(result)}\n`);
    };
    const standing = runs.map(
      (run) => [run.name, standingResult(folder.path, run, folder.kept.get(run.name))] as const,
    );
    keep(standing.filter(([, result]) => isSettled(result)));
    const part = ours === undefined ? '' : `, share ${ours.index} of ${ours.of} of ${all.length}`;
    const before = results.size === 0 ? '' : `, ${results.size} of them ended before`;
    process.stderr.write(`${runs.length} runs${part}${before}, ${jobs} at a time, in ${folder.path}\n`);
    const left = runs.filter(({ name }) => !results.has(name));
    const progress = sweepProgress(process.stderr, runs.length, tally([...results.values()]));
    const gone = new AbortController();
    await inParallel(left, jobs, AbortSignal.any([watch.signal, gone.signal]), async (run) => {
      const { name } = run;
      progress.begin(name);
      const end = await runOne(folder.path, run, session, (news) => progress.epoch(name, news));
      const result = endedResult(folder.path, run, end);
      if (watch.signal.aborted && result.status !== 'done') return progress.drop(name);
      keep([[name, result]]);
      progress.end(name, result);
      if (end.code === noAdapter) gone.abort();
    });
    progress.close();
    const { reason } = watch;
    if (reason !== undefined) {
      const done = tallyText(tally([...results.values()]));
      if (reason.name !== 'EPIPE')
        process.stderr.write(
          `heddle sweep: stopped by ${reason.name} with ${done} of ${runs.length} runs; the same command goes on\n`,
        );
      return reason.code;
    }
    const code = conclude(plan, folder, runs, results, json);
    if (ours !== undefined && !json)
      process.stderr.write(`heddle sweep --out ${shellWord(folder.path)} --report sums up all shares\n`);
    return gone.signal.aborted ? noAdapter : code;
  } finally {
    folder.close();
  }
}

function runOne(
  out: string,
  { name, args }: PlannedRun,
  { watch }: Session,
  onEpoch: Parameters<typeof runChild>[2],
): Promise<ChildEnd> {
  const where = ['--out', `${out}/${name}`, '--resume', 'auto', '--json'];
  const stop = {
    signal: watch.signal,
    name: () => (watch.reason?.name === 'SIGINT' ? 'SIGINT' : 'SIGTERM') as NodeJS.Signals,
  };
  return runChild(['train', ...args, ...where], stop, onEpoch);
}
