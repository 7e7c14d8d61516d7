// `--sizes`: the step at other batch sizes and at other widths, visited in turn over a few rounds, each for a bounded time.

import { HeddleError, type Trainer } from '../index.ts';
import { endlessLoader, openTrainer, type Workshop } from './bench-job.ts';
import { runRound, stepFlops } from './bench-measure.ts';
import { type SizeResult, type Spread, spreadOf } from './bench-result.ts';

const batchSizes = [16, 64, 256, 1024, 4096];
const widths = [128, 512, 1024, 2048, 4096];
/** Batch of the sweep over widths. */
const usualBatch = 64;

/** Seconds that one size may take in all, and rounds that they are spread over. */
const budget = 3;
const rounds = 3;
/** Steps beyond which another tells nothing new. */
const mostSteps = 200;
const settlingSteps = 50;

/** A size to measure. */
export type Size = Pick<SizeResult, 'sweep' | 'batchSize' | 'hidden'>;

/** The sizes of both sweeps: batches at the given widths, then widths for as many hidden layers as are given. */
export function sizesFor(hidden: readonly number[]): Size[] {
  return [
    ...batchSizes.map((batchSize) => ({ sweep: 'batch' as const, batchSize, hidden: [...hidden] })),
    ...widths.map((width) => ({
      sweep: 'hidden' as const,
      batchSize: usualBatch,
      hidden: hidden.map(() => width),
    })),
  ];
}

interface Ready {
  readonly size: Size;
  readonly trainer: Trainer | undefined;
  readonly skipped: string | null;
  readonly flops: number;
  /** Steps at each visit. */
  readonly steps: number;
  readonly seconds: number[];
}

/** Makes a size's trainer and finds how many steps fit the time; says why where there is no measuring it. */
async function prepare(workshop: Workshop, size: Size): Promise<Ready> {
  const nothing = { size, trainer: undefined, flops: 0, steps: 0, seconds: [] };
  let trainer: Trainer | undefined;
  try {
    trainer = await openTrainer(workshop, { model: 'mlp', ...size });
    const visit = (steps: number) =>
      runRound(workshop.device, trainer as Trainer, endlessLoader(workshop.train, size.batchSize, steps));
    await visit(1); // pays for what drivers put off until a kernel first runs
    const { step } = await visit(1);
    if (step > budget) {
      trainer.destroy();
      return {
        ...nothing,
        skipped: `a step takes ${step.toFixed(1)} s, more than the ${budget} s for a size`,
      };
    }
    const steps = Math.max(1, Math.min(mostSteps, Math.floor(budget / rounds / step)));
    await visit(Math.min(steps, settlingSteps)); // the scheduler finds its chunk size
    return {
      size,
      trainer,
      skipped: null,
      flops: stepFlops(trainer.describe().dispatches),
      steps,
      seconds: [],
    };
  } catch (error) {
    trainer?.destroy();
    if (!(error instanceof HeddleError) || (error.code !== 'limit' && error.code !== 'usage')) throw error;
    return { ...nothing, skipped: error.message };
  }
}

/** Measures all sizes. `say` hears how far it is. */
export async function measureSizes(
  workshop: Workshop,
  hidden: readonly number[],
  say: (line: string) => void,
): Promise<SizeResult[]> {
  const all: Ready[] = [];
  try {
    for (const size of sizesFor(hidden)) {
      say(`sizes: preparing batch ${size.batchSize}, hidden ${size.hidden.join(',')}`);
      all.push(await prepare(workshop, size));
    }
    for (let round = 0; round < rounds; round++) {
      say(`sizes: round ${round + 1} of ${rounds}`);
      for (const { size, trainer, steps, seconds } of round % 2 === 0 ? all : all.toReversed()) {
        if (trainer === undefined) continue;
        const loader = endlessLoader(workshop.train, size.batchSize, steps);
        seconds.push((await runRound(workshop.device, trainer, loader)).step);
      }
    }
  } finally {
    for (const { trainer } of all) trainer?.destroy();
  }
  return all.map(({ size, flops, skipped, seconds }) => {
    const step: Spread | null = seconds.length === 0 ? null : spreadOf(seconds);
    return { ...size, flops, step, skipped };
  });
}
