// Trains a run to its end, whatever happens on the way: a lost device is opened again, a loss that is not finite is looked
// into, and the run goes on from its last checkpoint or stops with a good one.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createGenerator, dataLoader, HeddleError, type Trainer } from '../index.ts';
import { judge, mistakesOf } from '../recipes/judge.ts';
import { recordNote, recordOf } from '../recipes/record.ts';
import { type Standing, standingFrom } from '../recipes/standing.ts';
import { count } from '../recipes/units.ts';
import { follow, type Outcome, save } from './follow.ts';
import { loadInit } from './init.ts';
import type { Machine } from './machine.ts';
import type { Resumed } from './resume.ts';
import { recordKeeper, runEvent } from './run-facts.ts';
import { createRunFolder, openRunFolder, type RunFolder, runFiles } from './run-folder.ts';
import { type Keepers, openKeepers } from './run-keepers.ts';
import { isCheckpointFile, readRunFile } from './run-record.ts';
import { shellWord } from './shell-words.ts';
import { explain, givenUp, goBack, openAgain, otherAdapter, slowDown } from './train-faults.ts';
import { type Job, makeFit, makeTrainer } from './train-job.ts';
import type { TrainUi } from './train-ui.ts';
import { type Writer, writerFor } from './train-writer.ts';
import { variantNotice } from './tuning.ts';

/** Faults of one kind in a row, without a checkpoint between them, after which a run gives up. */
const mostFaults = 3;

const notice = (line: string) => process.stderr.write(`${line}\n`);

