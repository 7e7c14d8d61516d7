// dropout.wgsl against its hash on the host, and its masks against what chance allows.

import { expect, it } from 'vitest';
import { dropout } from '../../src/ops/dropout.ts';
import { run } from '../../src/ops/run.ts';
import { stepRecord } from '../../src/ops/step.ts';
import { hashWords } from '../../src/random/counter.ts';
import { awkwardSizes, f32, floats, manyRows } from '../support/data.ts';
import { useDevice } from '../support/device.ts';
import { runEach } from '../support/run-each.ts';

const device = useDevice();
const label = 'y';

/** Masks of `size` elements, 1 where one stays, for the given draws. */
async function masks(size: number, p: number, seed: number, stream: number, draws: readonly number[]) {
  const ones = f32(new Float32Array(size).fill(1), size);
  const trials = draws.map((draw) => ({ x: ones, step: stepRecord({ draw }) }));
  const found = await runEach(device(), trials, (r, t) => ({
    y: dropout(r, { label, p, seed, stream, ...t }),
  }));
  return found.map(({ y }) => Array.from(y, (v): number => (v === 0 ? 0 : 1)));
}

it.each([0.5, 0.1, 0.9, 0, 1])('drops what the hash says with p = %d, and scales the rest', async (p) => {
  const [seed, stream, draw] = [0xdeadbeef, 3, 0xfffffff1];
  const trials = [...awkwardSizes, manyRows].map((size) => ({
    x: f32(floats(size, size), size),
    step: stepRecord({ draw }),
  }));
  const found = await runEach(device(), trials, (r, t) => ({
    y: dropout(r, { label, p, seed, stream, ...t }),
  }));
  trials.forEach(({ x }, t) => {
    const scale = p === 1 ? 0 : Math.fround(1 / (1 - p));
    const expected = x.data.map((v, i) =>
      p === 0 || (p < 1 && hashWords(seed, [stream, draw, i]) >= p * 2 ** 32) ? v * scale : 0,
    );
    // Equal but for the sign of a 0.
    expect([...(found[t]?.y ?? [])].map((v) => v + 0)).toEqual([...expected].map((v) => v + 0));
  });
});

it('keeps the share of elements that it should, within five standard deviations', async () => {
  const size = 100_000;
  for (const p of [0.5, 0.1, 0.75]) {
    for (const mask of await masks(size, p, 1, 0, [1, 2])) {
      const kept = mask.reduce((sum, v) => sum + v, 0);
      expect(Math.abs(kept - size * (1 - p))).toBeLessThan(5 * Math.sqrt(size * p * (1 - p)));
    }
  }
});

it('neighbours, steps, streams and seeds have nothing to do with each other', async () => {
  const size = 100_000;
  const [a = [], next = []] = await masks(size, 0.5, 1, 0, [1, 2]);
  const [otherStream = []] = await masks(size, 0.5, 1, 1, [1]);
  const [otherSeed = []] = await masks(size, 0.5, 2, 0, [1]);
  const shifted = (by: number) => [...a.slice(by), ...a.slice(0, by)];
  // Agreements of two independent fair masks: binomial, with a standard deviation of √size / 2.
  for (const b of [next, otherStream, otherSeed, shifted(1), shifted(2), shifted(64)]) {
    const agreements = a.reduce((sum, v, i) => sum + (v === b[i] ? 1 : 0), 0);
    expect(Math.abs(agreements - size / 2)).toBeLessThan(2.5 * Math.sqrt(size));
  }
  const [again] = await masks(size, 0.5, 1, 0, [1]);
  expect(again).toEqual(a);
});

it('a NaN stays a NaN, kept or dropped', async () => {
  const x = f32(new Float32Array(64).fill(Number.NaN), 64);
  const { y } = await run(device(), { x, step: stepRecord({}) }, (r, t) => ({
    y: dropout(r, { label, p: 0.5, seed: 1, stream: 0, x: t.x, step: t.step }),
  }));
  expect(y.every(Number.isNaN)).toBe(true);
});

it('works on a grid of more than one line', async () => {
  const size = 64 * 65_535 + 1;
  const x = f32(new Float32Array(size).fill(1), size);
  const { y } = await run(device(), { x, step: stepRecord({ draw: 5 }) }, (r, t) => ({
    y: dropout(r, { label, p: 0.5, seed: 9, stream: 2, x: t.x, step: t.step }),
  }));
  for (const i of [0, size - 2, size - 1]) expect(y[i]).toBe(hashWords(9, [2, 5, i]) >= 2 ** 31 ? 2 : 0);
});
