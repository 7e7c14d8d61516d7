// Reading one file in Node, never more of it than is sensible.

import { open, stat } from 'node:fs/promises';
import { HeddleError } from '../errors.ts';
import type { Bytes } from './files.ts';

/** All of a file. Throws `data` when it is no regular file or longer than `maxBytes`, and what the system throws. */
export async function readBounded(path: string, maxBytes: number): Promise<Bytes> {
  const found = await stat(path);
  // A pipe or a device would block or never end.
  if (!found.isFile()) throw new HeddleError('data', `${path}: not a regular file`);
  if (found.size > maxBytes) {
    throw new HeddleError('data', `${path}: ${found.size} bytes, expected at most ${maxBytes}`);
  }
  const file = await open(path, 'r');
  try {
    const bytes = new Uint8Array(found.size);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  } finally {
    await file.close();
  }
}

/** The system's name for what went wrong, e.g. `ENOENT`. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
