// Files that somebody dropped on the page: which file of a data set each of them is, told by its content, whatever its name.

import { messageOf } from '../../errors.ts';
import { HeddleError } from '../../index.ts';
import { gunzip } from '../../platform/browser-gunzip.ts';
import { type Bytes, type FileEntry, type FileSet, isGzip, verifyFile } from '../../platform/files.ts';
import type { DroppedFile } from '../../recipes/protocol.ts';

/** The file's content unpacked, as far as the longest file of a set goes. Throws `data`. */
const unpack = (name: string, content: Bytes, { files }: FileSet) =>
  isGzip(content) ? gunzip(name, content, Math.max(...files.map(({ bytes }) => bytes))) : content;

/** What other set has this very file, for one that was mixed up. */
async function othersFile(
  name: string,
  content: Bytes,
  others: readonly FileSet[],
): Promise<string | undefined> {
  for (const set of others)
    for (const entry of set.files) {
      if (!isGzip(content) && 'packedSha256' in entry) continue; // known by nothing but its length
      try {
        await verifyFile(name, entry, content, gunzip, 'local');
        return `${entry.name} of ${set.name}`;
      } catch {
        // not this one
      }
    }
  return undefined;
}

/**
 * The entry of the set that a dropped file is, and nothing else than. Throws a HeddleError `data` that says what it is instead,
 * as far as that can be told.
 */
export async function recognise(
  { name, bytes }: DroppedFile,
  set: FileSet,
  others: readonly FileSet[],
): Promise<{ readonly entry: FileEntry; readonly content: Bytes }> {
  const content = new Uint8Array(bytes);
  const names = set.files.map((entry) => entry.name).join(', ');
  const wrong = (why: string) =>
    new HeddleError(
      'data',
      `${name} is none of the files of ${set.name}: ${why}; expected ${names}, gzipped or not`,
    );
  let unpacked: Bytes;
  try {
    unpacked = await unpack(name, content, set);
  } catch (error) {
    throw wrong(messageOf(error).replace(`${name}: `, ''));
  }
  const [zero, alsoZero, type, dimensions] = unpacked;
  if (zero !== 0 || alsoZero !== 0 || type !== 8 || (dimensions !== 1 && dimensions !== 3))
    throw wrong('it does not begin as an IDX file of bytes does');
  // The four have lengths of their own.
  const entry = set.files.find((one) => one.bytes === unpacked.length);
  if (entry === undefined) throw wrong(`it has ${unpacked.length} bytes unpacked`);
  try {
    await verifyFile(name, entry, content, gunzip, 'local');
  } catch (error) {
    const other = await othersFile(name, content, others);
    throw wrong(other === undefined ? messageOf(error).replace(`${name}: `, '') : `it is ${other}`);
  }
  return { entry, content };
}
