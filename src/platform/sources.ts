// What the caller's own files are to Heddle, in Node and in browsers. Knows no file system.

import { announcedBytes, type Bytes, type Gunzip, isGzip } from './files.ts';

/** One file of the caller's: a path (Node) or an address (browser), a Blob or File, or its bytes. */
export type FileSource = string | Blob | Uint8Array;

/** A file's unpacked bytes, with its name for messages. */
export interface SourceBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * The bytes of a file of the caller's, unpacked where they are gzip; `what` names it in messages where it has no name.
 * Throws `data`, naming file and reason, when it cannot be read or unpacked.
 */
export type ReadSource = (what: string, source: FileSource) => Promise<SourceBytes>;

/** Makes a `ReadSource` of what reads a path or an address, and of what unpacks. */
export function sourceReader(read: (from: string) => Promise<Bytes>, gunzip: Gunzip): ReadSource {
  return async (what, source) => {
    let name = what;
    let bytes: Bytes;
    if (typeof source === 'string') {
      name = source;
      bytes = await read(source);
    } else if (source instanceof Blob) {
      if ('name' in source) name = String(source.name);
      bytes = new Uint8Array(await source.arrayBuffer());
    } else {
      bytes = source as Bytes;
    }
    return { name, bytes: isGzip(bytes) ? await gunzip(name, bytes, announcedBytes(name, bytes)) : bytes };
  };
}

/** A file below a folder, read when it is wanted. */
export interface FolderFile {
  /** Relative to the folder, with `/`. */
  readonly path: string;
  /** Throws `data` when it cannot be read. */
  read(): Promise<Uint8Array>;
}

/** A folder's files and the names of the folders that are directly in it. */
export interface Folder {
  /** For messages. */
  readonly name: string;
  readonly folders: readonly string[];
  /** All files, also those of folders in folders, hidden ones left out. */
  readonly files: readonly FolderFile[];
}

/** Lists a folder (Node). Throws `data` when it cannot be read, `usage` in a browser, which has no folders. */
export type ListFolder = (path: string) => Promise<Folder>;
