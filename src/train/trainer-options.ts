// The options of a trainer, and the job that they come to.

import { HeddleError } from '../errors.ts';
import type { KeyBeginnings } from '../nn/keys.ts';
import { checkSize, type Layer } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import { checkHyper, type KeySelector, type Optimizer } from '../optim/optimizer.ts';
import { defaultGenerator } from '../random/generator.ts';
import type { Arenas } from './arenas.ts';
import type { InputSpec } from './feed.ts';
import type { Clip, Job } from './plans.ts';

/** How gradients are kept small before the optimizer uses them: by one of these, or not at all. */
export type ClipOptions =
  | {
      /**
       * All gradients are multiplied with min(1, clipGradNorm / (norm + 1e-6)), norm being the square root of the sum of all
       * their squares: as torch.nn.utils.clip_grad_norm_. A gradient that is not finite keeps all of them as they are, and is
       * reported.
       */
      readonly clipGradNorm?: number;
      readonly clipGradValue?: never;
    }
  | {
      readonly clipGradNorm?: never;
      /** Every gradient is brought within ± clipGradValue, as by torch.nn.utils.clip_grad_value_; what is not finite stays. */
      readonly clipGradValue?: number;
    };

/** What to train, and how. The types are those of the model's keys and of what is put in front of them. */
export type TrainerOptions<
  Parameters extends string = string,
  Buffers extends string = string,
  Prefix extends string = string,
> = JobOptions<Parameters, Buffers, Prefix> & ClipOptions;

/** `TrainerOptions` without clipping. */
interface JobOptions<Parameters extends string, Buffers extends string, Prefix extends string> {
  readonly model: Layer<Parameters, Buffers>;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** Most rows a batch may have; buffers are sized for it. */
  readonly batchSize: number;
  /** One kernel per operation instead of the fused ones: slower, easier to read. */
  readonly plain?: boolean;
  /**
   * Whether `step` and `fit` leave the gradients of their last batch, as the optimizer used them, for `gradients` to read.
   * Otherwise fused kernels may use them up as they make them, which is faster.
   */
  readonly keepGradients?: boolean;
  /** Put in front of every parameter's key, e.g. `linear_relu_stack.`. */
  readonly prefix?: Prefix;
  /**
   * Parameters that keep their values: no gradient is made for them. A list holds keys that the model's type knows; for one
   * that is made at run time, give a function.
   */
  readonly frozen?: FrozenKeys<NoInfer<`${Prefix}${Parameters}`>>;
  /** What dropout draws from: a whole number below 2³². Default: the default generator's seed, see `manualSeed`. */
  readonly seed?: number;
  /** The rows to come, when known: their kernels compile now instead of at the first batch. */
  readonly input?: InputSpec;
}

/** Chooses parameters by their keys, or by the beginnings of keys. */
type FrozenKeys<Key extends string> = KeySelector<Key, Key | KeyBeginnings<Key>>;

/** The job that options come to. Throws as `settingsOf`. */
export const jobOf = (options: TrainerOptions, arenas: Arenas): Job => ({ ...settingsOf(options), arenas });

/** A job but for its arenas, with defaults. Throws a HeddleError `usage` for options that no trainer takes. */
export function settingsOf(options: TrainerOptions): Omit<Job, 'arenas'> {
  const { model, loss, optimizer, batchSize, plain = false, keepGradients = false } = options;
  checkSize('createTrainer: batchSize', batchSize);
  if (loss.reduction === 'none')
    throw new HeddleError(
      'usage',
      `createTrainer: ${loss.kind} with reduction 'none' gives a number a row, and training needs one a batch: take 'mean' ` +
        "or 'sum'. trainer.losses(loader) gives the rows' losses by either.",
    );
  const seed = options.seed ?? defaultGenerator.seed;
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32)
    throw new HeddleError('usage', `createTrainer: seed ${seed}: expected a whole number below 2^32`);
  const clip = clipOf(options);
  const settings = { model, loss, optimizer, fused: !plain, keepGradients, seed };
  return clip === undefined ? settings : { ...settings, clip };
}

function clipOf({ clipGradNorm, clipGradValue }: ClipOptions): Clip | undefined {
  if (clipGradNorm !== undefined && clipGradValue !== undefined)
    throw new HeddleError('usage', 'createTrainer: clipGradNorm and clipGradValue: expected one of them');
  if (clipGradNorm !== undefined) {
    checkHyper('createTrainer: clipGradNorm', clipGradNorm);
    return { by: 'norm', limit: clipGradNorm };
  }
  if (clipGradValue === undefined) return undefined;
  checkHyper('createTrainer: clipGradValue', clipGradValue);
  return { by: 'value', limit: clipGradValue };
}
