// What Node's and the browser's file access share: the description of a set of files, the options, and the check that
// the bytes are the right ones. Knows no file system and no data set.

import { HeddleError } from '../errors.ts';

/** One file of a set, known by its unpacked bytes; it may lie about unpacked as `name` or packed as `name.gz`. */
export interface FileEntry {
  readonly name: string;
  /** Length of the unpacked file. */
  readonly bytes: number;
  /** SHA-256 of the unpacked file, lower-case hex. */
  readonly sha256: string;
}

/** Files that belong together, and where to look for them. */
export interface FileSet {
  /** For messages, and the folder's name in the user's cache. */
  readonly name: string;
  readonly files: readonly FileEntry[];
  /** Environment variable that names a folder (Node). */
  readonly variable: string;
  /** Where torchvision keeps the files below its root; looked for in an explicitly given folder too. */
  readonly torchvisionFolder: string;
  /** Folders to look in, in this order; relative ones start at the working directory (Node). */
  readonly folders: readonly string[];
  /** Addresses, ending in `/`, that have `name.gz`; tried in this order. */
  readonly mirrors: readonly string[];
  /** How a person gets the files otherwise; ends the message when nothing was found. */
  readonly advice: string;
}

/** How patient a download is. */
export interface DownloadLimits {
  /** Attempts at one mirror before the next one is tried. */
  readonly attempts: number;
  /** Pause before the second attempt in ms; doubles with each further one. */
  readonly backoffMs: number;
  /** An attempt ends when nothing has arrived for so long, in ms. */
  readonly stallMs: number;
  /** A file is given up after so long over all mirrors, in ms. */
  readonly totalMs: number;
}

/** Where a download stands. */
export interface DownloadProgress {
  readonly file: string;
  readonly url: string;
  /** Bytes received so far. */
  readonly received: number;
  /** Bytes to expect, where the server said so. */
  readonly total: number | undefined;
}

/** Options of `loadFiles`. */
export interface LoadFilesOptions {
  /** The folder (Node) or address (browser) that must have the files; nothing else is then tried. */
  readonly data?: string | undefined;
  /** False: no mirror is asked. Default true. */
  readonly download?: boolean | undefined;
  /** Browser: where the page's own server has the files. Default `data/`. */
  readonly baseUrl?: string | undefined;
  /** Instead of the set's own mirrors. */
  readonly mirrors?: readonly string[] | undefined;
  readonly limits?: Partial<DownloadLimits> | undefined;
  /** Called when a download starts, and with each piece of it. */
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Called with one line about something worth knowing that stops nothing, e.g. a cache that cannot be written. */
  readonly onNotice?: ((line: string) => void) | undefined;
}

/** A file whose bytes are the right ones. */
export interface LoadedFile {
  readonly name: string;
  /** The unpacked file. */
  readonly bytes: Uint8Array;
  /** The path or address it came from. */
  readonly from: string;
}

/**
 * Finds, unpacks and verifies the named files of a set, downloading what the machine does not have.
 * Throws `data`, naming file and reason, when one is missing or is not what it should be.
 */
export type LoadFiles = (
  set: FileSet,
  names: readonly string[],
  options?: LoadFilesOptions,
) => Promise<LoadedFile[]>;

/**
 * Unpacks one gzip member that must fill `packed` and yield at most `maxBytes`.
 * Throws `data`; the message starts with `where`.
 */
export type Gunzip = (where: string, packed: Bytes, maxBytes: number) => Promise<Bytes>;

/** Bytes that WebCrypto and streams take. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** No honest file of the set, packed or not, is longer. */
export function maxFileBytes(entry: FileEntry): number {
  return entry.bytes + 0x100000;
}

/** The entries of `names`, in that order. Throws `usage` for a name that the set does not have. */
export function entriesOf(set: FileSet, names: readonly string[]): FileEntry[] {
  return names.map((name) => {
    const entry = set.files.find((file) => file.name === name);
    if (!entry) throw new HeddleError('usage', `${set.name} has no file ${name}.`);
    return entry;
  });
}

export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length > 1 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * The unpacked bytes of `content`, which is the file `entry`, gzipped or not (its content tells, not its name).
 * Throws `data`, the message starting with `where`, unless length and SHA-256 are the expected ones.
 */
export async function verifyFile(
  where: string,
  entry: FileEntry,
  content: Bytes,
  gunzip: Gunzip,
): Promise<Bytes> {
  if (!isGzip(content) && content.length !== entry.bytes) {
    const found = `neither gzip nor the ${entry.bytes} bytes of ${entry.name}: ${describe(content)}`;
    throw new HeddleError('data', `${where}: ${found}`);
  }
  const bytes = isGzip(content) ? await gunzip(where, content, entry.bytes) : content;
  if (bytes.length !== entry.bytes) {
    throw new HeddleError('data', `${where}: unpacks to ${bytes.length} bytes, expected ${entry.bytes}`);
  }
  const sum = hex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
  if (sum !== entry.sha256) {
    throw new HeddleError(
      'data',
      `${where}: SHA-256 of the unpacked bytes is ${sum}, expected ${entry.sha256}`,
    );
  }
  return bytes;
}

function describe(content: Uint8Array): string {
  // Error pages are the usual guests here, so the beginning is worth showing.
  const start = Array.from(content.subarray(0, 24), (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.',
  ).join('');
  return content.length === 0 ? 'it is empty' : `${content.length} bytes starting with "${start}"`;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
