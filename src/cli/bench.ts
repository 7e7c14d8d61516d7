// `heddle bench`: how fast the job of `heddle train` goes on this machine, and where the time goes.

import { type Command, Option } from 'commander';
import { HeddleError, type Trainer } from '../index.ts';
import { modelText } from '../recipes/model.ts';
import { traceOf } from '../recipes/trace.ts';
import { variantsUsed } from '../recipes/variants.ts';
import {
  againstText,
  compareResults,
  differences,
  readResult,
  refuseUnwritable,
  writeJson,
} from './bench-against.ts';
import { firstStep, measureFirstStep } from './bench-first-step.ts';
import { endlessLoader, openTrainer, openWorkshop, shapeOf, type Workshop } from './bench-job.ts';
import { forwardProducts, measureEvaluation, measureKernels, type Round, runRound } from './bench-measure.ts';
import { comparePeer, openTorch, type Peer } from './bench-peer.ts';
import { type BenchResult, spreadOf } from './bench-result.ts';
import { measureSizes } from './bench-sizes.ts';
import { resultText, timeText } from './bench-text.ts';
import { hasThreads, withThreads } from './bench-threads.ts';
import { type BenchOptions, benchOptions, declare, parseOptions } from './options.ts';
import type { Session } from './session.ts';
import { adapterText } from './sinks.ts';
import { versions } from './versions.ts';

const examples = `
Trains as \`heddle train\` does, in rounds, and prints medians with the lowest and highest of them: a step, what the host
does for it, CPU, memory, evaluation, the time to the first step, and the GPU time of every dispatch.
Results go to stdout, progress to stderr.

Examples:
  heddle bench
  heddle bench --plain --batch-size 256 --hidden 1024,1024
  heddle bench --peer torch --threads 1             beside PyTorch, one core for each
  heddle bench --save before.json                  and, after a change:
  heddle bench --against before.json
  heddle bench --sizes --trace steps.json          open the trace in ui.perfetto.dev
  heddle bench --json | tail -n 1 | jq .secondsPerStep`;

/** Adds the command to the program. */
export function registerBench(program: Command, session: Session): void {
  const command = program
    .command('bench')
    .description('Measure training on this machine: steps, kernels, host, memory.')
    .addHelpText('after', examples)
    .addOption(new Option('--first-step').hideHelp())
    .action(async (raw: Record<string, unknown>) => {
      const options = parseOptions(benchOptions, raw);
      session.exitCode = await dispatch(options, session);
    });
  declare(command, [
    'model',
    'dataset',
    'data',
    'batchSize',
    'hidden',
    'plain',
    'kernels',
    'adapter',
    'rounds',
    'steps',
  ]);
  declare(command, ['peer', 'threads', 'sizes', 'save', 'against', 'trace', 'json']);
}

async function dispatch(options: BenchOptions, session: Session): Promise<number> {
  if (options.firstStep) {
    await firstStep(options);
    return 0;
  }
  if (options.threads !== undefined && !hasThreads(options.threads)) {
    session.watch.dispose(); // the child has the signals
    return withThreads(options.threads);
  }
  await bench(options);
  return 0;
}

const say = (line: string) => process.stderr.write(`${line}\n`);

async function bench(options: BenchOptions): Promise<void> {
  if (options.model !== 'mlp' && (options.peer !== undefined || options.sizes)) {
    const option = options.peer === undefined ? '--sizes' : '--peer';
    throw new HeddleError(
      'usage',
      `${option} and --model ${options.model} exclude each other: expected the mlp`,
    );
  }
  refuseUnwritable('--save', options.save);
  refuseUnwritable('--trace', options.trace);
  const earlier = options.against === undefined ? undefined : readResult(options.against);
  const workshop = await openWorkshop(options);
  let peer: Peer | undefined;
  try {
    const trainer = await openTrainer(workshop, options);
    try {
      if (options.peer === 'torch') peer = await openTorch(options, workshop.train);
      const result = await measure(options, workshop, trainer, peer);
      report(options, result, earlier);
    } finally {
      trainer.destroy();
    }
  } finally {
    peer?.close();
    workshop.destroy();
  }
}

/** Prints the result, and its comparison with an earlier one; keeps it where it is to be kept. */
function report(options: BenchOptions, result: BenchResult, earlier: BenchResult | undefined): void {
  const { json, save, against = '' } = options;
  const { stdout } = process;
  if (earlier !== undefined && json) {
    const figures = compareResults(result, earlier);
    stdout.write(
      `${JSON.stringify({ type: 'against', file: against, differences: differences(result, earlier), figures })}\n`,
    );
  }
  stdout.write(json ? `${JSON.stringify(result)}\n` : resultText(result)); // in JSON the result comes last
  if (earlier !== undefined && !json) stdout.write(`\n${againstText(result, earlier, against)}`);
  if (save !== undefined) writeJson('--save', save, result);
}

