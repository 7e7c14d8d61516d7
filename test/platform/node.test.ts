// What Node's side of the platform tells a software driver before it loads.

import { availableParallelism } from 'node:os';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { requestGpu, softwareThreads } from '../../src/platform/node.ts';

describe('threads of a software driver', () => {
  afterEach(() => void vi.unstubAllEnvs());

  it('are two for each of a few cores, and the driver’s own choice otherwise', () => {
    expect([1, 2, 3, 4, 5, 64].map(softwareThreads)).toEqual([undefined, 4, 6, 8, undefined, undefined]);
  });

  it('are asked for when the first adapter is', async () => {
    vi.stubEnv('LP_NUM_THREADS', undefined);
    await requestGpu({ adapter: 'none of this name' });
    const threads = softwareThreads(availableParallelism());
    expect(process.env.LP_NUM_THREADS).toBe(threads === undefined ? undefined : String(threads));
  });

  it('stay as the environment has them', async () => {
    vi.stubEnv('LP_NUM_THREADS', '3');
    await requestGpu({ adapter: 'nor of this' });
    expect(process.env.LP_NUM_THREADS).toBe('3');
  });
});
