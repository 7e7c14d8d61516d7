// Checks a model's own dispatches on the user's own adapter, and says which kernels it may be trained with there: the
// fast ones, or, when one of those gives wrong numbers, the first fallback that gives right ones throughout.

import { HeddleError } from '../errors.ts';
import { type Device, withoutKernels } from '../gpu/device.ts';
import type { DispatchDescription } from '../gpu/plan.ts';
import { type CheckResult, checkDispatch, dispatchKey, isKernelName } from '../ops/check.ts';
import type { KernelName } from '../ops/kernels.generated.ts';
import { linearCrossEntropyKernels } from '../ops/linear_cross_entropy.ts';
import { matmulCores, matmulKernelName } from '../ops/matmul_variants.ts';
import { createArenas } from './arenas.ts';
import type { InputSpec } from './feed.ts';
import { describeSession } from './session.ts';
import { jobOf, type TrainerOptions } from './trainer-options.ts';

/** The kernels to train with: those of the fused or of the plain plan, without some that are wrong on the adapter. */
export interface KernelChoice {
  /** Names for `withoutKernels`. */
  readonly avoid: readonly string[];
  /** For `createTrainer`. */
  readonly plain: boolean;
}

/** One of the model's dispatches has been checked. */
export interface CheckEvent extends CheckResult {
  readonly type: 'check';
}

/** All have been checked. */
export interface VerdictEvent {
  readonly type: 'verdict';
  /** Names of the kernels that were wrong at some shape or in some variant. */
  readonly wrong: readonly string[];
  /** The ways to train in which everything is right, the fastest first; none when each has a wrong kernel in it. */
  readonly right: readonly KernelChoice[];
  /** Names of kernels of the model's own, which nothing here knows the right results of. */
  readonly unchecked: readonly string[];
}

interface Way {
  readonly choice: KernelChoice;
  readonly dispatches: readonly DispatchDescription[];
}

/** Each beginning of a list, the empty one first: what is passed over on the way to each of its entries. */
const beginnings = <T>(all: readonly T[]): (readonly T[])[] => all.map((_, i) => all.slice(0, i));

/** The kernels that the fused plan can do without, in every combination, the fastest first. */
function dispensable(device: Device): (readonly KernelName[])[] {
  const heads = linearCrossEntropyKernels(device).filter((name) => !device.avoided.has(name));
  return [...beginnings(heads), heads].flatMap((names): (readonly KernelName[])[] => [
    names,
    ['linear_backward', ...names],
  ]);
}

/**
 * Ways to train on this device, the fastest first: cores that are passed over are to be avoided; the fused plan can also do
 * without the kernels that do several things of a layer with few outputs at once.
 */
function choicesFor(device: Device): KernelChoice[] {
  const cores = matmulCores(device)
    .map(matmulKernelName)
    .filter((name) => !device.avoided.has(name));
  const passedOver = beginnings(cores);
  const others = dispensable(device);
  return [
    ...passedOver.flatMap((avoid) => others.map((names) => ({ avoid: [...avoid, ...names], plain: false }))),
    ...passedOver.map((avoid) => ({ avoid, plain: true })),
  ];
}

/**
 * Runs each dispatch that training or evaluating the model may need, in every way that this device has, alone on random
 * data against float64; yields a `check` for each and a `verdict` at the end. Shapes are those of the model at its batch
 * size. Throws a HeddleError when the model does not fit the device or the input, or the device is lost.
 */
export async function* checkModel(
  device: Device,
  options: TrainerOptions & { readonly input: InputSpec },
): AsyncGenerator<CheckEvent | VerdictEvent, void, void> {
  const { batchSize, input } = options;
  const arenas = createArenas(device, options);
  let ways: Way[];
  try {
    ways = choicesFor(device).flatMap((choice) => {
      const job = jobOf({ ...options, plain: choice.plain }, arenas);
      const allowed = withoutKernels(device, choice.avoid);
      try {
        return [{ choice, dispatches: describeSession(allowed, job, input, batchSize) }];
      } catch (error) {
        if (error instanceof HeddleError && error.code === 'gpu' && choice.avoid.length > 0) return [];
        throw error; // but where a core is passed over, what is left may not be able to do all of the work
      }
    });
  } finally {
    arenas.destroy();
  }
  const sound = new Map<string, boolean>();
  const wrong = new Set<string>();
  const all = ways.flatMap(({ dispatches }) => dispatches);
  const unchecked = new Set(all.map(({ kernel }) => kernel).filter((name) => !isKernelName(name)));
  for (const dispatch of all.filter(({ kernel }) => !unchecked.has(kernel))) {
    const key = dispatchKey(dispatch);
    if (sound.has(key)) continue;
    const result = await checkDispatch(device, dispatch);
    sound.set(key, result.ok);
    if (!result.ok) wrong.add(result.kernel);
    yield { type: 'check', ...result };
  }
  // What is unchecked speaks for no way and against none.
  const right = ways
    .filter(({ dispatches }) => dispatches.every((dispatch) => sound.get(dispatchKey(dispatch)) ?? true))
    .map(({ choice }) => choice);
  yield { type: 'verdict', wrong: [...wrong], right, unchecked: [...unchecked] };
}
