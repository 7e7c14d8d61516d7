// Tests an optimizer's kernel against float64, alone on arrays of its own.

import { describe, expect, it } from 'vitest';
import type { RecordLayout } from '../../src/gpu/kernel.ts';
import type { Recorder } from '../../src/gpu/plan.ts';
import type { Tensor } from '../../src/gpu/tensor.ts';
import type * as reference from '../../src/ops/reference.ts';
import { type HostTensor, run } from '../../src/ops/run.ts';
import { brokenBits } from '../../src/ops/sgd.ts';
import { stepRecord } from '../../src/ops/step.ts';
import { hyperRecord } from '../../src/ops/trials-optim.ts';
import type { UpdateOptions } from '../../src/ops/update.ts';
import { expectWithin } from './compare.ts';
import { awkwardSizes, f32, floats } from './data.ts';
import { useDevice } from './device.ts';
import { runEach } from './run-each.ts';

/** A kernel in one of its variants, with hyper-parameters. */
export interface UpdateCase {
  readonly name: string;
  /** What is kept, by its bindings' names, and from which number on its elements may be. */
  readonly state: Readonly<Record<string, number>>;
  readonly layout: RecordLayout;
  readonly hyper: Readonly<Record<string, number>>;
  readonly record: (recorder: Recorder, options: UpdateOptions) => void;
  readonly reference: (arrays: reference.UpdateArrays) => Record<string, reference.Bounded[]>;
}

/** Random arrays; some gradients are 0, tiny and huge. */
function arraysOf({ state }: UpdateCase, size: number) {
  const gradient = floats(size, size + 1);
  if (size > 3) gradient.set([0, 1e-20, 1e10]);
  const kept = Object.entries(state).map(([name, from], i) => [name, floats(size, size + 2 + i, from)]);
  return {
    value: floats(size, size),
    gradient,
    ...(Object.fromEntries(kept) as Record<string, Float32Array>),
  };
}

/** As `run` takes them, with the step's loss in the second of three slots. */
function inputsOf({ layout, hyper }: UpdateCase, arrays: Readonly<Record<string, Float32Array>>) {
  const tensors = Object.entries(arrays).map(([name, data]) => [name, f32(data, data.length)]);
  const record = hyperRecord(layout, hyper);
  return {
    ...(Object.fromEntries(tensors) as Record<string, HostTensor>),
    hyper: f32(record, record.length),
    losses: f32([1, 2, 3], 3),
    step: stepRecord({ slot: 1 }),
  };
}

/** Records the case's kernel and gives what it writes. */
function update(
  recorder: Recorder,
  one: UpdateCase,
  t: Readonly<Record<string, Tensor>>,
): Record<string, Tensor> {
  const { value, gradient, hyper, losses, step, ...state } = t as Record<string, Tensor> & {
    [Name in keyof UpdateOptions]: Tensor;
  };
  one.record(recorder, { label: 'update', value, gradient, state, hyper, losses, step });
  return { value, ...state, losses };
}

/** Expects what is written within the reference's bounds, and the losses as they were. */
function expectStep(
  one: UpdateCase,
  arrays: reference.UpdateArrays,
  found: Record<string, ArrayLike<number>>,
) {
  const { losses, ...written } = found;
  expect([...(losses as Float32Array)]).toEqual([1, 2, 3]);
  const expected = one.reference(arrays);
  expect(Object.keys(written).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, values] of Object.entries(written))
    expectWithin(`${one.name} ${name}`, values, expected[name] ?? []);
}

/** Tests a kernel in all of these cases. */
export function testUpdates(cases: readonly UpdateCase[]): void {
  const device = useDevice();

  describe.each(cases)('$name', (one) => {
    it('does what float64 does, whatever the size', async () => {
      const trials = [4, 5, 6, 10, ...awkwardSizes].map((size) => arraysOf(one, size));
      const inputs = trials.map((arrays) => inputsOf(one, arrays));
      const found = await runEach(device(), inputs, (r, t) => update(r, one, t));
      trials.forEach((arrays, i) => void expectStep(one, arrays, found[i] ?? {}));
    });

    it('finds its elements in a grid of any shape', async () => {
      const arrays = arraysOf(one, 3001);
      for (const height of [1, 2, 7]) {
        const found = await run(device(), inputsOf(one, arrays), (recorder, t: Record<string, Tensor>) => {
          const folded: Recorder = {
            ...recorder,
            dispatch(kernel, request) {
              const [groups] = request.workgroups;
              recorder.dispatch(kernel, {
                ...request,
                workgroups: [Math.ceil(groups / height) + 1, height, 1],
              });
            },
          };
          return update(folded, one, t);
        });
        expectStep(one, arrays, found);
      }
    });

    it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
      'reports %d among values, gradients and what is kept, wherever it is',
      async (bad) => {
        const size = 66; // the last four reach beyond it, where NaNs lie
        const places = [0, 1, 2, 3, 4, 63, 64, 65];
        const whole = arraysOf(one, size);
        const trials = Object.keys(whole).flatMap((name) =>
          places.map((at) => {
            const broken = (whole[name as keyof typeof whole] as Float32Array).with(at, bad);
            return inputsOf(one, { ...whole, [name]: broken });
          }),
        );
        const found = await runEach(device(), trials, (r, t) => ({
          losses: update(r, one, t).losses as Tensor,
        }));
        for (const { losses } of found) {
          const bits = new Uint32Array(losses.buffer);
          expect([losses[0], bits[1], losses[2]]).toEqual([1, brokenBits, 3]);
        }
      },
    );

    it('reports what overflows, and leaves a loss that is not finite as it is', async () => {
      const arrays = arraysOf(one, 5);
      const uphill = one.hyper.direction as number;
      const value = arrays.value.with(2, -3.4e38 * uphill);
      const huge = { ...arrays, value, gradient: arrays.gradient.with(2, 3e38) };
      const lost = f32([1, Number.NaN, 3], 3);
      const found = await runEach(
        device(),
        [inputsOf(one, huge), { ...inputsOf(one, huge), losses: lost }],
        (r, t) => ({ losses: update(r, one, t).losses as Tensor }),
      );
      const bits = found.map(({ losses }) => new Uint32Array(losses.buffer)[1]);
      expect(bits).toEqual([brokenBits, new Uint32Array(lost.data.buffer)[1]]);
    });

    it('reports a value that overflows while all that is kept is finite', async () => {
      const momentum = ['exp_avg', 'momentum_buffer'].find((name) => Object.hasOwn(one.state, name));
      if (momentum === undefined) return; // a single step cannot be as long
      const arrays: Record<string, Float32Array> = arraysOf(one, 5);
      for (const name of Object.keys(arrays)) arrays[name] = new Float32Array(5);
      arrays.value = new Float32Array(5).with(2, -3.4e38);
      arrays[momentum] = new Float32Array(5).with(2, 3e38);
      const found = await run(device(), inputsOf(one, arrays), (r, t: Record<string, Tensor>) =>
        update(r, one, t),
      );
      expect(new Uint32Array((found.losses as Float32Array).buffer)[1]).toBe(brokenBits);
    });
  });
}
