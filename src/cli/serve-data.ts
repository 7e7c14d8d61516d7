// The data sets' files as routes: those that Node trains on, for the page to train on too. Which names there are is fixed;
// where they lie is looked up as Node does it, each time, since a download may have brought them.

import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type FileEntry, type FileSet, isGzip, maxFileBytes } from '../platform/files.ts';
import { placesOf } from '../platform/node-locate.ts';
import { type Handler, refuse } from './serve.ts';

/** A file that is there, open, of a size that it may have. */
interface Opened {
  readonly file: FileHandle;
  readonly bytes: number;
  readonly packed: boolean;
}

async function openSound(path: string, entry: FileEntry, packed: boolean): Promise<Opened | undefined> {
  const seen = await stat(path).catch(() => undefined);
  if (seen?.isFile() !== true) return undefined; // opening a pipe would wait for its writer
  const file = await open(path, 'r').catch(() => undefined);
  if (file === undefined) return undefined;
  const found = await file.stat();
  const start = new Uint8Array(2);
  await file.read(start, 0, 2, 0);
  const fits = packed ? found.size <= maxFileBytes(entry) && isGzip(start) : found.size === entry.bytes;
  if (found.isFile() && fits) return { file, bytes: found.size, packed };
  await file.close();
  return undefined;
}

/** The packed file where there is one, else the unpacked one; that only where the page can tell that it is right. */
async function find(set: FileSet, entry: FileEntry): Promise<Opened | undefined> {
  const { folders } = await placesOf(set, undefined);
  for (const folder of folders) {
    const opened = await openSound(join(folder, `${entry.name}.gz`), entry, true);
    if (opened !== undefined) return opened;
  }
  if (!('sha256' in entry)) return undefined;
  for (const folder of folders) {
    const opened = await openSound(join(folder, entry.name), entry, false);
    if (opened !== undefined) return opened;
  }
  return undefined;
}

function fileHandler(set: FileSet, entry: FileEntry): Handler {
  return async (request, response) => {
    let opened: Opened | undefined;
    try {
      opened = await find(set, entry);
      if (opened === undefined) {
        refuse(response, 404, `${entry.name}.gz of ${set.name} is not on this machine.`);
        return;
      }
      const { file, bytes, packed } = opened;
      response.writeHead(200, {
        'content-type': 'application/gzip',
        'cache-control': 'no-cache',
        'accept-ranges': 'none',
        ...(packed && { 'content-length': bytes }),
      });
      if (request.method === 'HEAD') {
        response.end();
        return;
      }
      // A file that grows meanwhile must not exceed what was announced.
      const content = file.createReadStream({ autoClose: false, start: 0, end: bytes - 1 });
      if (packed) await pipeline(content, response);
      else await pipeline(content, createGzip({ level: 1 }), response);
    } catch {
      // The page has gone, or the disk failed: an answer cut short tells it, and so does its checksum.
      if (response.headersSent) response.destroy();
      else refuse(response, 404, `${set.name} cannot be read on this machine.`);
    } finally {
      await opened?.file.close().catch(() => undefined);
    }
  };
}

/** `/data/SET/NAME.gz` of every set, and `/data/NAME.gz` of the first, which the library asks a page's server for. */
export function dataRoutes(sets: readonly FileSet[]): Map<string, Handler> {
  const routes = new Map<string, Handler>();
  for (const set of sets) {
    for (const entry of set.files) {
      const handler = fileHandler(set, entry);
      routes.set(`/data/${set.name}/${entry.name}.gz`, handler);
      if (set === sets[0]) routes.set(`/data/${entry.name}.gz`, handler);
    }
  }
  return routes;
}
