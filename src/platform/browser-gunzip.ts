// Gunzip for browsers, its output bounded. Browsers themselves refuse what is not one whole member.

import { HeddleError, messageOf } from '../errors.ts';
import type { Gunzip } from './files.ts';

/** See `Gunzip`. */
export const gunzip: Gunzip = async (where, packed, maxBytes) => {
  const bytes = new Uint8Array(maxBytes);
  let length = 0;
  const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip')).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return bytes.subarray(0, length);
      if (length + value.length > maxBytes) break;
      bytes.set(value, length);
      length += value.length;
    }
  } catch (error) {
    throw new HeddleError('data', `${where}: damaged or truncated gzip file (${messageOf(error)})`, {
      cause: error,
    });
  }
  await reader.cancel();
  throw new HeddleError('data', `${where}: unpacks to more than the expected ${maxBytes} bytes`);
};
