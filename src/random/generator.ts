// PyTorch's CPU random numbers: mt19937 (pure-rand's) with PyTorch's seeding, 64-bit draws and float32 uniforms.
// Owns the default generator, the one piece of module state here. Knows nothing of layers or data sets.

import { mersenne, mersenneFromState } from 'pure-rand/generator/mersenne';
import { HeddleError } from '../errors.ts';

/** A stream of random numbers equal to that of a PyTorch CPU generator with the same seed. */
export interface Generator {
  /** The seed that it was last given, as far as it counts: its low 32 bits. */
  readonly seed: number;
  /** Restarts the stream, as `torch.Generator.manual_seed`; returns the generator. Throws `usage` for a bad seed. */
  manualSeed(seed: number | bigint): Generator;
  /** The next 32-bit draw, 0 … 2³²-1. */
  random32(): number;
  /** The next 64-bit draw, 0 … 2⁶⁴-1; takes two 32-bit draws, the first is the high half. */
  random64(): bigint;
  /** Fills `out` as `Tensor.uniform_(from, to)` does for float32, one draw an element; returns `out`. */
  uniform(out: Float32Array, from: number, to: number): Float32Array;
  /** A copy of the state, 625 words; `setState` of it continues the stream from here. */
  state(): Uint32Array;
  /** Continues from a `state()`. Throws `usage` for anything that cannot be one. */
  setState(state: ArrayLike<number>): void;
}

const STATE_WORDS = 625;
const MIN_SEED = -(2n ** 63n);
const MAX_SEED = 2n ** 64n - 1n;

/** The seed that PyTorch's default generator has until `manualSeed` is called (`c10::detail::default_rng_seed_val`). */
export const DEFAULT_SEED = 67280421310721;

/**
 * A generator of its own, as `torch.Generator().manual_seed(seed)`.
 * Only the low 32 bits of a seed count, as in PyTorch. Throws `usage` for a seed that PyTorch would refuse.
 */
export function createGenerator(seed: number | bigint = DEFAULT_SEED): Generator {
  let word = seedWord(seed);
  let twister = mersenne(word);
  const random32 = () => twister.next() >>> 0;
  const generator: Generator = {
    get seed() {
      return word;
    },
    manualSeed(next) {
      word = seedWord(next);
      twister = mersenne(word);
      return generator;
    },
    random32,
    random64() {
      const high = BigInt(random32());
      return (high << 32n) | BigInt(random32());
    },
    uniform(out, from, to) {
      const low = Math.fround(from);
      const range = Math.fround(Math.fround(to) - low);
      if (!(range >= 0 && Number.isFinite(range))) {
        throw new HeddleError('usage', `uniform: expected finite from <= to, got from ${from}, to ${to}.`);
      }
      for (let i = 0; i < out.length; i++) {
        out[i] = fusedAdd(((twister.next() & 0xffffff) / 0x1000000) * range, low);
      }
      return out;
    },
    state: () => Uint32Array.from(twister.getState(), (word) => word >>> 0),
    setState(state) {
      const words = Array.from(state);
      const isWord = (word: number) => Number.isInteger(word) && word >= 0 && word < 2 ** 32;
      if (words.length !== STATE_WORDS || !words.every(isWord) || words[0]! >= STATE_WORDS - 1) {
        throw new HeddleError(
          'usage',
          `setState: expected the ${STATE_WORDS} words of a generator's state().`,
        );
      }
      twister = mersenneFromState(words.map((word, i) => (i === 0 ? word : word | 0)));
    },
  };
  return generator;
}

/** The generator that initialises layers and shuffles loaders unless they are given one; PyTorch's default generator. */
export const defaultGenerator: Generator = createGenerator();

/**
 * Restarts the default generator, as `torch.manual_seed(seed)`, and returns it.
 * Takes integers of -2⁶³ … 2⁶⁴-1 (beyond 2⁵³ as bigint), of which the low 32 bits count; throws `usage` for others.
 */
export function manualSeed(seed: number | bigint): Generator {
  return defaultGenerator.manualSeed(seed);
}

function seedWord(seed: number | bigint): number {
  const isInteger = typeof seed === 'bigint' || Number.isSafeInteger(seed);
  if (!isInteger || BigInt(seed) < MIN_SEED || BigInt(seed) > MAX_SEED) {
    const hint =
      typeof seed === 'number' && Number.isInteger(seed) ? ' Give integers beyond 2^53 as bigint.' : '';
    throw new HeddleError(
      'usage',
      `seed: expected an integer of -2^63 to 2^64-1, got ${String(seed)}.${hint}`,
    );
  }
  return Number(BigInt.asUintN(32, BigInt(seed)));
}

// PyTorch is compiled with multiply-add contraction, so product and sum are rounded once, to float32. The product of
// two float32 is exact in float64; the sum is too for ranges around zero, but not always: then rounding to float64 and
// again to float32 could differ, unless the first rounding is to odd (53 bits are enough for that, 2 * 24 + 2 <= 53).
function fusedAdd(product: number, term: number): number {
  const sum = product + term;
  const part = sum - product;
  const error = product - (sum - part) + (term - part);
  return Math.fround(error === 0 ? sum : roundToOdd(sum, error));
}

const float = new Float64Array(1);
const bits = new BigInt64Array(float.buffer);

function roundToOdd(sum: number, error: number): number {
  float[0] = sum;
  const word = bits[0]!;
  if ((word & 1n) === 0n) bits[0] = error > 0 === sum > 0 ? word + 1n : word - 1n;
  return float[0];
}
