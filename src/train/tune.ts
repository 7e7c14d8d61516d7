// Measures, on the user's own adapter, which variant of the matmul kernels is fastest for each product that a model's
// steps need. Variants take turns, the GPU's own timestamps decide, and one that wins is checked before it is believed.

import { HeddleError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import { type DispatchDescription, type Recorder, record } from '../gpu/plan.ts';
import { canProfile, type DispatchProfile, profilePlan } from '../gpu/profiler.ts';
import { checkDispatch } from '../ops/check.ts';
import { matmul, matmulChoice } from '../ops/matmul.ts';
import { type MatmulVariant, matmulVariants } from '../ops/matmul_variants.ts';
import { stepShape } from '../ops/step.ts';
import { createArenas } from './arenas.ts';
import type { InputSpec } from './feed.ts';
import { describeSession } from './session.ts';
import { jobOf, type TrainerOptions } from './trainer-options.ts';

/** How one variant did. */
export interface TuneCandidate {
  readonly variant: string;
  /** Median, lowest and highest GPU time, in seconds. */
  readonly seconds: number;
  readonly lowest: number;
  readonly highest: number;
}

/** One product has been measured. */
export interface TuneEvent {
  readonly type: 'tune';
  /** Shape and kind, as `withVariants` takes it: `64×512×784 B_TRANSPOSED A_U8 BIAS RELU`. */
  readonly problem: string;
  /** Of the first dispatch that needs it. */
  readonly label: string;
  /** The variant used so far comes first. */
  readonly candidates: readonly TuneCandidate[];
  /** Variants that were left out for want of time. */
  readonly skipped: readonly string[];
  /** The name of the variant to use from now on. */
  readonly best: string;
}

/** Options of `tuneModel` beside those of the trainer. */
export interface TuneOptions {
  /** Seconds after which no further variant is compiled. Default 60. */
  readonly budget?: number;
  /** Measurements of each variant. Default 20. */
  readonly repeats?: number;
}

/** A variant must be faster by this much to take the place of the one used so far: less is noise. */
const worthIt = 0.97;

/** Records a described matmul again, by another variant, on tensors of its own. All of them are 0, and a step's lr too. */
function recordAgain(recorder: Recorder, dispatch: DispatchDescription, variant: MatmulVariant): void {
  const { bindings, images } = dispatch;
  const on = (name: string) => dispatch.constants[name] === true;
  const like = (...names: string[]) => {
    const found = bindings.find(({ name }) => names.includes(name));
    if (found === undefined)
      throw new HeddleError('gpu', `${dispatch.label} has no binding ${names.join(' or ')}`);
    return recorder.tensor(found.label, found.shape, found.dtype);
  };
  const operand = (name: 'a' | 'b') => {
    const found = images.find((image) => image.name === `${name}_image`);
    return found === undefined ? like(name, `${name}_fours`) : recorder.tensor(found.label, found.shape);
  };
  matmul(recorder, {
    label: `${dispatch.label} by ${variant.name}`,
    a: operand('a'),
    aTransposed: on('A_TRANSPOSED'),
    b: operand('b'),
    bTransposed: on('B_TRANSPOSED'),
    ...(on('BIAS') ? { bias: like('bias_or_mask') } : {}),
    ...(on('MASK') ? { mask: like('bias_or_mask') } : {}),
    relu: on('RELU'),
    out: like('c'),
    accumulate: dispatch.params.accumulate === 1,
    ...(on('ROW_SUMS') ? { rowSums: like('row_sums') } : {}),
    ...(dispatch.params.chunk === dispatch.params.k ? {} : { chunk: dispatch.params.chunk as number }),
    ...(on('SGD') ? { sgd: { losses: like('loss'), step: recorder.tensor('step', stepShape, 'u32') } } : {}),
    variant,
  });
}

/** Variants worth measuring: on an adapter that computes on the CPU, the tile core is known to be many times slower. */
function candidatesFor(device: Device, dispatch: DispatchDescription): readonly MatmulVariant[] {
  const { m, n, k, chunk } = dispatch.params as Record<'m' | 'n' | 'k' | 'chunk', number>;
  const used = matmulChoice(dispatch)?.variant.name;
  const all = matmulVariants(device, { m, n, k: Math.min(k, chunk), parts: Math.ceil(k / chunk) }).toSorted(
    (x, y) => Number(y.name === used) - Number(x.name === used),
  );
  return device.info.software ? all.filter(({ core }) => core === all[0]?.core) : all;
}

async function measure(
  device: Device,
  dispatch: DispatchDescription,
  variants: readonly MatmulVariant[],
  repeats: number,
): Promise<{ profiles: DispatchProfile[]; dispatches: readonly DispatchDescription[] }> {
  // The first dispatch wakes the GPU up: it is one too many, and its time counts for nobody.
  const plan = await record(device, 'tune', 1, (recorder) => {
    for (const variant of [...variants.slice(0, 1), ...variants]) recordAgain(recorder, dispatch, variant);
  });
  try {
    const profiles = await profilePlan(device, plan, { slot: 0, repeats });
    return { profiles: profiles.slice(1), dispatches: plan.dispatches.slice(1) };
  } finally {
    plan.destroy();
  }
}

/**
 * Measures every product that training or evaluating the model needs; yields what was found, one at a time. Give the
 * choices to `withVariants`. Needs a device opened with `exactTimestamps`. Throws a HeddleError `gpu` on an adapter
 * without timestamps, and when the model does not fit device or input.
 */
export async function* tuneModel(
  device: Device,
  options: TrainerOptions & TuneOptions & { readonly input: InputSpec },
): AsyncGenerator<TuneEvent, void, void> {
  if (!canProfile(device)) {
    const why = 'this adapter has no feature timestamp-query, which times what runs on the GPU';
    throw new HeddleError('gpu', `tune: ${why}; the untuned choices stay in use`);
  }
  const { batchSize, input, budget = 60, repeats = 20 } = options;
  const arenas = createArenas(device, options);
  let dispatches: DispatchDescription[];
  try {
    dispatches = describeSession(device, jobOf(options, arenas), input, batchSize);
  } finally {
    arenas.destroy();
  }
  const started = performance.now();
  const seen = new Set<string>();
  for (const dispatch of dispatches) {
    const choice = matmulChoice(dispatch);
    if (choice === undefined || seen.has(choice.problem)) continue;
    seen.add(choice.problem);
    const ready: MatmulVariant[] = [];
    const skipped: string[] = [];
    for (const variant of candidatesFor(device, dispatch)) {
      // Some drivers compile when a kernel first runs: a candidate is ready after one measurement that does not count.
      if (ready.length > 0 && (performance.now() - started) / 1000 > budget) skipped.push(variant.name);
      else if (await runs(device, dispatch, variant)) ready.push(variant);
      else if (ready.length === 0)
        throw new HeddleError(
          'gpu',
          `tune: ${dispatch.label} does not run by the variant in use, ${variant.name}`,
        );
    }
    const { profiles, dispatches: tried } = await measure(device, dispatch, ready, repeats);
    const candidates = profiles.map(({ seconds, lowest, highest }, i) => {
      return { variant: (ready[i] as MatmulVariant).name, seconds, lowest, highest };
    });
    const used = candidates[0] as TuneCandidate;
    let best = used.variant;
    for (const candidate of candidates.toSorted((x, y) => x.seconds - y.seconds)) {
      if (candidate.seconds > worthIt * used.seconds) break;
      if (candidate.seconds === 0) continue; // less than the timestamps can tell
      const index = candidates.indexOf(candidate);
      const { ok } = await checkDispatch(device, tried[index] as DispatchDescription);
      if (!ok) continue; // fast, and wrong
      best = candidate.variant;
      break;
    }
    yield { type: 'tune', problem: choice.problem, label: dispatch.label, candidates, skipped, best };
  }
}

/** Whether a variant compiles and runs here; one that does not is no candidate, and says nothing of the others. */
async function runs(device: Device, dispatch: DispatchDescription, variant: MatmulVariant): Promise<boolean> {
  try {
    await measure(device, dispatch, [variant], 1);
    return true;
  } catch (error) {
    device.check();
    if (error instanceof HeddleError && (error.code === 'gpu' || error.code === 'limit')) return false;
    throw error;
  }
}
