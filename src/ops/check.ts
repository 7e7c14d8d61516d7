// Checks one recorded dispatch alone, on random data, against float64: what `heddle doctor` does on the user's own adapter
// with every dispatch of the user's own model. What a kernel is tried on is in trials.ts.

import { HeddleError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import type { KernelSpec } from '../gpu/kernel.ts';
import type { DispatchDescription } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { createGenerator } from '../random/generator.ts';
import { allKernels, type KernelName } from './kernels.generated.ts';
import * as reference from './reference.ts';
import { type HostTensor, run } from './run.ts';
import { stepRecord } from './step.ts';
import type { Subject, Trial } from './trial.ts';
import { trials } from './trials.ts';

/** How a dispatch did. */
export interface CheckResult {
  readonly kernel: KernelName;
  /** Constants that make the kernel's variant, e.g. `BIAS RELU LANES=8`, and `accumulate`; empty when there are none. */
  readonly variant: string;
  /** What it was tried on, e.g. `x [64, 512], bias [512], y [64, 512]`. */
  readonly shape: string;
  readonly ok: boolean;
  /** Largest error as a share of what is allowed; at most 1 when ok, infinite (in JSON null) where none is allowed. */
  readonly worst: number;
  /** Largest absolute error; infinite (in JSON null) for a NaN that does not belong, or when nothing could be computed. */
  readonly error: number;
  /** Elements checked, and how many of them are wrong. */
  readonly elements: number;
  readonly wrong: number;
  /** What is wrong, when something is: count, first index, found and expected value. */
  readonly message?: string;
}

/** Whether a kernel can be checked: one of Heddle's, by name. */
export const isKernelName = (name: string): name is KernelName => Object.hasOwn(trials, name);

/** What a check of a dispatch depends on; dispatches that differ in their labels or ring slots alone are checked once. */
export function dispatchKey({
  kernel,
  constants,
  params,
  workgroups,
  bindings,
}: DispatchDescription): string {
  const shapes = bindings.map(({ shape, dtype }) => [shape, dtype]);
  return JSON.stringify([kernel, constants, params, workgroups, shapes]);
}

/** The constants of a variant that are switched on or set. */
export function variantText({ constants }: Pick<DispatchDescription, 'constants'>): string {
  const set = Object.entries(constants).filter(([, value]) => value !== false && value !== undefined);
  return set.map(([name, value]) => (value === true ? name : `${name}=${value}`)).join(' ');
}

function shapeText({ bindings, images }: DispatchDescription): string {
  const tensors = bindings
    .filter(({ access }) => access !== 'uniform')
    .map(({ name, shape, dtype }) => `${name} [${shape.join(', ')}]${dtype === 'u8' ? ' u8' : ''}`);
  return [...tensors, ...images.map(({ name, shape }) => `${name} [${shape.join(', ')}]`)].join(', ');
}

/** Seed of the random data: a check that failed fails again. */
const seed = 20_251;

function subjectOf(dispatch: DispatchDescription, spec: KernelSpec): Subject {
  const generator = createGenerator(seed);
  const binding = (name: string) => {
    const found = dispatch.bindings.find((candidate) => candidate.name === name);
    if (found === undefined) throw new HeddleError('gpu', `${dispatch.kernel} has no binding ${name}`);
    return found;
  };
  return {
    params: dispatch.params,
    constant: (name) => dispatch.constants[name],
    on: (constant) => (dispatch.constants[constant] ?? spec.constants[constant]?.value) === true,
    isU8: (name) => binding(name).dtype === 'u8',
    count: (name) => elementCount(binding(name).shape),
    floats: (count, from = -1, to = 1) => generator.uniform(new Float32Array(count), from, to),
    whole: (count, most) =>
      Float32Array.from({ length: count }, () => (generator.random32() % (2 * most + 1)) - most),
    integers: (count, below) => Uint32Array.from({ length: count }, () => generator.random32() % below),
  };
}

async function runTrial(
  device: Device,
  spec: KernelSpec,
  dispatch: DispatchDescription,
  { inputs, step }: Trial,
): Promise<Readonly<Record<string, Float32Array | Uint32Array>>> {
  const host: Record<string, HostTensor> = {};
  for (const [name, data] of Object.entries(inputs)) host[name] = { data, shape: [data.length] };
  if ('step' in spec.bindings) host.step = stepRecord(step ?? {});
  // What is read as an image is a matrix; of bindings nothing but their length is known.
  for (const { name, shape } of dispatch.images) host[name] = { data: inputs[name] as Float32Array, shape };
  const { label, params, constants, workgroups } = dispatch;
  return run(device, host, (recorder, tensors: Readonly<Record<string, Tensor>>) => {
    const images = Object.fromEntries(dispatch.images.map(({ name }) => [name, tensors[name]]));
    recorder.dispatch(spec, { label, bindings: tensors, images, params, constants, workgroups });
    return tensors;
  });
}

/** The found values of one trial against what is expected of it, and the first thing that is wrong, in words. */
function judge(
  found: Readonly<Record<string, Float32Array | Uint32Array>>,
  { expected }: Trial,
): Pick<CheckResult, 'worst' | 'error' | 'elements' | 'wrong' | 'message'> {
  let [worst, error, elements, wrong] = [0, 0, 0, 0];
  let message: string | undefined;
  for (const [name, bounded] of Object.entries(expected)) {
    const values = found[name] as Float32Array | Uint32Array;
    const result = reference.compare(values, bounded);
    worst = Math.max(worst, result.worst);
    error = Math.max(error, result.error);
    elements += bounded.length;
    wrong += result.wrong;
    if (result.wrong === 0) continue;
    const { value, bound } = bounded[result.first] as reference.Bounded;
    const allowed = bound === 0 ? '' : ` ± ${bound.toPrecision(2)}`;
    message ??=
      `${result.wrong} of ${bounded.length} elements of ${name} are wrong, the first at ${result.first}: ` +
      `found ${values[result.first]}, expected ${value}${allowed}; largest error ${result.error.toPrecision(3)}`;
  }
  return { worst, error, elements, wrong, ...(message === undefined ? {} : { message }) };
}

/**
 * Runs a recorded dispatch by itself on random data of its own shapes and holds the result to float64. What the kernel
 * does wrong is in the result, also when it does not compile or writes where it must not. Throws a HeddleError for what
 * is no fault of the kernel: a lost device, a limit of the adapter.
 */
export async function checkDispatch(device: Device, dispatch: DispatchDescription): Promise<CheckResult> {
  const { kernel } = dispatch;
  const spec: KernelSpec | undefined = allKernels.find(({ name }) => name === kernel);
  if (spec === undefined || !isKernelName(kernel)) {
    throw new HeddleError('usage', `checkDispatch: '${kernel}' is none of Heddle's kernels`);
  }
  const accumulates = dispatch.params.accumulate === 1 ? ['accumulate'] : [];
  const variant = [variantText(dispatch), ...accumulates].join(' ').trim();
  const facts = { kernel, variant, shape: shapeText(dispatch) };
  const total = { worst: 0, error: 0, elements: 0, wrong: 0 };
  let message: string | undefined;
  for (const trial of trials[kernel](subjectOf(dispatch, spec))) {
    try {
      const result = judge(await runTrial(device, spec, dispatch, trial), trial);
      total.worst = Math.max(total.worst, result.worst);
      total.error = Math.max(total.error, result.error);
      total.elements += result.elements;
      total.wrong += result.wrong;
      message ??= result.message;
    } catch (error) {
      device.check(); // what befell the device says nothing of the kernel
      if (!(error instanceof HeddleError) || error.code !== 'gpu') throw error;
      const elements = Object.values(trial.expected).reduce((sum, values) => sum + values.length, 0);
      const nothingRight = { worst: Number.POSITIVE_INFINITY, error: Number.POSITIVE_INFINITY };
      return { ...facts, ok: false, ...nothingRight, elements, wrong: elements, message: error.message };
    }
  }
  return { ...facts, ok: total.wrong === 0, ...total, ...(message === undefined ? {} : { message }) };
}