/** Trains a run in a folder of its own, or goes on with one; the exit code. What is thrown leaves the last checkpoint good. */
export async function trainRun(job: Job, machine: Machine): Promise<number> {
  const { options, resumed, session } = job;
  const { watch } = session;
  const started = performance.now();
  let trainer = await makeTrainer(job, machine);
  const compiled = ((performance.now() - started) / 1000).toFixed(1);
  const { dispatches } = trainer.describe();
  notice(
    `${dispatches.length} dispatches a step; ${machine.device.pipelines.size} pipelines compiled in parallel in ${compiled} s`,
  );
  const { out } = options;
  let folder: RunFolder;
  try {
    makeFit(job); // refuses a schedule that does not fit before there is a folder
    if (job.init !== undefined) process.stderr.write(await loadInit(trainer, job.init, options));
    folder =
      resumed === undefined || out !== undefined || isCheckpointFile(resumed.run)
        ? createRunFolder({ kind: options.model, ...(out && { out, reuse: options.resume === 'auto' }) })
        : openRunFolder(resumed.run);
    if (folder.path === resumed?.run) refuseMoved(resumed, folder);
  } catch (error) {
    trainer.destroy();
    throw error;
  }
  const run = runEvent(job, machine, trainer, folder.path);
  const keepRecord = recordKeeper(folder, run, job.data, resumed);
  const writer = writerFor(options, job.data.train.length);
  const { ui } = job;
  const tell = (line: string) => {
    writer.notice(line);
    ui?.notice(line);
  };
  const notes = new Map([[recordNote, JSON.stringify(recordOf(run, job.data.train.classes, job.data.sums))]]);
  let keepers: Keepers | undefined;
  let standing = beginning(resumed);
  let current = machine;
  try {
    watch.graceful();
    process.stderr.write(variantNotice(options, machine.device, run.kernels.variants));
    keepRecord('running'); // before the first checkpoint: who finds one finds what it is of
    if (resumed !== undefined && folder.path !== resumed.run) copyCheckpoints(resumed, folder);
    /** Once trainer and folder are where the run begins, or goes on. */
    const begin = (): Keepers => {
      const opened = openKeepers(folder, trainer.steps);
      for (const sink of [...opened.sinks, writer]) sink.event(run);
      const { classes } = job.data.train;
      const facts = { classes, dispatches: dispatches.length, bytes: machine.device.bytes };
      ui?.begin(run, facts, resumed?.record);
      return opened;
    };

    const faults = { diverged: 0, 'device-lost': 0, at: standing.saved?.steps ?? 0 };
    /** Of the learning rate, since the last checkpoint: that has those before it. */
    let halvings = 0;
    const returnTo = async (saved: { readonly bytes: Uint8Array; readonly steps: number }) => {
      standing = await goBack(saved.bytes, trainer, folder);
      keepers?.rewind(saved.steps);
      ui?.rewind(saved.steps);
      slowDown(trainer, halvings);
    };
    /** What the last faults left to do before training goes on; `behind` is what the last checkpoint is not. */
    let trainerIs: 'ready' | 'behind' | 'lost' = 'behind';
    let broken: HeddleError | undefined;
    let end: unknown;
    for (;;) {
      try {
        if (trainerIs === 'lost') {
          trainer.destroy();
          current.close();
          const before = current;
          current = await openAgain(options, folder.path);
          const other = otherAdapter(before, current);
          if (other !== undefined) tell(other);
          trainer = await makeTrainer(job, current);
          if (standing.saved === undefined && job.init !== undefined)
            await loadInit(trainer, job.init, options);
          trainerIs = 'behind';
        }
        if (trainerIs === 'behind') {
          const { told, saved } = standing; // what is done again is not told again
          if (saved === undefined) {
            folder.rewind({ steps: 0, epochs: 0 }); // of one that died before its first checkpoint
            await save({ folder, trainer, standing, notes });
          } else await returnTo(saved);
          if (told.step > standing.told.step) standing.told = told;
          trainerIs = 'ready';
        }
        keepers ??= begin();
        if (standing.saved !== undefined && broken !== undefined) {
          const { saved } = standing;
          writer.notice(
            `step ${broken.step} is not finite: doing the steps from ${saved.steps} on again, to see why`,
          );
          const found = await explain(job, trainer, saved.bytes, halvings, broken);
          if (options.onNan !== 'restore' || faults.diverged >= mostFaults) {
            end = givenUp(found, folder, saved.steps);
            throw end;
          }
          halvings++;
          await returnTo(saved);
          broken = undefined;
          tell(`${found.message} Back to step ${saved.steps}, with half the learning rate`);
        }
        const outcome = await attempt(job, { trainer, folder, keepers, writer, standing, notes, started });
        keepRecord(outcome.status);
        if (outcome.status === 'interrupted') ui?.status('stopped', `the run was stopped: ${folder.path}`);
        return outcome.code;
      } catch (error) {
        if (error === end || !(error instanceof HeddleError)) throw error;
        const { saved } = standing;
        if (saved !== undefined && saved.steps > faults.at) {
          Object.assign(faults, { diverged: 0, 'device-lost': 0, at: saved.steps });
          halvings = 0;
        }
        if (error.code === 'diverged' && saved !== undefined) {
          faults.diverged++;
          broken = error;
        } else if (error.code === 'device-lost') {
          if (++faults['device-lost'] >= mostFaults) throw givenUp(error, folder, saved?.steps);
          trainerIs = 'lost';
          tell(`${error.message}; opening it again, to go on after step ${saved?.steps ?? 0}`);
        } else throw error;
      }
    }
  } catch (error) {
    try {
      keepRecord('failed', error);
    } catch {
      // A full disk, say: what went wrong first is what the user must hear of.
    }
    throw error;
  } finally {
    trainer.destroy();
    for (const sink of [...(keepers?.sinks ?? [folder]), writer]) sink.close();
    if (current !== machine) current.close();
  }
}

/** How a run stands before its first step here. */
function beginning(resumed: Resumed | undefined): Standing {
  const standing = standingFrom(new Map());
  if (resumed !== undefined) standing.saved = { bytes: resumed.checkpoint, steps: resumed.state.steps };
  return standing;
}

