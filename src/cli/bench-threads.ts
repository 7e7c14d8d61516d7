// `--threads`: a software driver reads its number of threads when it loads, and cores are a process's own. So the command
// runs again as a child that has them from its start.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { HeddleError } from '../errors.ts';
import { runAgain, thisProcess } from './reexec.ts';

const marker = 'HEDDLE_BENCH_THREADS';

/** The numbers in a list such as `0-3,8`. */
export function coresOf(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [first = 0, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** The command that keeps another on the first `threads` cores that this process may use; empty where there is none. */
function onCores(threads: number): string[] {
  if (process.platform !== 'linux' || spawnSync('taskset', ['--version']).status !== 0) return [];
  const status = readFileSync('/proc/self/status', 'utf8');
  const allowed = coresOf(/^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '0');
  return ['taskset', '-c', allowed.slice(0, threads).join(',')];
}

/** PyTorch's threads, and those of the libraries that multiply its matrices. */
const blasThreads = (count: string) => ({
  OMP_NUM_THREADS: count,
  OPENBLAS_NUM_THREADS: count,
  MKL_NUM_THREADS: count,
});

/** Whether this process is the one that `withThreads` started. */
export const hasThreads = (threads: number) => process.env[marker] === String(threads);

/** Runs this command again with so many threads and cores; resolves to its exit code. */
export async function withThreads(threads: number): Promise<number> {
  const count = String(threads);
  const env = { ...process.env, [marker]: count, LP_NUM_THREADS: count, ...blasThreads(count) };
  const code = await runAgain([...onCores(threads), ...thisProcess().command], env);
  if (code === undefined)
    throw new HeddleError('gpu', `--threads ${count}: this command could not start again`);
  return code;
}
