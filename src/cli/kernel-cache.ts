// Where what is known of kernels on an adapter lies in the user's cache. Another driver, version or shader is another name.

import { createHash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { messageOf } from '../errors.ts';
import { type Device, HeddleError } from '../index.ts';
import { allKernels } from '../ops/kernels.generated.ts';
import { cacheFolder } from '../platform/cache-folder.ts';
import { adapterFacts } from '../recipes/record.ts';
import { writeWhole } from './run-folder.ts';
import { versions } from './versions.ts';

/** The file that has `what` (part of its name) of this device's adapter; it may not exist. */
export function kernelCachePath(device: Device, what: '' | '.tuned'): string {
  const hash = createHash('sha256').update(JSON.stringify(adapterFacts(device.info)));
  const { heddle, webgpu } = versions();
  hash.update(`${heddle} ${webgpu}`);
  for (const { source } of allKernels) hash.update(source);
  const { platform, env } = process;
  const folder = join(cacheFolder({ platform, env, home: homedir() }), 'kernels');
  return join(folder, `${hash.digest('hex').slice(0, 16)}${what}.json`);
}

/** Keeps `facts` there, with the adapter and the versions that they are about. Throws `file` when that cannot be. */
export function writeKernelCache(
  path: string,
  device: Device,
  facts: Readonly<Record<string, unknown>>,
): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (cause) {
    throw new HeddleError('file', `${dirname(path)} could not be made: ${messageOf(cause)}`, { cause });
  }
  const adapter = adapterFacts(device.info);
  writeWhole(path, Buffer.from(`${JSON.stringify({ adapter, versions: versions(), ...facts }, null, 2)}\n`));
}
