// What the optimizers' kernels are tried on.

import { type RecordLayout, writeRecord } from '../gpu/kernel.ts';
import { adagradHyper, adamHyper, rmspropHyper, sgdMomentumHyper } from './kernels.generated.ts';
import * as reference from './reference.ts';
import { type Bounded, within } from './reference.ts';
import { nan, type Subject, type Trial, type Trials } from './trial.ts';

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
    /** Names of what is kept; all of it is ≥ 0. */
    readonly state: readonly string[];
    readonly step: (
      arrays: reference.UpdateArrays,
      hyper: Readonly<Record<Names, number>>,
    ) => Readonly<Record<string, readonly Bounded[]>>;
  },
): Trial[] {
  const size = count('value');
  const arrays = {
    value: floats(size),
    gradient: floats(size),
    ...Object.fromEntries(state.map((name) => [name, floats(size, 0, 1)])),
  };
  const loss = new Float32Array(count('loss')).fill(1); // stays, since all is finite
  const losses = within(loss, 0);
  const inputs = { ...arrays, loss, hyper: hyperRecord(layout, hyper) };
  const broken = { ...inputs, gradient: arrays.gradient.with(size - 1, Number.POSITIVE_INFINITY) };
  return [
    { inputs, expected: { ...step(arrays, hyper), loss: losses } },
    { inputs: broken, expected: { loss: losses.with(0, nan) } },
  ];
}

/** The trials of the optimizers' kernels. */
export const optimTrials: Trials<'adam' | 'sgd_momentum' | 'rmsprop' | 'adagrad'> = {
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
    const most = subject.on('AMSGRAD') ? ['max_exp_avg_sq'] : [];
    return trialsOf(subject, adamHyper, hyper, {
      state: ['exp_avg', 'exp_avg_sq', ...most],
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
      state: subject.on('MOMENTUM') ? ['momentum_buffer'] : [],
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
    const centered = subject.on('CENTERED') ? ['grad_avg'] : [];
    const momentum = subject.on('MOMENTUM') ? ['momentum_buffer'] : [];
    return trialsOf(subject, rmspropHyper, hyper, {
      state: ['square_avg', ...centered, ...momentum],
      step: reference.rmsprop,
    });
  },

  adagrad(subject) {
    const hyper = { rate: 0.125, weight_decay: 0.5, direction: -1, eps: 0.25 };
    return trialsOf(subject, adagradHyper, hyper, { state: ['sum'], step: reference.adagrad });
  },
};
