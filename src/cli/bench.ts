// `heddle bench`: how fast the job of `heddle train` goes on this machine, and where the time goes.

import { type Command, Option } from 'commander';
import type { Trainer } from '../index.ts';
import { firstStep, measureFirstStep } from './bench-first-step.ts';
import { endlessLoader, openTrainer, openWorkshop, shapeOf, type Workshop } from './bench-job.ts';
import { measureEvaluation, measureKernels, type Round, runRound } from './bench-measure.ts';
import { type BenchResult, spreadOf } from './bench-result.ts';
import { resultText, timeText } from './bench-text.ts';
import { modelText } from './model.ts';
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
      if (options.firstStep) await firstStep(options);
      else await bench(options);
      session.exitCode = 0;
    });
  declare(command, ['dataset', 'data', 'batchSize', 'hidden', 'plain', 'adapter', 'rounds', 'steps']);
  declare(command, ['json']);
}

const say = (line: string) => process.stderr.write(`${line}\n`);

async function bench(options: BenchOptions): Promise<void> {
  const workshop = await openWorkshop(options);
  try {
    const trainer = await openTrainer(workshop, options);
    try {
      const result = await measure(options, workshop, trainer);
      process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : resultText(result));
    } finally {
      trainer.destroy();
    }
  } finally {
    workshop.destroy();
  }
}

async function runRounds(options: BenchOptions, workshop: Workshop, trainer: Trainer): Promise<Round[]> {
  const { rounds: wanted, steps, batchSize, json } = options;
  const loader = endlessLoader(workshop.train, batchSize, steps);
  await runRound(workshop.device, trainer, loader);
  const rounds: Round[] = [];
  for (let i = 1; i <= wanted; i++) {
    const round = await runRound(workshop.device, trainer, loader);
    rounds.push(round);
    const { spans: _, ...numbers } = round;
    if (json) process.stdout.write(`${JSON.stringify({ type: 'round', round: i, ...numbers })}\n`);
    say(`round ${i} of ${wanted}: ${timeText(round.step)} a step`);
  }
  return rounds;
}

async function measure(options: BenchOptions, workshop: Workshop, trainer: Trainer): Promise<BenchResult> {
  const { device, sound, train } = workshop;
  const { batchSize, steps } = options;
  const rounds = await runRounds(options, workshop, trainer);
  const few = Math.min(3, rounds.length);
  say('evaluation, GPU times');
  const evaluation = await measureEvaluation(workshop, trainer, { batchSize, repeats: few });
  const kernels = await measureKernels(device, trainer, Math.max(3, Math.min(20, steps)));
  const { dispatches, bytes: deviceBytes } = trainer.describe();
  // Before the children start: their memory is not ours.
  const peak = process.platform === 'darwin' ? null : 1024 * process.resourceUsage().maxRSS;
  say('first steps');
  const times = await measureFirstStep(options, few);

  const step = spreadOf(rounds.map((round) => round.step));
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
    },
    evaluation: { ...evaluation, shareOfEpoch: evaluation.seconds.median / epoch },
    firstStep: times,
    deviceBytes,
    peakBytes: peak,
    kernels,
  };
}
