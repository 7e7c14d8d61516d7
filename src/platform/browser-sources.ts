// The caller's own files in a browser. node-sources.ts exports the same names for Node.

import { HeddleError, messageOf } from '../errors.ts';
import { gunzip } from './browser-gunzip.ts';
import { type ListFolder, sourceReader } from './sources.ts';

/** See `ReadSource`. */
export const readSource = sourceReader(fetchBytes, gunzip);

/** See `ListFolder`. */
export const listFolder: ListFolder = async (path) => {
  throw new HeddleError(
    'usage',
    `the folder ${path}: a browser reads no folders. Give the files instead, e.g. those of an <input type="file" webkitdirectory>.`,
  );
};

async function fetchBytes(address: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const response = await fetch(address);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
    await response.body?.cancel();
    throw new HeddleError('data', `${address}: HTTP ${response.status}.`);
  } catch (error) {
    if (error instanceof HeddleError) throw error;
    throw new HeddleError('data', `${address}: cannot be read (${messageOf(error)}).`, { cause: error });
  }
}
