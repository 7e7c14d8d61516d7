// A text file that another process adds lines to, or puts another in place of. Holds no more of it than a piece.

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { codeOf } from '../platform/node-read.ts';

const pieceBytes = 1 << 20;
const newline = 0x0a;

/**
 * What gives the whole lines that have come since it was last asked; all of them anew where the file has been replaced, and
 * none while there is no file; `replaced` is called before. A line longer than a piece is left out. Throws what the system throws.
 */
export function tailOf(path: string, replaced = () => {}): () => Generator<string, void> {
  let at = 0;
  let file: number | undefined;
  let rest = Buffer.alloc(0);
  return function* lines() {
    let handle: number;
    try {
      handle = openSync(path, 'r');
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      throw error;
    }
    try {
      const { ino, size } = fstatSync(handle);
      if (ino !== file || size < at) {
        if (file !== undefined) replaced();
        at = 0;
        rest = Buffer.alloc(0);
      }
      file = ino;
      const piece = Buffer.alloc(Math.min(pieceBytes, Math.max(0, size - at)));
      while (at < size) {
        const length = readSync(handle, piece, 0, piece.length, at);
        if (length === 0) return;
        at += length;
        const bytes = Buffer.concat([rest, piece.subarray(0, length)]);
        const end = bytes.lastIndexOf(newline) + 1;
        rest = bytes.length - end > pieceBytes ? Buffer.alloc(0) : Buffer.from(bytes.subarray(end));
        yield* bytes.toString('utf8', 0, end).split('\n').slice(0, -1);
      }
    } finally {
      closeSync(handle);
    }
  };
}
