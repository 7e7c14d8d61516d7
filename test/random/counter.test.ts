// Numbers by place: known values, and that places do not look like each other.

import { describe, expect, it } from 'vitest';
import { hashWords, placedRandom } from '../../src/random/counter.ts';

describe('hashWords', () => {
  it.each([
    // As published for MurmurHash3_x86_32; the first two are of the text "test".
    [0, [0x74736574], 0xba6bd213],
    [0x9747b28c, [0x74736574], 0x704b81dc],
    [0, [], 0],
    [1, [], 0x514e28b7],
    [0, [0], 0x2362f9de],
    [0, [0xffffffff], 0x76293b50],
    [0, [0x87654321], 0xf55b516b],
    [0x5082edee, [0x87654321], 0x2362f9de],
  ])('seed %i, words %j', (seed, words, hash) => {
    expect(hashWords(seed, words)).toBe(hash);
  });
});

describe('placedRandom', () => {
  const draws = (seed: number, place: number[], count = 4) => {
    const random = placedRandom(seed).at(...place);
    return Array.from({ length: count }, () => random.random32());
  };

  it('is the hash of seed, place and number of the draw', () => {
    expect(draws(7, [3, 1, 0])).toEqual([0, 1, 2, 3].map((n) => hashWords(7, [3, 1, 0, n])));
    const random = placedRandom(7).at(0);
    random.random32();
    expect(random.at(3, 1, 0).random32()).toBe(hashWords(7, [3, 1, 0, 0]));
  });

  it('differs between seeds, places and draws', () => {
    const all = [0, 1, 2].flatMap((seed) =>
      [0, 1, 2].flatMap((a) => [0, 1, 2].flatMap((b) => draws(seed, [a, b], 50))),
    );
    expect(new Set(all).size).toBe(all.length);
  });

  it('is spread evenly over rows, the first draw of each', () => {
    const [rows, bins] = [64_000, 16];
    const counts = new Array<number>(bins).fill(0);
    const random = placedRandom(0);
    for (let row = 0; row < rows; row++) counts[random.at(0, row, 0).below(bins)]!++;
    const expected = rows / bins;
    const chiSquared = counts.reduce((sum, n) => sum + (n - expected) ** 2 / expected, 0);
    expect(chiSquared).toBeLessThan(37.7); // 15 degrees of freedom, 1 in 1000
    expect(counts.every((n) => n > 0)).toBe(true);
  });
});
