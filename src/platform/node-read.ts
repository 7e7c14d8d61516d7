// Reading one file in Node, never more of it than is sensible.

import { open, stat } from 'node:fs/promises';
import { HeddleError, messageOf } from '../errors.ts';
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

/** As `readBounded`, for a file that somebody named: throws `data` whatever goes wrong, in a sentence about it. */
export async function readNamed(path: string, maxBytes: number): Promise<Bytes> {
  try {
    return await readBounded(path, maxBytes);
  } catch (error) {
    if (error instanceof HeddleError) throw error;
    const reason = codeOf(error) === 'ENOENT' ? 'does not exist' : `cannot be read (${messageOf(error)})`;
    throw new HeddleError('data', `${path} ${reason}.`, { cause: error });
  }
}

/** The system's name for what went wrong, e.g. `ENOENT`. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

/** All that a stream gives. Throws `data`, naming it, when that is more than `maxBytes` or cannot be read. */
export async function readStream(
  name: string,
  stream: AsyncIterable<Uint8Array | string>,
  maxBytes: number,
): Promise<Bytes> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const piece of stream) {
      const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
      length += bytes.length;
      if (length > maxBytes) throw new HeddleError('data', `${name}: more than ${maxBytes} bytes.`);
      pieces.push(bytes);
    }
  } catch (error) {
    if (error instanceof HeddleError) throw error;
    throw new HeddleError('data', `${name} cannot be read (${messageOf(error)}).`, { cause: error });
  }
  return new Uint8Array(Buffer.concat(pieces));
}
