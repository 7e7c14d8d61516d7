// Keeps two processes out of one run's folder: `lock.json` says who is at work there. A lock whose owner is dead is nobody's,
// and on another host one whose owner has not been heard of for a while.

import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { HeddleError } from '../errors.ts';
import { codeOf } from '../platform/node-read.ts';

/** Its name within the folder. */
export const lockFile = 'lock.json';

/** The owner touches its lock so often, in ms; after `silence` without, one of another host counts as dead. */
const heartbeat = 20_000;
const silence = 120_000;

interface Owner {
  readonly pid: number;
  readonly host: string;
  /** See `beginning`. */
  readonly began?: string;
}

/**
 * When a process began, in ticks since the boot; undefined where the system does not say. A container that is started again
 * has its host's name as before and gives out the same process numbers: only this tells its processes from earlier ones.
 */
function beginning(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')[19]; // `starttime`, proc(5)
  } catch {
    return undefined;
  }
}

function isAlive({ pid, began }: Owner): boolean {
  if (pid === process.pid) return false; // of a container that had our number before
  if (began !== undefined && began !== (beginning(pid) ?? began)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** Who is at work in a run's folder now; undefined where nobody is. */
export function lockOwner(run: string): Owner | undefined {
  const path = join(run, lockFile);
  try {
    const { mtimeMs } = statSync(path);
    const { pid, host, began }: Partial<Owner> = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof pid !== 'number' || typeof host !== 'string') return undefined;
    const owner = { pid, host, ...(typeof began === 'string' && { began }) };
    const alive = host === hostname() ? isAlive(owner) : Date.now() - mtimeMs < silence;
    return alive ? owner : undefined;
  } catch {
    return undefined; // none, or torn when the power went
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

/** What file systems answer that have no second names for files. */
const noLinks: readonly string[] = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];

/** Gives `path` the content of `mine`, all of it at once, unless something is there: then false. */
function claim(mine: string, path: string): boolean {
  try {
    try {
      linkSync(mine, path);
    } catch (error) {
      if (!noLinks.includes(codeOf(error))) throw error;
      writeFileSync(path, readFileSync(mine), { flag: 'wx' });
    }
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Claims a lock that is nobody's. One process does that at a time: another's new lock must not go with the old one. */
function takeOver(run: string, path: string, mine: string): boolean {
  const turn = `${path}.turn`;
  const left = statSync(turn, { throwIfNoEntry: false });
  if (left !== undefined && Date.now() - left.mtimeMs > heartbeat) rmSync(turn, { force: true });
  if (!claim(mine, turn))
    throw new HeddleError('usage', `${run} is being taken by another process; try again in a while`);
  try {
    refuseLocked(run);
    rmSync(path, { force: true });
    return claim(mine, path);
  } finally {
    rmSync(turn, { force: true });
  }
}

/**
 * Locks a run's folder; the function that it returns unlocks it. Throws `usage` when somebody else is at work there, and
 * what the file system throws.
 */
export function lockRun(run: string): () => void {
  const path = join(run, lockFile);
  const { pid } = process;
  const text = `${JSON.stringify({ pid, host: hostname(), began: beginning(pid), key: randomUUID() })}\n`;
  const mine = join(run, `.${lockFile}.${pid}.${randomUUID()}`);
  writeFileSync(mine, text, { flag: 'wx' });
  try {
    if (!claim(mine, path)) {
      refuseLocked(run);
      if (!takeOver(run, path, mine)) {
        refuseLocked(run); // somebody else found it free at the same time
        throw new HeddleError('usage', `${run} is being taken by another process; try again in a while`);
      }
    }
  } finally {
    rmSync(mine, { force: true });
  }
  const isMine = () => {
    try {
      return readFileSync(path, 'utf8') === text;
    } catch {
      return false;
    }
  };
  const touch = () => {
    const now = new Date();
    try {
      if (isMine()) utimesSync(path, now, now);
    } catch {
      // The folder has gone; whatever writes into it will say so.
    }
  };
  const timer = setInterval(touch, heartbeat).unref();
  return () => {
    clearInterval(timer);
    if (isMine()) rmSync(path, { force: true });
  };
}
