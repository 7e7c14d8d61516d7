// What has arrived of a download, in files beside the place it is for: `NAME.KEY.PID.RANDOM.part`. It outlives its process,
// and the next one that wants the same address takes it over. Nobody depends on it: whoever goes on from a part verifies
// the whole, and what is put in place is written from verified bytes, so that two processes at once cannot spoil a file.

import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeptPart, PartStore } from './download.ts';
import type { Bytes } from './files.ts';
import { codeOf, readBounded } from './node-read.ts';

/** The parts of one file of a folder. */
export interface NodeParts extends PartStore {
  /**
   * Puts the whole file into its place as `name`: written beside it, synced, renamed; its parts are gone then. Throws what
   * the system throws, with nothing left behind.
   */
  store(name: string, bytes: Bytes): Promise<void>;
}

/** Parts that this process is writing. */
const own = new Set<string>();
/** A part that nobody has added to for so long, in ms, is nobody's, whoever has its number now. */
const longestPause = 3_600_000;

/** The parts of the file `entry`, of at most `mostBytes`, in a folder that may not exist, or may not be written to. */
export function partsIn(folder: string, entry: string, mostBytes: number): NodeParts {
  const newPath = (key: string) =>
    join(folder, `${entry}.${key}.${process.pid}.${randomUUID().slice(0, 8)}.part`);

  /** Parts that their processes have left, of one address or of all. */
  const abandoned = async (key?: string): Promise<string[]> => {
    const left: string[] = [];
    for (const name of await readdir(folder).catch(() => [])) {
      if (!name.startsWith(`${entry}.`)) continue;
      const [, found, pid] = /^\.([0-9a-z]+)\.(\d+)\.[0-9a-f]{8}\.part$/.exec(name.slice(entry.length)) ?? [];
      if (found === undefined || (key !== undefined && found !== key)) continue;
      const path = join(folder, name);
      if (await isAbandoned(path, Number(pid))) left.push(path);
    }
    return left;
  };

  return {
    async open(url) {
      const key = createHash('sha256').update(url).digest('hex').slice(0, 12);
      const path = newPath(key);
      own.add(path);
      for (const old of await abandoned(key)) {
        try {
          await rename(old, path); // one of several takers gets it
          return keptPart(folder, path, await readBounded(path, mostBytes));
        } catch {
          await remove(path);
        }
      }
      return keptPart(folder, path, new Uint8Array());
    },
    async store(name, bytes) {
      const path = newPath('whole');
      own.add(path);
      try {
        await mkdir(folder, { recursive: true });
        const file = await open(path, 'wx');
        try {
          await file.writeFile(bytes);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(path, join(folder, name));
      } catch (error) {
        await remove(path);
        throw error;
      } finally {
        own.delete(path);
      }
      for (const left of await abandoned()) await remove(left);
    },
  };
}

/** A part at `path`. It is a help and no more: what cannot be written is not kept. */
function keptPart(folder: string, path: string, left: Bytes): KeptPart {
  let file: FileHandle | undefined;
  let broken = false;
  const end = async () => {
    await file?.close().catch(() => undefined);
    file = undefined;
  };
  return {
    left,
    async append(piece) {
      if (broken) return;
      try {
        if (file === undefined) {
          await mkdir(folder, { recursive: true });
          file = await open(path, 'a');
        }
        await file.appendFile(piece);
      } catch {
        broken = true;
        await end();
        await remove(path); // a part with a hole is worse than none
      }
    },
    async clear() {
      await end();
      await remove(path);
    },
    async close() {
      await end();
      own.delete(path);
    },
  };
}

async function isAbandoned(path: string, pid: number): Promise<boolean> {
  if (own.has(path)) return false;
  if (pid === process.pid || !isRunning(pid)) return true; // in a container every process may have the same number
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs > longestPause;
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return codeOf(error) === 'EPERM'; // somebody else's
  }
}

const remove = (path: string) => rm(path, { force: true }).catch(() => undefined);
