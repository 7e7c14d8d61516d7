// Packs what `npm publish` would send.

import { join } from 'node:path';
import { npm, reasonOf, SetupError } from '../setup/common.mjs';

/**
 * @typedef {{ filename: string, size: number, unpackedSize: number, files: { path: string, size: number }[] }} Packed
 */

/**
 * Packs this checkout into a tarball in `folder`, with dist as it is.
 * @param {string} folder
 * @returns {Promise<Packed & { path: string }>}
 */
export async function pack(folder) {
  const result = await npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder]);
  if (!result.ok) throw new SetupError(`npm pack failed: ${reasonOf(result.output)}`);
  /** @type {Packed[]} */
  const [packed] = JSON.parse(result.stdout);
  if (packed === undefined) throw new SetupError('npm pack made nothing');
  return { ...packed, path: join(folder, packed.filename) };
}
