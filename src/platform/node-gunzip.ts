// Strict gunzip for Node: one member, nothing behind it, output bounded. Node's own joins members and drops trailing
// bytes silently, so the frame (RFC 1952) is read here and zlib only inflates.

import * as zlib from 'node:zlib';
import { HeddleError, messageOf } from '../errors.ts';
import { type Bytes, type Gunzip, isGzip } from './files.ts';

const TOO_LARGE = 'ERR_BUFFER_TOO_LARGE';
const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;
/** Memory for more than this is taken only for what has been seen to unpack to it. */
const TRUSTED_BYTES = 2 ** 26;
const FLAG = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 };

/** See `Gunzip`: unpacks one gzip member that must fill `packed`. */
export const gunzip: Gunzip = async (where, packed, maxBytes) => {
  const refuse = (reason: string, cause?: unknown) =>
    new HeddleError('data', `${where}: ${reason}`, cause === undefined ? undefined : { cause });
  const start = headerEnd(packed);
  if (start === undefined) throw refuse('not a gzip file: its header is broken');

  const deflated = packed.subarray(start);
  const inflated = maxBytes <= TRUSTED_BYTES ? inflate(deflated, maxBytes) : inflateLong(deflated, maxBytes);
  const { bytes, consumed } = await inflated.catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === TOO_LARGE) throw refuse(`unpacks to more than the expected ${maxBytes} bytes`, error);
    if (code === 'Z_BUF_ERROR') throw refuse(`truncated gzip file (${packed.length} bytes)`, error);
    throw refuse(`damaged gzip file (${messageOf(error)})`, error);
  });

  const end = start + consumed;
  const rest = packed.length - end - TRAILER_BYTES;
  if (rest < 0) throw refuse(`truncated gzip file (${packed.length} bytes)`);
  const trailer = new DataView(packed.buffer, packed.byteOffset + end, TRAILER_BYTES);
  if (trailer.getUint32(0, true) !== zlib.crc32(bytes)) throw refuse('damaged gzip file (wrong CRC-32)');
  if (trailer.getUint32(4, true) !== bytes.length % 2 ** 32)
    throw refuse('damaged gzip file (wrong length field)');
  if (rest > 0) {
    const second = isGzip(packed.subarray(end + TRAILER_BYTES));
    throw refuse(second ? 'holds a second gzip member' : `${rest} bytes follow the end of the gzip data`);
  }
  return bytes;
};

function headerEnd(packed: Uint8Array): number | undefined {
  const flags = packed[3] ?? 0;
  if (!isGzip(packed) || packed[2] !== 8 || (flags & FLAG.reserved) !== 0) return undefined;
  let at = HEADER_BYTES;
  if (flags & FLAG.extra) at += 2 + (packed[at] ?? 0) + 256 * (packed[at + 1] ?? 0);
  for (const flag of [FLAG.name, FLAG.comment]) {
    if ((flags & flag) === 0) continue;
    const zero = packed.indexOf(0, at);
    if (zero < 0) return undefined;
    at = zero + 1;
  }
  if (flags & FLAG.headerCrc) at += 2;
  return at <= packed.length ? at : undefined;
}

/** As `inflate`, after a pass that counts and keeps nothing: what announces gigabytes may be a bomb. */
async function inflateLong(deflated: Uint8Array, maxBytes: number) {
  let length = 0;
  const stream = zlib.createInflateRaw({ chunkSize: 2 ** 20 });
  stream.end(deflated);
  for await (const piece of stream) {
    length += (piece as Uint8Array).length;
    if (length > maxBytes) throw Object.assign(new Error('too long'), { code: TOO_LARGE });
  }
  return inflate(deflated, length);
}

function inflate(deflated: Uint8Array, maxBytes: number): Promise<{ bytes: Bytes; consumed: number }> {
  return new Promise((resolve, reject) => {
    // One output chunk with room for everything: nothing is joined afterwards.
    const options = {
      info: true,
      maxOutputLength: Math.max(1, maxBytes),
      chunkSize: Math.max(64, maxBytes + 1),
    };
    zlib.inflateRaw(deflated, options, (error, result) => {
      if (error) return reject(error);
      // With `info` the result is this pair; the types know only the plain buffer.
      const { buffer, engine } = result as unknown as { buffer: Bytes; engine: { bytesWritten: number } };
      resolve({
        bytes: new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length),
        consumed: engine.bytesWritten,
      });
    });
  });
}
