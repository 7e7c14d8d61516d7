// What Node's and the browser's file access share: the description of a set of files, the options, and the check that
// the bytes are the right ones. Knows no file system and no data set.

import { HeddleError } from '../errors.ts';

/** One file of a set; it may lie about unpacked as `name` or packed as `name.gz`. */
export type FileEntry = {
  readonly name: string;
  /** Length of the unpacked file. */
  readonly bytes: number;
} & (
  | {
      /** SHA-256 of the unpacked file, lower-case hex. */
      readonly sha256: string;
    }
  | {
      /** SHA-256 of `name.gz` as its makers give it out, where that of the unpacked file is not known. */
      readonly packedSha256: string;
    }
);

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

/**
 * Where a page keeps files from one visit to the next, by set and name. Its functions may fail: what goes wrong there is worth
 * a notice, no more.
 */
export interface FileStore {
  /** Undefined for what is not there. */
  read(set: string, name: string): Promise<Bytes | undefined>;
  /** Keeps a file, in place of the one that is there. Throws `file`. */
  write(set: string, name: string, bytes: Bytes): Promise<void>;
  /** Harmless for what is not there. */
  remove(set: string, name: string): Promise<void>;
}

/** Options of `loadFiles`. */
export interface LoadFilesOptions {
  /** The folder (Node) or address (browser) that must have the files; nothing else is then tried. */
  readonly data?: string | undefined;
  /** False: no mirror is asked. Default true. */
  readonly download?: boolean | undefined;
  /** Browser: where the page's own server has the files. Default: `data/` beside the page or worker, then the server's `/data/`. */
  readonly baseUrl?: string | undefined;
  /** Browser: looked in first, and given what was downloaded. Default: none. */
  readonly store?: FileStore | undefined;
  /** Instead of the set's own mirrors. */
  readonly mirrors?: readonly string[] | undefined;
  readonly limits?: Partial<DownloadLimits> | undefined;
  /** Ends it, a download too: the signal's reason is what is then thrown. */
  readonly signal?: AbortSignal | undefined;
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
 * Throws `data`, naming file and reason, when one is missing or is not what it should be; the reason of `options.signal`, when
 * that is aborted.
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

/** Where a content is from: `local` is a file of this machine, which somebody put there. */
export type Origin = 'local' | 'download';

/**
 * The unpacked bytes of `content`, which is the file `entry`, gzipped or not (its content tells, not its name).
 * Throws `data`, the message starting with `where`, unless length and SHA-256 are the expected ones. Where only the packed
 * file's sum is known, an unpacked one passes by its length if it is local, and never if it was downloaded.
 */
export async function verifyFile(
  where: string,
  entry: FileEntry,
  content: Bytes,
  gunzip: Gunzip,
  origin: Origin,
): Promise<Bytes> {
  const packed = isGzip(content);
  const packedOnly = 'packedSha256' in entry;
  if (!packed && (content.length !== entry.bytes || (packedOnly && origin === 'download'))) {
    const right =
      packedOnly && origin === 'download' ? '' : `neither gzip nor the ${entry.bytes} bytes of ${entry.name}`;
    throw new HeddleError('data', `${where}: ${right || 'not gzip'}: ${describe(content)}`);
  }
  if (packed && packedOnly) {
    await checkSum(`${where}: SHA-256`, content, entry.packedSha256);
  }
  const bytes = packed ? await gunzip(where, content, entry.bytes) : content;
  if (bytes.length !== entry.bytes) {
    throw new HeddleError('data', `${where}: unpacks to ${bytes.length} bytes, expected ${entry.bytes}`);
  }
  if (!packedOnly) await checkSum(`${where}: SHA-256 of the unpacked bytes`, bytes, entry.sha256);
  return bytes;
}

async function checkSum(what: string, bytes: Bytes, expected: string): Promise<void> {
  const sum = hex(new Uint8Array(await crypto.subtle.digest('SHA-256', bytes)));
  if (sum !== expected) throw new HeddleError('data', `${what} is ${sum}, expected ${expected}`);
}

/**
 * How much a gzip file of the caller's own, about which nothing is known, may unpack to: what its trailer says, unless
 * deflate cannot do that. Throws `data`; the message starts with `where`.
 */
export function announcedBytes(where: string, packed: Uint8Array): number {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength);
  const announced = packed.length < 18 ? 0 : view.getUint32(packed.length - 4, true);
  if (announced > 1032 * packed.length) {
    const found = `its length field says ${announced} bytes, more than ${packed.length} packed ones can hold`;
    throw new HeddleError('data', `${where}: damaged gzip file (${found})`);
  }
  return announced;
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
