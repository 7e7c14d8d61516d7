// What the kernels of optimizers and clipping should compute: one step of each, of numbers that float32 holds.

import { add, divide, exact, larger, multiply, squareRoot, subtract } from './bounded.ts';
import { type Bounded, u } from './reference.ts';

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

/** Gradients of this size and more are summed apart, times `shrink`: their squares may be beyond float32. */
const large = 2 ** 32;
const shrink = 2 ** -80;

/**
 * The two sums of squares of each of `parts` workgroups, which take 256 elements in turn, each in a strand of its own: every
 * sum of a strand rounds, then 8 of the tree, and each square.
 */
export function sumSquares(x: ArrayLike<number>, parts: number): Bounded[] {
  const sums = new Float64Array(2 * parts);
  for (let i = 0; i < x.length; i++) {
    const v = x[i] as number;
    const [second, term] = Math.abs(v) < large ? [0, v] : [1, v * shrink];
    const at = 2 * (Math.floor(i / 256) % parts) + second;
    sums[at] = (sums[at] as number) + term * term;
  }
  const terms = Math.ceil(x.length / (256 * parts)) + 8 + 1;
  return Array.from(sums, (value) => ({ value, bound: 2 * terms * u * value + x.length * 2 ** -126 }));
}

/**
 * Gradients after their norm, from the partial sums, was brought to at most `limit`: the sums of up to 256 parts round
 * 10 times (in strands of 4, then a tree), and where there are large ones, a root squares again.
 */
export function clipGradientNorm(
  gradient: ArrayLike<number>,
  partial: ArrayLike<number>,
  limit: number,
): Bounded[] {
  const part = (i: number) => Array.from(partial).filter((_, at) => at % 2 === i);
  const sum = (values: number[]): Bounded => {
    const value = values.reduce((total, v) => total + v, 0);
    return { value, bound: 20 * u * value };
  };
  const [small, big] = [sum(part(0)), sum(part(1))];
  const scale = exact(big.value > 0 ? shrink : 1);
  const rest = multiply(squareRoot(small), scale);
  const norm = big.value > 0 ? squareRoot(add(big, multiply(rest, rest))) : rest;
  const epsilon = multiply(exact(Math.fround(1e-6)), scale);
  const factor = multiply(divide(exact(Math.fround(limit)), add(norm, epsilon)), scale);
  return Array.from(gradient, (v) => {
    const clipped = multiply(exact(v), factor);
    if (factor.value - factor.bound >= 1) return exact(v);
    // Near 1 it may be taken as 1.
    return factor.value + factor.bound >= 1
      ? { value: v, bound: Math.abs(v - clipped.value) + clipped.bound }
      : clipped;
  });
}

/** Finite gradients within ±limit. */
export const clipGradientValue = (gradient: ArrayLike<number>, limit: number): Bounded[] =>
  Array.from(gradient, (v) =>
    exact(Number.isFinite(v) ? Math.max(-Math.fround(limit), Math.min(Math.fround(limit), v)) : v),
  );
