// What Node's side of the platform tells lavapipe before it loads.

import { existsSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { requestGpu } from '../../src/platform/node.ts';
import { adviseLavapipe, lavapipeBits, lavapipeThreads } from '../../src/platform/node-lavapipe.ts';
import { temporaryFolder } from '../cli/support.ts';

afterEach(() => void vi.unstubAllEnvs());

describe('threads of lavapipe', () => {
  it('are two for each of a few cores, and its own choice otherwise', () => {
    expect([1, 2, 3, 4, 5, 64].map(lavapipeThreads)).toEqual([undefined, 4, 6, 8, undefined, undefined]);
  });

  it('are asked for when the first adapter is', async () => {
    vi.stubEnv('LP_NUM_THREADS', undefined);
    await requestGpu({ adapter: 'none of this name' });
    const threads = lavapipeThreads(availableParallelism());
    expect(process.env.LP_NUM_THREADS).toBe(threads === undefined ? undefined : String(threads));
  });

  it('stay as the environment has them', async () => {
    vi.stubEnv('LP_NUM_THREADS', '3');
    await requestGpu({ adapter: 'nor of this' });
    expect(process.env.LP_NUM_THREADS).toBe('3');
  });
});

const cpu = (vendor: string, family: number, flags: string) =>
  [
    'processor\t: 0',
    `vendor_id\t: ${vendor}`,
    `cpu family\t: ${family}`,
    'model\t\t: 2',
    `flags\t\t: fpu avx2 ${flags} clzero`,
    '',
    'processor\t: 1',
  ].join('\n');
const avx512 = 'avx512f avx512dq avx512bw avx512vl';

describe('vectors of lavapipe', () => {
  it('have 512 bits on CPUs that were measured to be the faster for it', () => {
    expect(lavapipeBits(cpu('AuthenticAMD', 26, avx512))).toBe(512);
    expect(lavapipeBits(cpu('AuthenticAMD', 27, avx512))).toBe(512);
    expect(lavapipeBits(cpu('AuthenticAMD', 25, avx512))).toBeUndefined();
    expect(lavapipeBits(cpu('GenuineIntel', 26, avx512))).toBeUndefined();
    expect(lavapipeBits(cpu('AuthenticAMD', 26, 'avx512f'))).toBeUndefined(); // a hypervisor may hide some
    expect(lavapipeBits('')).toBeUndefined();
  });

  const advised = (bits: string, cache: string) => {
    vi.stubEnv('LP_NATIVE_VECTOR_WIDTH', bits);
    vi.stubEnv('MESA_SHADER_CACHE_DIR', cache);
    adviseLavapipe();
    return [process.env.LP_NATIVE_VECTOR_WIDTH, process.env.MESA_SHADER_CACHE_DIR];
  };

  it('of another width than 256 have a shader cache of their own, in processes started from here too', () => {
    const folder = temporaryFolder();
    const cache = join(folder, 'lavapipe-512');
    expect(advised('512', folder)).toEqual(['512', cache]);
    expect(existsSync(cache)).toBe(true);
    expect(advised('512', cache)).toEqual(['512', cache]);
    expect(advised('256', folder)).toEqual(['256', folder]);
  });

  it('are in the user’s cache unless told otherwise', () => {
    const folder = temporaryFolder();
    vi.stubEnv('XDG_CACHE_HOME', folder);
    expect(advised('512', '')).toEqual(['512', join(folder, 'heddle', 'lavapipe-512')]);
  });

  it('do without a cache where none can be made', () => {
    const file = join(temporaryFolder(), 'a-file');
    writeFileSync(file, '');
    vi.stubEnv('MESA_SHADER_CACHE_DISABLE', undefined);
    expect(advised('512', file)).toEqual(['512', file]);
    expect(process.env.MESA_SHADER_CACHE_DISABLE).toBe('true');
  });
});
