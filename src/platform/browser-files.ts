// Files of a data set in a browser: from the page's own server, else from the https mirrors that let pages read them.
// Touches no Node module; node-files.ts exports the same names for Node.

import { HeddleError, messageOf } from '../errors.ts';
import { gunzip } from './browser-gunzip.ts';
import { downloadFile } from './download.ts';
import { entriesOf, type LoadedFile, type LoadFiles } from './files.ts';

/**
 * See `LoadFiles`. The order: `options.data` as an address (then nothing else), `options.baseUrl`, the https mirrors.
 */
export const loadFiles: LoadFiles = async (set, names, options = {}) => {
  const own = options.data ?? options.baseUrl ?? 'data/';
  const mirrors = (options.mirrors ?? set.mirrors).filter(
    (mirror) => options.mirrors || mirror.startsWith('https:'),
  );
  let sources = options.data !== undefined || options.download === false ? [own] : [own, ...mirrors];
  const loaded: LoadedFile[] = [];
  for (const entry of entriesOf(set, names)) {
    const found = await downloadFile(entry, sources, gunzip, options).catch((error: unknown) => {
      throw new HeddleError('data', `${set.name}: ${messageOf(error)}. ${set.advice}`, { cause: error });
    });
    sources = [found.mirror, ...sources.filter((source) => source !== found.mirror)];
    loaded.push({ name: entry.name, bytes: found.bytes, from: found.url });
  }
  return loaded;
};
