// Random numbers that follow from what they are for instead of from how many were drawn before. Ours, not PyTorch's.

/** The numbers of one place: a place is a list of whole numbers, e.g. epoch, row and purpose. */
export interface PlaceRandom {
  /** The next whole number of 0 … 2³²-1. */
  random32(): number;
  /** The next number of [0, 1), a multiple of 2⁻³². */
  uniform(): number;
  /** The next whole number of 0 … n-1. */
  below(n: number): number;
}

/**
 * MurmurHash3 (x86, 32 bits; Appleby, public domain) of `words`, each taken as its low 32 bits, starting from `seed`.
 */
export function hashWords(seed: number, words: ArrayLike<number>): number {
  let hash = seed | 0;
  for (let i = 0; i < words.length; i++) hash = mixed(hash, words[i] as number);
  return finished(hash, words.length);
}

/** A source of numbers for places, the same on every machine; the nth number of a place is a hash of seed, place and n. */
export interface PlacedRandom extends PlaceRandom {
  /** Goes to the beginning of a place; returns itself. */
  at(...place: readonly number[]): PlacedRandom;
}

/** The numbers of `seed`, of which the low 32 bits count. */
export function placedRandom(seed: number): PlacedRandom {
  let start = seed | 0;
  let words = 0;
  let drawn = 0;
  const random: PlacedRandom = {
    at(...place) {
      start = place.reduce(mixed, seed | 0);
      words = place.length + 1;
      drawn = 0;
      return random;
    },
    random32: () => finished(mixed(start, drawn++), words),
    uniform: () => random.random32() / 2 ** 32,
    below: (n) => Math.floor(random.uniform() * n),
  };
  return random;
}

function mixed(hash: number, word: number): number {
  const spread = Math.imul(rotated(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
  return (Math.imul(rotated(hash ^ spread, 13), 5) + 0xe6546b64) | 0;
}

function finished(hash: number, words: number): number {
  let bits = hash ^ (4 * words);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return (bits ^ (bits >>> 16)) >>> 0;
}

function rotated(bits: number, by: number): number {
  return (bits << by) | (bits >>> (32 - by));
}
