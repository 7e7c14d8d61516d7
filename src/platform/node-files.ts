// Files of a data set in Node: looks in the known folders, else downloads into the user's cache.
// Knows no data set; browser-files.ts exports the same names for browsers.

import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { HeddleError, messageOf } from '../errors.ts';
import { cacheFolder } from './cache-folder.ts';
import { type Downloaded, downloadFile } from './download.ts';
import {
  type Bytes,
  entriesOf,
  type FileEntry,
  type FileSet,
  isGzip,
  type LoadedFile,
  type LoadFiles,
  type LoadFilesOptions,
  maxFileBytes,
  verifyFile,
} from './files.ts';
import { gunzip } from './node-gunzip.ts';
import { codeOf, readBounded } from './node-read.ts';

/**
 * See `LoadFiles`. The order: `options.data` or the set's environment variable (then nothing else), the set's folders,
 * the user's cache, the mirrors. A file that is found but wrong is an error, never passed over.
 */
export const loadFiles: LoadFiles = async (set, names, options = {}) => {
  const given = await givenFolder(set, options);
  const cache = join(
    cacheFolder({ platform: process.platform, env: process.env, home: homedir() }),
    set.name,
  );
  const folders = given?.folders ?? [...set.folders.map((folder) => resolve(folder)), cache];
  let mirrors = options.mirrors ?? set.mirrors;
  const loaded: LoadedFile[] = [];
  for (const entry of entriesOf(set, names)) {
    const path = await findFile(folders, entry);
    if (path !== undefined) {
      loaded.push({ name: entry.name, bytes: await readVerified(path, entry), from: path });
    } else if (given) {
      const wanted = `neither ${entry.name} nor ${entry.name}.gz`;
      throw new HeddleError('data', `${set.name}: the folder ${given.text} has ${wanted}. ${set.advice}`);
    } else if (options.download === false) {
      const looked = `not in ${folders.join(', ')}`;
      throw new HeddleError('data', `${set.name}: ${entry.name} is ${looked}. ${set.advice}`);
    } else {
      const found = await downloadFile(entry, mirrors, gunzip, options).catch((error: unknown) => {
        throw new HeddleError('data', `${set.name}: ${messageOf(error)}. ${set.advice}`, { cause: error });
      });
      // The mirror that works goes first, so that a dead one costs its patience once and not once a file.
      mirrors = [found.mirror, ...mirrors.filter((mirror) => mirror !== found.mirror)];
      await keep(cache, entry, found, options);
      loaded.push({ name: entry.name, bytes: found.bytes, from: found.url });
    }
  }
  return loaded;
};

async function givenFolder(
  set: FileSet,
  options: LoadFilesOptions,
): Promise<{ folders: string[]; text: string } | undefined> {
  if (options.data === '') throw new HeddleError('usage', `${set.name}: the data folder's name is empty.`);
  const folder = options.data ?? (process.env[set.variable] || undefined);
  if (folder === undefined) return undefined;
  const path = resolve(folder);
  const text = options.data === undefined ? `${path} (${set.variable})` : path;
  const found = await stat(path).catch((error: unknown) => {
    const missing = codeOf(error) === 'ENOENT';
    const reason = missing ? 'does not exist' : `cannot be read (${messageOf(error)})`;
    throw new HeddleError('data', `${set.name}: the data folder ${text} ${reason}.`, { cause: error });
  });
  if (!found.isDirectory()) {
    throw new HeddleError(
      'data',
      `${set.name}: ${text} is not a folder; expected the folder of the data files.`,
    );
  }
  // torchvision users name the root of its layout.
  return { folders: [path, join(path, set.torchvisionFolder)], text };
}

async function findFile(folders: readonly string[], entry: FileEntry): Promise<string | undefined> {
  for (const folder of folders) {
    for (const name of [entry.name, `${entry.name}.gz`]) {
      const path = join(folder, name);
      const found = await stat(path).catch(() => undefined);
      if (found) return path;
    }
  }
  return undefined;
}

async function readVerified(path: string, entry: FileEntry): Promise<Bytes> {
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

/** Stores a download for the next run; a cache that cannot be written is worth a notice, no more. */
async function keep(
  folder: string,
  entry: FileEntry,
  { packed }: Downloaded,
  options: LoadFilesOptions,
): Promise<void> {
  const path = join(folder, isGzip(packed) ? `${entry.name}.gz` : entry.name);
  // A name of its own: two processes may store the same file at once.
  const part = join(folder, `${basename(path)}.${randomUUID()}.part`);
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(part, 'wx');
    try {
      await file.writeFile(packed);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined);
    options.onNotice?.(`${entry.name} is not kept for the next run: ${messageOf(error)}`);
  }
}