/** Warming up takes at least so long, in ms, but no more rounds than these: caches, clocks and chunk sizes settle. */
const [warmUpTime, warmUpRounds] = [1000, 5];

/** The measured rounds, each with the peer's seconds for a step when there is one: ours and theirs take turns to go first. */
async function runRounds(options: BenchOptions, workshop: Workshop, trainer: Trainer, peer?: Peer) {
  const { rounds: wanted, steps, batchSize, json } = options;
  const loader = endlessLoader(workshop.train, batchSize, steps);
  const ours = () => runRound(workshop.device, trainer, loader);
  const started = performance.now();
  for (let i = 0; i < warmUpRounds && performance.now() - started < warmUpTime; i++) await ours();
  await peer?.run(steps);
  const rounds: Round[] = [];
  const theirs: number[] = [];
  for (let i = 1; i <= wanted; i++) {
    const first = i % 2 === 0 ? await peer?.run(steps) : undefined;
    const round = await ours();
    const other = first ?? (await peer?.run(steps));
    rounds.push(round);
    const { spans: _, ...numbers } = round;
    const beside = other === undefined ? {} : { peer: other };
    if (other !== undefined) theirs.push(other);
    if (json) process.stdout.write(`${JSON.stringify({ type: 'round', round: i, ...numbers, ...beside })}\n`);
    const versus = other === undefined ? '' : `, ${peer?.name} ${timeText(other)}`;
    say(`round ${i} of ${wanted}: ${timeText(round.step)} a step${versus}`);
  }
  return { rounds, theirs };
}

async function measure(
  options: BenchOptions,
  workshop: Workshop,
  trainer: Trainer,
  peer: Peer | undefined,
): Promise<BenchResult> {
  const { device, sound, train } = workshop;
  const { batchSize, steps } = options;
  const { rounds, theirs } = await runRounds(options, workshop, trainer, peer);
  const few = Math.min(3, rounds.length);
  say('evaluation, GPU times');
  const evaluation = await measureEvaluation(workshop, trainer, { batchSize, repeats: few });
  const kernels = await measureKernels(device, trainer, Math.max(3, Math.min(20, steps)));
  const { dispatches, bytes: deviceBytes } = trainer.describe();
  const ours = rounds.map((round) => round.step);
  const beside =
    peer === undefined
      ? undefined
      : await comparePeer(peer, {
          ours,
          theirs,
          products: forwardProducts(dispatches, kernels),
          hidden: options.hidden,
        });
  // Before the children start: their memory is not ours.
  const peak = process.platform === 'darwin' ? null : 1024 * process.resourceUsage().maxRSS;
  if (options.trace !== undefined)
    writeJson(
      '--trace',
      options.trace,
      traceOf(
        rounds.map(({ spans }) => spans),
        kernels,
      ),
    );
  const sizes = options.sizes ? await measureSizes(workshop, options.hidden, say) : undefined;
  say('first steps');
  const times = await measureFirstStep(options, Math.ceil(few / 2));

  const step = spreadOf(ours);
  const threads = rounds.flatMap(({ javascript }) => (javascript === null ? [] : [javascript]));
  const epoch = step.median * Math.ceil(train.length / batchSize);
  return {
    type: 'bench',
    secondsPerStep: step.median,
    adapter: adapterText(device.info),
    backend: device.info.backend,
    software: device.info.software,
    versions: versions(),
    dataset: options.dataset,
    synthetic: train.synthetic,
    model: modelText(shapeOf(workshop, options)),
    parameters: trainer.parameterCount,
    batchSize,
    plain: sound.choice.plain,
    avoided: [...sound.choice.avoid],
    variants: variantsUsed(dispatches),
    threads: options.threads ?? null,
    rounds: rounds.length,
    steps,
    step,
    imagesPerSecond: batchSize / step.median,
    host: spreadOf(rounds.map(({ host }) => host)),
    dispatchesPerStep: dispatches.length,
    submitsPerStep: spreadOf(rounds.map(({ submits }) => submits)).median / steps,
    cpu: {
      javascript: threads.length === 0 ? null : spreadOf(threads).median,
      process: spreadOf(rounds.map((round) => round.process)).median,
      others: spreadOf(rounds.map(({ others }) => others)).median,
    },
    evaluation: { ...evaluation, shareOfEpoch: evaluation.seconds.median / epoch },
    firstStep: times,
    deviceBytes,
    peakBytes: peak,
    kernels,
    ...(beside === undefined ? {} : { peer: beside }),
    ...(sizes === undefined ? {} : { sizes }),
  };
}
