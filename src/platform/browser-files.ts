// Files of a data set in a browser: from the page's own server, else from the https mirrors that let pages read them.
// Touches no Node module; node-files.ts exports the same names for Node.

import { HeddleError, messageOf } from '../errors.ts';
import { downloadFile } from './download.ts';
import { entriesOf, type Gunzip, type LoadedFile, type LoadFiles } from './files.ts';

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

const gunzip: Gunzip = async (where, packed, maxBytes) => {
  const bytes = new Uint8Array(maxBytes);
  let length = 0;
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip')).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return bytes.subarray(0, length);
      if (length + value.length > maxBytes) break;
      bytes.set(value, length);
      length += value.length;
    }
  } catch (error) {
    throw new HeddleError('data', `${where}: damaged or truncated gzip file (${messageOf(error)})`, {
      cause: error,
    });
  }
  await reader.cancel();
  throw new HeddleError('data', `${where}: unpacks to more than the expected ${maxBytes} bytes`);
};
