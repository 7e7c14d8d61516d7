// Waiting for the GPU in Node: what comes through, and how often the thread naps.

import { afterEach, expect, it, vi } from 'vitest';
import { awaitGpu } from '../../src/platform/node-waiting.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** A promise that is kept after so many turns of the event loop, as Dawn's are. */
async function keptAfter<T>(turns: number, value: T): Promise<T> {
  for (let i = 0; i < turns; i++) await new Promise(setImmediate);
  return value;
}

it('passes on values and failures', async () => {
  await expect(awaitGpu(keptAfter(3, 'mapped'))).resolves.toBe('mapped');
  await expect(awaitGpu(Promise.reject(new Error('lost')))).rejects.toThrow('lost');
});

it('naps at most once a turn and 1 ms at a time, however many wait and follow each other', async () => {
  const naps: number[] = [];
  const wait = vi.spyOn(Atomics, 'wait').mockImplementation((_array, _index, _value, milliseconds) => {
    naps.push(milliseconds as number);
    return 'timed-out';
  });
  let turns = 0;
  let counting = true;
  const count = async () => {
    for (; counting; turns++) await new Promise(setImmediate);
  };
  const counted = count();
  for (let round = 0; round < 50; round++) {
    await Promise.all([1, 2, 3].map((more) => awaitGpu(keptAfter(more + (round % 3), round))));
  }
  counting = false;
  await counted;
  expect(naps.length).toBeGreaterThan(50);
  expect(naps.length).toBeLessThanOrEqual(turns + 1);
  expect(Math.max(...naps)).toBeLessThanOrEqual(1);

  const before = wait.mock.calls.length;
  await keptAfter(5, undefined);
  expect(wait.mock.calls.length, 'nobody waits, nobody naps').toBe(before);
});

it('lets timers come through while it waits', async () => {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  await awaitGpu(keptAfter(200, undefined));
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(1);
});