/** Throws `usage` when another process has gone on with the run between reading and locking it. */
function refuseMoved({ run, checkpoint }: Resumed, folder: RunFolder): void {
  if (Buffer.from(checkpoint).equals(readRunFile(run, runFiles.last))) return;
  folder.close();
  throw new HeddleError('usage', `${run} has gone on meanwhile, in another process: give the command again`);
}

/** Begins a folder of its own with what the run has that it goes on from. */
function copyCheckpoints({ run, checkpoint }: Resumed, folder: RunFolder): void {
  folder.saveCheckpoint(runFiles.last, checkpoint);
  if (existsSync(join(run, runFiles.best)))
    folder.saveCheckpoint(runFiles.best, readRunFile(run, runFiles.best));
}

/** Shows the worst mistakes on the test set where its images are as the page shows them. */
async function tellMistakes({ options, data, session }: Job, trainer: Trainer, ui: TrainUi): Promise<void> {
  const { test } = data;
  if (String(test.inputShape) !== '1,28,28') return;
  const { signal } = session.watch;
  // A generator of its own: looking draws nothing that training draws from.
  const loader = dataLoader(test, { batchSize: options.batchSize, generator: createGenerator(0) });
  try {
    const logits = await trainer.logits(loader, { signal });
    ui.mistakes({ type: 'mistakes', mistakes: mistakesOf(test, judge(logits, test.classes.length)) });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

interface Attempt {
  readonly trainer: Trainer;
  readonly folder: RunFolder;
  readonly keepers: Keepers;
  readonly writer: Writer;
  readonly standing: Standing;
  /** See `FollowOptions`. */
  readonly notes: ReadonlyMap<string, string>;
  /** When the process began to train, in ms. */
  readonly started: number;
}

/** Trains until the run ends in order or somebody stops it. */
async function attempt(
  job: Job,
  { trainer, folder, keepers, writer, standing, notes, started }: Attempt,
): Promise<{ readonly status: Outcome; readonly code: number }> {
  const { options, session } = job;
  const { watch } = session;
  const { patience = Number.POSITIVE_INFINITY, maxTime = Number.POSITIVE_INFINITY } = options;
  const { train, fitOptions } = makeFit(job);
  const stale = () => standing.epochs - (standing.best?.epoch ?? standing.epochs) >= patience;
  const late = () => performance.now() - started >= 1000 * maxTime;
  const status = await follow({
    events: trainer.fit(train, {
      ...fitOptions,
      epochs: options.epochs - standing.epochs,
      stop: () => stale() || late(),
      signal: watch.signal,
    }),
    ...{ keepers: keepers.sinks, folder, watch, trainer, standing, notes, keep: options.keep },
    writers: job.ui === undefined ? [writer] : [writer, job.ui],
    async onEpoch(checkpoint, steps) {
      keepers.weights(checkpoint, steps);
      job.ui?.weights(checkpoint, job.data.train.inputShape);
      if (job.ui?.watched === true) await tellMistakes(job, trainer, job.ui);
    },
  });
  const kept = `heddle train --resume ${shellWord(folder.path)} goes on`;
  if (status === 'interrupted') {
    const { name, code } = watch.reason ?? { name: 'SIGINT', code: 130 };
    if (name !== 'EPIPE')
      writer.notice(`heddle train: stopped by ${name} after ${trainer.steps} steps; ${kept}`);
    return { status, code };
  }
  const { epochs, best } = standing;
  if (epochs < options.epochs && stale()) {
    writer.notice(
      `stopped: no better test accuracy than epoch ${best?.epoch}'s for ${count(patience)} epochs`,
    );
  } else if (epochs < options.epochs) {
    writer.notice(`stopped by --max-time after ${trainer.steps} steps; ${kept}`);
    return { status: 'interrupted', code: 0 };
  } else if (writer.silentEnd) writer.notice(`kept in ${folder.path}`);
  return { status, code: 0 };
}
