// Files that outlive a visit, in the browser's private folder of the page's origin (the Origin Private File System). Who reads
// them checks them: a write that was cut short, or another tab's, shows there.

import { HeddleError, messageOf } from '../errors.ts';
import type { Bytes, FileStore } from './files.ts';

/** The store below the folder `heddle`. Its functions throw `file` where the browser refuses storage, or has no room. */
export function browserStore(): FileStore {
  const folderOf = async (set: string, create: boolean) => {
    // Missing without https, and refused by some in private windows.
    if (typeof navigator === 'undefined' || navigator.storage?.getDirectory === undefined)
      throw new HeddleError('file', 'this browser keeps no files for pages here');
    const root = await navigator.storage.getDirectory();
    const own = await root.getDirectoryHandle('heddle', { create });
    return own.getDirectoryHandle(set, { create });
  };
  const missing = (error: unknown) => error instanceof DOMException && error.name === 'NotFoundError';
  const tried = async <T>(what: string, act: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await act();
    } catch (error) {
      if (missing(error)) return undefined;
      if (error instanceof HeddleError) throw error;
      throw new HeddleError('file', `${what}: ${messageOf(error)}`, { cause: error });
    }
  };
  return {
    read: (set, name) =>
      tried(`${name} cannot be read from the browser’s storage`, async () => {
        const folder = await folderOf(set, false);
        const file = await (await folder.getFileHandle(name)).getFile();
        return new Uint8Array(await file.arrayBuffer());
      }),
    async write(set, name, bytes) {
      await tried('the browser’s storage takes no more', async () => {
        const folder = await folderOf(set, true);
        await writeAll(await folder.getFileHandle(name, { create: true }), bytes);
      });
    },
    async remove(set, name) {
      await tried(`${name} stays in the browser’s storage`, async () =>
        (await folderOf(set, false)).removeEntry(name),
      );
    },
  };
}

/** A stream replaces the file as a whole when it is closed. */
async function writeAll(file: FileSystemFileHandle, bytes: Bytes): Promise<void> {
  const stream = await file.createWritable();
  try {
    await stream.write(bytes);
  } catch (error) {
    await stream.abort().catch(() => undefined); // what went wrong first is what counts
    throw error;
  }
  await stream.close();
}
