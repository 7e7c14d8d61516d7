// Checks one recorded dispatch alone, on random data, against float64: what `heddle doctor` does on the user's own adapter
// with every dispatch of the user's own model. What a kernel is tried on is in trials.ts.

import { HeddleError, messageOf } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import type { KernelSpec } from '../gpu/kernel.ts';
import type { DispatchDescription } from '../gpu/plan.ts';
import { elementCount, type Tensor } from '../gpu/tensor.ts';
import { createGenerator } from '../random/generator.ts';
import { allKernels, type KernelName } from './kernels.generated.ts';
import * as reference from './reference.ts';
import { type HostTensor, run } from './run.ts';
import { stepRecord } from './step.ts';
import { type Subject, type Trial, trials } from './trials.ts';

/** How a dispatch did. */
export interface CheckResult {
  readonly kernel: KernelName;
  /** Constants that make the kernel's variant, e.g. `BIAS RELU LANES=8`, and `accumulate`; empty when there are none. */
  readonly variant: string;
  /** What it was tried on, e.g. `x [64, 512], bias [512], y [64, 512]`. */
  readonly shape: string;
  readonly ok: boolean;
  /** Largest error as a share of what is allowed; at most 1 when ok, infinite for an error where none is allowed. */
  readonly worst: number;
  /** Largest absolute error. */
  readonly error: number;
  /** Elements checked, and how many of them are wrong. */
  readonly elements: number;
  readonly wrong: number;
  /** What is wrong, when something is: count, first index, found and expected value. */
  readonly message?: string;
}

const isKernelName = (name: string): name is KernelName => Object.hasOwn(trials, name);

/** What makes a dispatch differ from others to a driver; labels do not. */
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

function shapeText({ bindings }: DispatchDescription): string {
  return bindings
    .filter(({ access }) => access !== 'uniform')
    .map(({ name, shape, dtype }) => `${name} [${shape.join(', ')}]${dtype === 'u8' ? ' u8' : ''}`)
    .join(', ');
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
  if (step !== undefined) host.step = stepRecord(step);
  const { label, params, constants, workgroups } = dispatch;
  return run(device, host, (recorder, bindings: Readonly<Record<string, Tensor>>) => {
    recorder.dispatch(spec, { label, bindings, params, constants, workgroups });
    return bindings;
  });
}

/**
 * Runs a recorded dispatch by itself on random data of its own shapes and holds the result to float64. Never throws for
 * what a kernel does wrong: the result tells.
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
  const trial = trials[kernel](subjectOf(dispatch, spec));
  const elements = Object.values(trial.expected).reduce((sum, values) => sum + values.length, 0);
  try {
    const found = await runTrial(device, spec, dispatch, trial);
    let [worst, error, wrong] = [0, 0, 0];
    let message: string | undefined;
    for (const [name, expected] of Object.entries(trial.expected)) {
      const values = found[name] as Float32Array | Uint32Array;
      const result = reference.compare(values, expected);
      worst = Math.max(worst, result.worst);
      error = Math.max(error, result.error);
      wrong += result.wrong;
      const { value, bound } = expected[result.first] ?? { value: 0, bound: 0 };
      if (result.wrong > 0) {
        const allowed = bound === 0 ? '' : ` ± ${bound.toPrecision(2)}`;
        message ??=
          `${result.wrong} of ${expected.length} elements of ${name} are wrong, the first at ${result.first}: ` +
          `found ${values[result.first]}, expected ${value}${allowed}; largest error ${result.error.toPrecision(3)}`;
      }
    }
    const judged = { ...facts, ok: wrong === 0, worst, error, elements, wrong };
    return message === undefined ? judged : { ...judged, message };
  } catch (error) {
    const worst = Number.POSITIVE_INFINITY;
    return { ...facts, ok: false, worst, error: worst, elements, wrong: elements, message: messageOf(error) };
  }
}
