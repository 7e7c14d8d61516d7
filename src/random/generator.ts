// PyTorch's CPU random numbers: mt19937 (pure-rand's) with PyTorch's seeding, 64-bit draws and float32 uniforms.
// Owns the default generator, the one piece of module state here. Knows nothing of layers or data sets.

import { mersenne, mersenneFromState } from 'pure-rand/generator/mersenne';
import { HeddleError } from '../errors.ts';
import { fusedAdd } from './fused.ts';
import { normalBlock, uniformToNormal } from './normal.ts';

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
  /**
   * Fills `out` as `Tensor.normal_(mean, std)` does for float32; returns `out`. From 16 elements on they are PyTorch's to
   * the bit on x86 with AVX2, and may differ in their last bits elsewhere; fewer are made in float64, two at a time, and
   * the second of the last two may be left for the next call.
   */
  normal(out: Float32Array, mean: number, std: number): Float32Array;
  /**
   * A copy of the state, 625 words, or two more when a normal number is left over; `setState` of it continues the stream
   * from here.
   */
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
  const uniform24 = () => (twister.next() & 0xffffff) / 0x1000000;
  const uniform53 = () => Number(generator.random64() & 0x1fffffffffffffn) / 2 ** 53;
  /** The second number of a pair of normal ones whose first has been used. */
  let spare: number | undefined;
  /** As `at::normal_distribution<double>` makes them. */
  const fewNormals = (out: Float32Array, mean: number, std: number): Float32Array => {
    for (let i = 0; i < out.length; i++) {
      let value = spare;
      spare = undefined;
      if (value === undefined) {
        const angle = 2 * Math.PI * uniform53();
        const radius = Math.sqrt(-2 * Math.log1p(-uniform53()));
        value = radius * Math.cos(angle);
        spare = radius * Math.sin(angle);
      }
      out[i] = value * std + mean;
    }
    return out;
  };
  const generator: Generator = {
    get seed() {
      return word;
    },
    manualSeed(next) {
      word = seedWord(next);
      twister = mersenne(word);
      spare = undefined;
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
      // PyTorch is compiled with multiply-add contraction, so product and sum are rounded once.
      for (let i = 0; i < out.length; i++) out[i] = fusedAdd(uniform24() * range, low);
      return out;
    },
    normal(out, mean, std) {
      if (!(std >= 0 && Number.isFinite(std) && Number.isFinite(mean))) {
        throw new HeddleError(
          'usage',
          `normal: expected finite mean and std >= 0, got mean ${mean}, std ${std}.`,
        );
      }
      if (out.length < normalBlock) return fewNormals(out, mean, std);
      const [center, scale] = [Math.fround(mean), Math.fround(std)];
      const whole = out.length - (out.length % normalBlock);
      for (let i = 0; i < out.length; i++) out[i] = uniform24();
      for (let i = 0; i < whole; i += normalBlock) uniformToNormal(out, i, center, scale);
      if (whole < out.length) {
        // The last 16 are made anew, those among them that were made already too.
        const last = out.length - normalBlock;
        for (let i = last; i < out.length; i++) out[i] = uniform24();
        uniformToNormal(out, last, center, scale);
      }
      return out;
    },
    state() {
      const words = twister.getState().map((word) => word >>> 0);
      return Uint32Array.from(
        spare === undefined ? words : [...words, ...new Uint32Array(Float64Array.of(spare).buffer)],
      );
    },
    setState(state) {
      const words = Array.from(state);
      const isWord = (word: number) => Number.isInteger(word) && word >= 0 && word < 2 ** 32;
      const left = words.splice(STATE_WORDS);
      const isLeft = left.length === 0 || (left.length === 2 && left.every(isWord));
      if (words.length !== STATE_WORDS || !words.every(isWord) || !isLeft || words[0]! >= STATE_WORDS - 1) {
        throw new HeddleError(
          'usage',
          `setState: expected the ${STATE_WORDS} words of a generator's state(), or two more.`,
        );
      }
      spare = left.length === 0 ? undefined : new Float64Array(Uint32Array.from(left).buffer)[0];
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
