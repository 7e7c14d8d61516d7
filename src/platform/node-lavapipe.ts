// What lavapipe, Mesa's software driver, is told before it loads: how many threads to compute with, and how many lanes.
// It reads its environment when the first adapter is asked for.

import { mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { basename, join } from 'node:path';
import { cacheFolder } from './cache-folder.ts';

/**
 * How many threads lavapipe should compute with on so many cores; undefined for its own choice, one a core. All threads are
 * woken for every dispatch, and share its workgroups evenly. With one a core Linux often puts two of them on one core and
 * leaves another idle until they are done; with two, a core without work finds a waiting thread. Measured on two cores: the
 * tutorial's step then takes 0.8 to 0.9 of its time. Each thread has to be woken, so not on many cores, where nothing was
 * measured.
 */
export const lavapipeThreads = (cores: number): number | undefined =>
  cores >= 2 && cores <= 4 ? 2 * cores : undefined;

/** What its kernels of 16 lanes need to be instructions rather than pairs of them. */
const neededFlags = ['avx512f', 'avx512bw', 'avx512dq', 'avx512vl'];
/** Zen 5, the first of AMD's to compute on all 512 bits at once. */
const wideFamily = 26;

/**
 * How many bits lavapipe's vectors should have on a CPU, from Linux's /proc/cpuinfo; undefined for its own choice, 256 at
 * most, which makes subgroups of 8 lanes. 512 where that was measured to be faster, AMD's Zen 5: the tutorial's step takes
 * 0.85 to 0.9 of its time there. Other CPUs with AVX-512 have not been measured.
 */
export function lavapipeBits(cpuinfo: string): number | undefined {
  const field = (name: string) => new RegExp(`^${name}\\s*: (.*)$`, 'm').exec(cpuinfo)?.[1] ?? '';
  const flags = field('flags').split(' ');
  const isWide = field('vendor_id') === 'AuthenticAMD' && Number(field('cpu family')) >= wideFamily;
  return isWide && neededFlags.every((flag) => flags.includes(flag)) ? 512 : undefined;
}

function cpuinfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    return '';
  }
}

/**
 * Where lavapipe is to keep what it compiles for vectors of other than 256 bits. Mesa 25 keeps functions that read textures
 * by the texture alone: one that was compiled for another width is found again, and gives zeros in half of the lanes.
 */
function ownCache(bits: string): string {
  const name = `lavapipe-${bits}`;
  const { platform, env } = process;
  const base = env.MESA_SHADER_CACHE_DIR || cacheFolder({ platform, env, home: homedir() });
  return basename(base) === name ? base : join(base, name); // a process of ours may have started this one
}

/** Tells it, where the environment does not already. */
export function adviseLavapipe(): void {
  const { env } = process;
  const threads = lavapipeThreads(availableParallelism());
  if (threads !== undefined) env.LP_NUM_THREADS ??= String(threads);
  const bits = env.LP_NATIVE_VECTOR_WIDTH ?? lavapipeBits(cpuinfo())?.toString();
  if (bits === undefined || bits === '256') return;
  env.LP_NATIVE_VECTOR_WIDTH = bits;
  const cache = ownCache(bits);
  try {
    mkdirSync(cache, { recursive: true });
    env.MESA_SHADER_CACHE_DIR = cache;
  } catch {
    env.MESA_SHADER_CACHE_DISABLE = 'true';
  }
}
