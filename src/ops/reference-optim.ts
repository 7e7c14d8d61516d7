// What the optimizers' kernels should compute: one step of each, of numbers that float32 holds.

import { add, divide, exact, larger, multiply, squareRoot, subtract } from './bounded.ts';
import type { Bounded } from './reference.ts';

/** Arrays of one length by their bindings' names: `value`, `gradient`, and what the optimizer keeps. */
export type UpdateArrays = Readonly<Record<string, ArrayLike<number>>>;

/** Hyper-parameters by their names in the kernel's `struct Hyper`. */
type Hyper<Names extends string> = Readonly<Record<Names, number>>;

/** Goes over the elements: `of` gets a binding's element, and gives what is written. */
function elementwise(
  arrays: UpdateArrays,
  of: (at: (binding: string) => Bounded) => Readonly<Record<string, Bounded>>,
): Record<string, Bounded[]> {
  const written: Record<string, Bounded[]> = {};
  const { length } = arrays.value as ArrayLike<number>;
  for (let i = 0; i < length; i++) {
    const element = of((binding) => exact((arrays[binding] as ArrayLike<number>)[i] as number));
    for (const [name, bounded] of Object.entries(element)) {
      written[name] ??= [];
      written[name].push(bounded);
    }
  }
  return written;
}

/** Hyper-parameters as float32 holds them. */
const held = <Names extends string>(hyper: Hyper<Names>): Record<Names, Bounded> =>
  Object.fromEntries(
    Object.entries<number>(hyper).map(([name, value]) => [name, exact(Math.fround(value))]),
  ) as Record<Names, Bounded>;

/** The gradient as optimizers take it: with a sign, and weight decay added. */
const decayed = (
  at: (binding: string) => Bounded,
  { direction, weight_decay }: Record<CommonHyper, Bounded>,
): Bounded =>
  add(
    { ...at('gradient'), value: direction.value * at('gradient').value },
    multiply(weight_decay, at('value')),
  );

/** Names of every optimizer's hyper-parameters. */
type CommonHyper = 'weight_decay' | 'direction';

/** Names of adam.wgsl's hyper-parameters. */
type AdamHyper =
  | 'step_size'
  | 'keep'
  | CommonHyper
  | 'beta1'
  | 'one_minus_beta1'
  | 'beta2'
  | 'one_minus_beta2'
  | 'bias_correction2_sqrt'
  | 'eps';

/** A step of Adam or AdamW; with `max_exp_avg_sq` among the arrays, of AMSGrad. */
export function adam(arrays: UpdateArrays, hyper: Hyper<AdamHyper>): Record<string, Bounded[]> {
  const h = held(hyper);
  return elementwise(arrays, (at) => {
    const g = decayed(at, h);
    const exp_avg = add(multiply(h.beta1, at('exp_avg')), multiply(h.one_minus_beta1, g));
    const square = multiply(multiply(h.one_minus_beta2, g), g);
    const exp_avg_sq = add(multiply(h.beta2, at('exp_avg_sq')), square);
    const most = 'max_exp_avg_sq' in arrays ? larger(at('max_exp_avg_sq'), exp_avg_sq) : undefined;
    const root = squareRoot(most ?? exp_avg_sq);
    const change = divide(multiply(h.step_size, exp_avg), add(divide(root, h.bias_correction2_sqrt), h.eps));
    return {
      value: subtract(multiply(h.keep, at('value')), change),
      exp_avg,
      exp_avg_sq,
      ...(most && { max_exp_avg_sq: most }),
    };
  });
}

/** Names of sgd_momentum.wgsl's hyper-parameters. */
type SgdHyper = CommonHyper | 'lr' | 'momentum' | 'undampened' | 'gradient_share' | 'buffer_share';

/** A step of SGD; with momentum where `momentum_buffer` is among the arrays. */
export function sgdMomentum(arrays: UpdateArrays, hyper: Hyper<SgdHyper>): Record<string, Bounded[]> {
  const h = held(hyper);
  return elementwise(arrays, (at) => {
    const g = decayed(at, h);
    const step = (change: Bounded) => subtract(at('value'), multiply(h.lr, change));
    if (!('momentum_buffer' in arrays)) return { value: step(g) };
    const momentum_buffer = add(multiply(h.momentum, at('momentum_buffer')), multiply(h.undampened, g));
    const change = add(multiply(h.gradient_share, g), multiply(h.buffer_share, momentum_buffer));
    return { value: step(change), momentum_buffer };
  });
}

/** Names of rmsprop.wgsl's hyper-parameters. */
type RmspropHyper = CommonHyper | 'lr' | 'alpha' | 'one_minus_alpha' | 'eps' | 'momentum';

/** A step of RMSprop; centered and with momentum where `grad_avg` and `momentum_buffer` are among the arrays. */
export function rmsprop(arrays: UpdateArrays, hyper: Hyper<RmspropHyper>): Record<string, Bounded[]> {
  const h = held(hyper);
  return elementwise(arrays, (at) => {
    const written: Record<string, Bounded> = {};
    const g = decayed(at, h);
    const square = multiply(multiply(h.one_minus_alpha, g), g);
    const square_avg = add(multiply(h.alpha, at('square_avg')), square);
    let variance = square_avg;
    if ('grad_avg' in arrays) {
      const grad_avg = add(multiply(h.alpha, at('grad_avg')), multiply(h.one_minus_alpha, g));
      variance = larger(subtract(square_avg, multiply(grad_avg, grad_avg)), exact(0));
      written.grad_avg = grad_avg;
    }
    let change = divide(g, add(squareRoot(variance), h.eps));
    if ('momentum_buffer' in arrays) {
      change = add(change, multiply(h.momentum, at('momentum_buffer')));
      written.momentum_buffer = change;
    }
    return { ...written, square_avg, value: subtract(at('value'), multiply(h.lr, change)) };
  });
}

/** A step of Adagrad. */
export function adagrad(
  arrays: UpdateArrays,
  hyper: Hyper<CommonHyper | 'rate' | 'eps'>,
): Record<string, Bounded[]> {
  const h = held(hyper);
  return elementwise(arrays, (at) => {
    const g = decayed(at, h);
    const sum = add(at('sum'), multiply(g, g));
    const change = divide(multiply(h.rate, g), add(squareRoot(sum), h.eps));
    return { value: subtract(at('value'), change), sum };
  });
}
