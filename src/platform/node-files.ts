// Files of a data set in Node: looks in the known folders, else downloads into the user's cache.
// Knows no data set; browser-files.ts exports the same names for browsers.

import { HeddleError, messageOf } from '../errors.ts';
import { type Downloaded, downloadFile } from './download.ts';
import {
  entriesOf,
  type FileEntry,
  isGzip,
  type LoadedFile,
  type LoadFiles,
  type LoadFilesOptions,
  maxFileBytes,
} from './files.ts';
import { gunzip } from './node-gunzip.ts';
import { findFile, placesOf, readVerified } from './node-locate.ts';
import { type NodeParts, partsIn } from './node-parts.ts';

/**
 * See `LoadFiles`. The order: `options.data` or the set's environment variable (then nothing else), the set's folders,
 * the user's cache, the mirrors. A file that is found but wrong is an error, never passed over.
 */
export const loadFiles: LoadFiles = async (set, names, options = {}) => {
  const { folders, given, cache } = await placesOf(set, options.data);
  let mirrors = options.mirrors ?? set.mirrors;
  const loaded: LoadedFile[] = [];
  for (const entry of entriesOf(set, names)) {
    options.signal?.throwIfAborted();
    const path = (await findFile(folders, entry))?.path;
    if (path !== undefined) {
      loaded.push({ name: entry.name, bytes: await readVerified(path, entry), from: path });
    } else if (given !== undefined) {
      const wanted = `neither ${entry.name} nor ${entry.name}.gz`;
      throw new HeddleError('data', `${set.name}: the folder ${given} has ${wanted}. ${set.advice}`);
    } else if (options.download === false) {
      const looked = `not in ${folders.join(', ')}`;
      throw new HeddleError('data', `${set.name}: ${entry.name} is ${looked}. ${set.advice}`);
    } else {
      const parts = partsIn(cache, entry.name, maxFileBytes(entry));
      const found = await downloadFile(entry, mirrors, gunzip, options, parts).catch((error: unknown) => {
        options.signal?.throwIfAborted();
        throw new HeddleError('data', `${set.name}: ${messageOf(error)}. ${set.advice}`, { cause: error });
      });
      // The mirror that works goes first, so that a dead one costs its patience once and not once a file.
      mirrors = [found.mirror, ...mirrors.filter((mirror) => mirror !== found.mirror)];
      await keep(parts, entry, found, options);
      loaded.push({ name: entry.name, bytes: found.bytes, from: found.url });
    }
  }
  return loaded;
};

/** Stores a download for the next run; a cache that cannot be written is worth a notice, no more. */
async function keep(
  parts: NodeParts,
  { name }: FileEntry,
  { packed }: Downloaded,
  options: LoadFilesOptions,
): Promise<void> {
  try {
    await parts.store(isGzip(packed) ? `${name}.gz` : name, packed);
  } catch (error) {
    options.onNotice?.(`${name} is not kept for the next run: ${messageOf(error)}`);
  }
}
