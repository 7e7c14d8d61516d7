// What the kernels of optimizers and clipping are tried on.

import { type RecordLayout, writeRecord } from '../gpu/kernel.ts';
import { adagradHyper, adamHyper, rmspropHyper, sgdMomentumHyper } from './kernels.generated.ts';
import * as reference from './reference.ts';
import { type Bounded, within } from './reference.ts';
import { nan, nothing, type Subject, type Trial, type Trials } from './trial.ts';

/** Hyper-parameters as a kernel reads them. */
export function hyperRecord(layout: RecordLayout, values: Readonly<Record<string, number>>): Float32Array {
  const data = new Float32Array(layout.size / 4);
  writeRecord(new DataView(data.buffer), 0, layout, values);
  return data;
}

/** A step on random data, which must be right; and one with a gradient that is infinite, which must be reported. */
function trialsOf<Names extends string>(
  { count, floats }: Subject,
  layout: RecordLayout<Names>,
  hyper: Readonly<Record<Names, number>>,
  {
    state,
    step,
  }: {
    /** Names of what is kept, and whether this variant does; all of it is ≥ 0. */
    readonly state: Readonly<Record<string, boolean>>;
    readonly step: (
      arrays: reference.UpdateArrays,
      hyper: Readonly<Record<Names, number>>,
    ) => Readonly<Record<string, readonly Bounded[]>>;
  },
): Trial[] {
  const size = count('value');
  const names = Object.keys(state);
  const kept = names.filter((name) => state[name]);
  const unused = names.filter((name) => !state[name]).map((name) => [name, nothing(4)]);
  const arrays = {
    value: floats(size),
    gradient: floats(size),
    ...Object.fromEntries(kept.map((name) => [name, floats(size, 0, 1)])),
  };
  const loss = new Float32Array(count('loss')).fill(1); // stays, since all is finite
  const losses = within(loss, 0);
  const inputs = { ...arrays, ...Object.fromEntries(unused), loss, hyper: hyperRecord(layout, hyper) };
  const broken = { ...inputs, gradient: arrays.gradient.with(size - 1, Number.POSITIVE_INFINITY) };
  return [
    { inputs, expected: { ...step(arrays, hyper), loss: losses } },
    { inputs: broken, expected: { loss: losses.with(0, nan) } },
  ];
}

/** Bits of an infinity. */
const infinity = 0x7f800000;

const exactBits = (value: number): Bounded => ({ value, bound: 0 });

/** Numbers that float32 holds, as u32s of their bits. */
const asBits = (values: readonly Bounded[]): Bounded[] => {
  const bits = new Uint32Array(Float32Array.from(values, ({ value }) => value).buffer);
  return Array.from(bits, exactBits);
};

/** The trials of the kernels of optimizers and clipping. */
export const optimTrials: Trials<
  'adam' | 'sgd_momentum' | 'rmsprop' | 'adagrad' | 'sum_squares' | 'clip_gradient'
> = {
  adam(subject) {
    const hyper = {
      step_size: 0.125,
      keep: 0.75,
      weight_decay: 0.5,
      direction: -1,
      beta1: 0.75,
      one_minus_beta1: 0.25,
      beta2: 0.875,
      one_minus_beta2: 0.125,
      bias_correction2_sqrt: 0.5,
      eps: 0.25,
    };
    return trialsOf(subject, adamHyper, hyper, {
      state: { exp_avg: true, exp_avg_sq: true, max_exp_avg_sq: subject.on('AMSGRAD') },
      step: reference.adam,
    });
  },

  sgd_momentum(subject) {
    const hyper = {
      lr: 0.125,
      weight_decay: 0.5,
      direction: -1,
      momentum: 0.75,
      undampened: 0.875,
      gradient_share: 1,
      buffer_share: 0.75,
    };
    return trialsOf(subject, sgdMomentumHyper, hyper, {
      state: { momentum_buffer: subject.on('MOMENTUM') },
      step: reference.sgdMomentum,
    });
  },

  rmsprop(subject) {
    const hyper = {
      lr: 0.125,
      weight_decay: 0.5,
      direction: -1,
      alpha: 0.75,
      one_minus_alpha: 0.25,
      eps: 0.25,
      momentum: 0.75,
    };
    return trialsOf(subject, rmspropHyper, hyper, {
      state: {
        square_avg: true,
        grad_avg: subject.on('CENTERED'),
        momentum_buffer: subject.on('MOMENTUM'),
      },
      step: reference.rmsprop,
    });
  },

  adagrad(subject) {
    const hyper = { rate: 0.125, weight_decay: 0.5, direction: -1, eps: 0.25 };
    return trialsOf(subject, adagradHyper, hyper, { state: { sum: true }, step: reference.adagrad });
  },

  sum_squares({ count, whole }) {
    const x = whole(count('x'), 3);
    const parts = count('partial') / 2;
    const huge = x.with(0, 2 ** 100); // its square is beyond float32
    const broken = x.with(x.length - 1, Number.NaN);
    const sums = (of: Float32Array, bound: number) =>
      asBits(reference.sumSquares(of, parts).map(({ value }) => ({ value, bound })));
    const whose = Math.floor((x.length - 1) / 256) % parts;
    return [
      { inputs: { x, partial: new Uint32Array(2 * parts) }, expected: { partial: sums(x, 0) } },
      { inputs: { x: huge, partial: new Uint32Array(2 * parts) }, expected: { partial: sums(huge, 0) } },
      {
        inputs: { x: broken, partial: new Uint32Array(2 * parts) },
        // A bound of everything on what is not to be seen: the first sum of the part with the NaN.
        expected: {
          partial: sums(x, 0).map((one, i) =>
            i === 2 * whose ? { ...one, bound: 2 ** 32 } : i === 2 * whose + 1 ? exactBits(infinity) : one,
          ),
        },
      },
    ];
  },

  clip_gradient({ params, on, count, floats }) {
    const gradient = floats(count('gradient'));
    const limit = params.limit as number;
    const broken = gradient.with(gradient.length - 1, Number.NEGATIVE_INFINITY);
    if (on('VALUE'))
      return [gradient, broken].map((given) => ({
        inputs: { gradient: given.map((v) => 2 * limit * v), partial: new Uint32Array(4) },
        expected: {
          gradient: reference.clipGradientValue(
            given.map((v) => 2 * limit * v),
            limit,
          ),
        },
      }));
    const parts = count('partial') / 2;
    // Of norms around the limit: what is clipped, what is not, and gradients that are huge.
    const sums = (share: number, second: number) =>
      Float32Array.from({ length: 2 * parts }, (_, i) =>
        i % 2 === 0 ? (share * limit) ** 2 / parts : second,
      );
    const bitsOf = (data: Float32Array) => new Uint32Array(data.buffer);
    const ordinary = [sums(0.5, 0), sums(2, 0), sums(2, 1)].map((partial) => ({
      inputs: { gradient, partial: bitsOf(partial) },
      expected: { gradient: reference.clipGradientNorm(gradient, partial, limit) },
    }));
    const reported = bitsOf(sums(2, 0)).with(2 * parts - 1, infinity);
    return [
      ...ordinary,
      { inputs: { gradient: broken, partial: reported }, expected: { gradient: within(broken, 0) } },
    ];
  },
};
