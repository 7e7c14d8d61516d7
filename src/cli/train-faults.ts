// What a training run does about a fault: back to a checkpoint, a device anew, a look at what is not finite.

import { diagnosisText, HeddleError, type Trainer } from '../index.ts';
import { type Standing, standingFrom } from '../recipes/standing.ts';
import { type Machine, openMachine } from './machine.ts';
import type { TrainOptions } from './options.ts';
import { type RunFolder, runFiles } from './run-folder.ts';
import { type Job, makeFit } from './train-job.ts';

/** Before a device that was lost is looked for again, in ms. */
const reopenPause = 1000;

/** Puts a trainer, and what the folder tells, where a checkpoint was made. */
export async function goBack(bytes: Uint8Array, trainer: Trainer, folder: RunFolder): Promise<Standing> {
  const standing = standingFrom(await trainer.restore(bytes));
  const { steps, epochs } = trainer;
  folder.rewind({ steps, epochs });
  return { ...standing, epochs, told: { step: steps, epoch: epochs }, saved: { bytes, steps } };
}

/** Halves the learning rate so many times. */
export function slowDown(trainer: Trainer, halvings: number): void {
  for (const group of trainer.optimizer.groups) group.lr /= 2 ** halvings;
}

/** A machine, as far as it has to be told apart. */
interface Opened {
  readonly device: { readonly info: { readonly description: string } };
}

/** What a run that goes on with another adapter's device has to be told; undefined where it is the same one. */
export function otherAdapter(before: Opened, now: Opened): string | undefined {
  const [old, found] = [before, now].map(({ device }) => device.info.description);
  return old === found ? undefined : `the GPU is now ${found}: numbers go on, but not to the bit`;
}

/** Opens a device in place of a lost one, with the kernels that the run began with. Throws `device-lost` when there is none. */
export async function openAgain(options: TrainOptions, folder: string): Promise<Machine> {
  try {
    return await openMachine({ ...options, kernels: folder });
  } catch (cause) {
    if (!(cause instanceof HeddleError) || cause.code !== 'no-adapter') throw cause;
    await new Promise((resolve) => setTimeout(resolve, reopenPause)); // a driver may be on its way back
    throw new HeddleError(
      'device-lost',
      `the GPU device was lost, and is not there again: ${cause.message}`,
      {
        cause,
      },
    );
  }
}

/** The error that ends a run, with what is kept of it. */
export function givenUp(error: HeddleError, folder: RunFolder, steps: number | undefined): HeddleError {
  const kept =
    steps === undefined
      ? 'Nothing was kept yet'
      : `${folder.path}/${runFiles.last} is as after step ${steps}`;
  return new HeddleError(error.code, `${error.message.replace(/[^.]$/, '$&.')} ${kept}.`, { cause: error });
}

/** The error, with what was found around its step by doing it again. */
export async function explain(
  job: Job,
  trainer: Trainer,
  checkpoint: Uint8Array,
  halvings: number,
  error: HeddleError,
): Promise<HeddleError> {
  if (error.step === undefined) return error;
  try {
    await trainer.restore(checkpoint);
    slowDown(trainer, halvings);
    const { train, fitOptions } = makeFit(job);
    const { signal } = job.session.watch;
    const epochs = job.options.epochs - trainer.epochs;
    const diagnosis = await trainer.diagnose(error.step, train, { ...fitOptions, epochs, signal });
    return new HeddleError(error.code, `${error.message} ${diagnosisText(diagnosis)}`, { cause: error });
  } catch (other) {
    if (other instanceof HeddleError && other.code === 'device-lost') throw other;
    return error; // the first error is the one that matters
  }
}
