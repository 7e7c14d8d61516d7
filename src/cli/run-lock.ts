// Keeps two processes out of one run's folder: `lock.json` says who is at work there. A lock whose owner is dead, or has not
// been heard of for a while, is nobody's.

import { closeSync, openSync, readFileSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { HeddleError } from '../errors.ts';

/** Its name within the folder. */
export const lockFile = 'lock.json';

/** The owner touches its lock so often, in ms; after `silence` without, one of another host counts as dead. */
const heartbeat = 20_000;
const silence = 120_000;

interface Owner {
  readonly pid: number;
  readonly host: string;
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false; // of a container that had our number before
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Who is at work in a run's folder now; undefined where nobody is. */
export function lockOwner(run: string): Owner | undefined {
  const path = join(run, lockFile);
  try {
    const { mtimeMs } = statSync(path);
    const { pid, host }: Partial<Owner> = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof pid !== 'number' || typeof host !== 'string') return undefined;
    const alive = host === hostname() ? isAlive(pid) : Date.now() - mtimeMs < silence;
    return alive ? { pid, host } : undefined;
  } catch {
    return undefined; // none, or torn by a crash
  }
}

/** Throws `usage` when somebody is at work in the folder. */
export function refuseLocked(run: string): void {
  const owner = lockOwner(run);
  if (owner === undefined) return;
  throw new HeddleError(
    'usage',
    `${run} is in use by process ${owner.pid} on ${owner.host}; wait for it to end, or name another folder. If that is no run of Heddle's, delete ${join(run, lockFile)}`,
  );
}

/**
 * Locks a run's folder; the function that it returns unlocks it. Throws `usage` when somebody else is at work there, and
 * what the file system throws.
 */
export function lockRun(run: string): () => void {
  const path = join(run, lockFile);
  const take = () => {
    const file = openSync(path, 'wx');
    writeSync(file, `${JSON.stringify({ pid: process.pid, host: hostname() })}\n`);
    closeSync(file);
  };
  try {
    take();
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    refuseLocked(run);
    rmSync(path, { force: true });
    try {
      take();
    } catch (again) {
      refuseLocked(run); // somebody else found it free at the same time
      throw again;
    }
  }
  const touch = () => {
    const now = new Date();
    try {
      utimesSync(path, now, now);
    } catch {
      // The folder has gone; whatever writes into it will say so.
    }
  };
  const timer = setInterval(touch, heartbeat).unref();
  return () => {
    clearInterval(timer);
    rmSync(path, { force: true });
  };
}
