// Files of a data set in a browser: kept from an earlier visit, from the page's own server, or from the https mirrors that
// let pages read them. Touches no Node module; node-files.ts exports the same names for Node.

import { HeddleError, messageOf } from '../errors.ts';
import { gunzip } from './browser-gunzip.ts';
import { downloadFile } from './download.ts';
import {
  type Bytes,
  entriesOf,
  type FileEntry,
  type FileSet,
  type LoadedFile,
  type LoadFiles,
  type LoadFilesOptions,
  verifyFile,
} from './files.ts';

/**
 * See `LoadFiles`. The order: `options.store`, then `options.data` as an address (then nothing else), `options.baseUrl` or
 * the usual places of the page's server, the https mirrors.
 */
export const loadFiles: LoadFiles = async (set, names, options = {}) => {
  const given = options.data ?? options.baseUrl;
  const own = given === undefined ? usualPlaces() : [given];
  const mirrors = (options.mirrors ?? set.mirrors).filter(
    (mirror) => options.mirrors || mirror.startsWith('https:'),
  );
  let sources = options.data !== undefined || options.download === false ? own : [...own, ...mirrors];
  const loaded: LoadedFile[] = [];
  for (const entry of entriesOf(set, names)) {
    options.signal?.throwIfAborted();
    const kept = await readKept(set, entry, options);
    if (kept !== undefined) {
      loaded.push({ name: entry.name, bytes: kept, from: `the browser's storage/${entry.name}` });
      continue;
    }
    const found = await downloadFile(entry, sources, gunzip, options).catch((error: unknown) => {
      options.signal?.throwIfAborted();
      throw new HeddleError('data', `${set.name}: ${messageOf(error)}. ${advice(set)}`, { cause: error });
    });
    sources = [found.mirror, ...sources.filter((source) => source !== found.mirror)];
    loaded.push({ name: entry.name, bytes: found.bytes, from: found.url });
    await keep(set, entry, found.packed, options);
  }
  return loaded;
};

/** `data/` beside the page or worker, and at its server's root: bundlers put a worker's script into a folder of its own. */
function usualPlaces(): string[] {
  const beside = globalThis.document?.baseURI ?? location.href;
  const bases = [beside, location.origin].filter((base) => URL.canParse('data/', base)); // a Blob's address is no base
  return [...new Set(bases.map((base) => new URL('data/', base).href))];
}

/** What a person can do in a browser. */
const advice = ({ files }: FileSet) =>
  `Give the page the ${files.length} files (${files.map(({ name }) => `${name}.gz`).join(', ')}), or put them into the folder data beside it`;

/** A file as it was kept, unpacked; undefined where it was not, or is not what it should be any more. */
async function readKept(
  set: FileSet,
  entry: FileEntry,
  { store, onNotice }: LoadFilesOptions,
): Promise<Bytes | undefined> {
  try {
    const content = await store?.read(set.name, entry.name);
    if (content === undefined) return undefined;
    try {
      return await verifyFile(entry.name, entry, content, gunzip, 'local');
    } catch (error) {
      onNotice?.(`${messageOf(error)}: what was kept of it is damaged, and is fetched again`);
      await store?.remove(set.name, entry.name);
    }
  } catch {
    // Storage that cannot be read is told of when it cannot be written.
  }
  return undefined;
}

async function keep(
  set: FileSet,
  { name }: FileEntry,
  content: Bytes,
  { store, onNotice }: LoadFilesOptions,
): Promise<void> {
  try {
    await store?.write(set.name, name, content);
  } catch (error) {
    onNotice?.(`${set.name} is not kept for the next visit: ${messageOf(error)}`);
  }
}
