// The caller's own files in Node. browser-sources.ts exports the same names for browsers.

import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { HeddleError, messageOf } from '../errors.ts';
import { gunzip } from './node-gunzip.ts';
import { codeOf, readNamed } from './node-read.ts';
import { type Folder, type FolderFile, type ListFolder, sourceReader } from './sources.ts';

/** Node's own limit for one array; a data set is held in one. */
const maxBytes = 2 ** 32;
const maxImageBytes = 2 ** 28;
/** Deeper than anybody sorts pictures; links that lead in circles end here. */
const maxDepth = 16;

/** See `ReadSource`. */
export const readSource = sourceReader((path) => readNamed(path, maxBytes), gunzip);

/** See `ListFolder`. */
export const listFolder: ListFolder = async (path) => {
  const root = resolve(path);
  const found = await stat(root).catch((error: unknown) => {
    const reason = codeOf(error) === 'ENOENT' ? 'does not exist' : `cannot be read (${messageOf(error)})`;
    throw new HeddleError('data', `the folder ${path} ${reason}.`, { cause: error });
  });
  if (!found.isDirectory()) throw new HeddleError('data', `${path} is not a folder.`);
  const folders: string[] = [];
  const files: FolderFile[] = [];
  const walk = async (below: string, depth: number): Promise<void> => {
    if (depth > maxDepth)
      throw new HeddleError('data', `${join(path, below)}: more than ${maxDepth} folders deep.`);
    const entries = await readdir(join(root, below), { withFileTypes: true }).catch((error: unknown) => {
      throw new HeddleError('data', `${join(path, below)}: cannot be read (${messageOf(error)}).`, {
        cause: error,
      });
    });
    for (const entry of entries) {
      if (entry.name.startsWith('.')) continue;
      const inside = below === '' ? entry.name : `${below}/${entry.name}`;
      // Links are followed, as torchvision does.
      const target = entry.isSymbolicLink() ? await stat(join(root, inside)).catch(() => undefined) : entry;
      if (target?.isDirectory()) {
        if (below === '') folders.push(entry.name);
        await walk(inside, depth + 1);
      } else if (target?.isFile()) {
        files.push({ path: inside, read: () => readNamed(join(root, inside), maxImageBytes) });
      }
    }
  };
  await walk('', 0);
  const folder: Folder = { name: basename(root), folders, files };
  return folder;
};
