// Where the files of a data set lie on this machine (Node), and whether they are what they should be. Downloads nothing.

import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { HeddleError, messageOf } from '../errors.ts';
import { cacheFolder } from './cache-folder.ts';
import { type Bytes, type FileEntry, type FileSet, maxFileBytes, verifyFile } from './files.ts';
import { gunzip } from './node-gunzip.ts';
import { codeOf, readBounded } from './node-read.ts';

/** The folders in which a set's files are looked for. */
export interface Places {
  /** In this order. */
  readonly folders: readonly string[];
  /** The folder that a person named, for messages; then nothing else is tried. */
  readonly given: string | undefined;
  /** Where downloads are kept. */
  readonly cache: string;
}

/**
 * The places of a set: `data` or the set's environment variable, else its own folders and the user's cache.
 * Throws `data` when a folder that somebody named is none, `usage` for an empty name.
 */
export async function placesOf(set: FileSet, data: string | undefined): Promise<Places> {
  const host = { platform: process.platform, env: process.env, home: homedir() };
  const cache = join(cacheFolder(host), set.name);
  if (data === '') throw new HeddleError('usage', `${set.name}: the data folder's name is empty.`);
  const folder = data ?? (process.env[set.variable] || undefined);
  if (folder === undefined) {
    return { folders: [...set.folders.map((own) => resolve(own)), cache], given: undefined, cache };
  }
  const path = resolve(folder);
  const given = data === undefined ? `${path} (${set.variable})` : path;
  const found = await stat(path).catch((error: unknown) => {
    const missing = codeOf(error) === 'ENOENT';
    const reason = missing ? 'does not exist' : `cannot be read (${messageOf(error)})`;
    throw new HeddleError('data', `${set.name}: the data folder ${given} ${reason}.`, { cause: error });
  });
  if (!found.isDirectory()) {
    throw new HeddleError(
      'data',
      `${set.name}: ${given} is not a folder; expected the folder of the data files.`,
    );
  }
  // torchvision users name the root of its layout.
  return { folders: [path, join(path, set.torchvisionFolder)], given, cache };
}

/** A file of a set, packed or not; its content is not looked at. */
export interface Found {
  readonly path: string;
  readonly bytes: number;
}

/** The first file that could be `entry`; undefined when no folder has one. */
export async function findFile(folders: readonly string[], entry: FileEntry): Promise<Found | undefined> {
  for (const folder of folders) {
    for (const name of [entry.name, `${entry.name}.gz`]) {
      const path = join(folder, name);
      const found = await stat(path).catch(() => undefined);
      if (found) return { path, bytes: found.size };
    }
  }
  return undefined;
}

/** The unpacked bytes of a file that was found. Throws `data`, naming it and the reason, unless they are the right ones. */
export async function readVerified(path: string, entry: FileEntry): Promise<Bytes> {
  try {
    return await verifyFile(path, entry, await readBounded(path, maxFileBytes(entry)), gunzip, 'local');
  } catch (error) {
    if (!(error instanceof HeddleError)) {
      throw new HeddleError('data', `${path}: cannot be read (${messageOf(error)}).`, { cause: error });
    }
    const advice = `This is not the ${entry.name} it should be: delete it and run again`;
    throw new HeddleError('data', `${error.message}. ${advice}.`, { cause: error });
  }
}
