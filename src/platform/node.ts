// Node's side of the `#platform` import: where a GPU comes from, where bytes come from.

import { HeddleError, messageOf } from '../errors.ts';
import type { GpuOptions } from './gpu.ts';
import { adviseLavapipe } from './node-lavapipe.ts';
import { codeOf } from './node-read.ts';

export * from './node-files.ts';
export * from './node-sources.ts';
export { awaitGpu, restFromGpu } from './node-waiting.ts';

const backends: Partial<Record<NodeJS.Platform, string>> = {
  linux: 'vulkan',
  darwin: 'metal',
  win32: 'd3d12',
};
/** What adapters compute with when they do not say: Dawn for Node takes its platform's own unless told otherwise. */
export const platformBackend = backends[process.platform] ?? '';

/** Whether others may want an adapter while it computes: the desktop a GPU, nobody what a driver of this process computes. */
export const isShared = (software: boolean): boolean => !software;

/** WebGPU instances by their options. Losing one crashes the process natively, so they live as long as it does. */
const instances = new Map<string, GPU>();

/** Why there is no Dawn, and what to do, in a line. Browsers have no use for it, so it comes with Heddle only where asked for. */
function notLoaded(cause: unknown): string {
  const missing = codeOf(cause) === 'ERR_MODULE_NOT_FOUND' && /'webgpu'/.test(messageOf(cause));
  return missing
    ? 'in Node, Heddle computes through Dawn, in the package webgpu, which is not installed. Type: npm install webgpu@0.6'
    : `the package webgpu did not load: ${messageOf(cause)}. It has programs for Linux, macOS and Windows on x64 and arm64; install it anew: npm install webgpu@0.6`;
}

/** Dawn's WebGPU entry point, loaded from the `webgpu` package. Throws a HeddleError when the package does not load. */
export async function requestGpu(options: GpuOptions = {}): Promise<GPU> {
  const flags: string[] = [];
  if (options.adapter !== undefined) flags.push(`adapter=${options.adapter}`);
  if (options.exactTimestamps === true) flags.push('disable-dawn-features=timestamp_quantization');
  const key = flags.join('\n');
  let gpu = instances.get(key);
  if (gpu === undefined) {
    try {
      const { create } = await import('webgpu');
      adviseLavapipe();
      gpu = create(flags);
    } catch (cause) {
      throw new HeddleError('no-adapter', notLoaded(cause), { cause });
    }
    instances.set(key, gpu);
  }
  return gpu;
}

/** What to do when there is no adapter, in one sentence. */
export const noAdapterHint =
  process.platform === 'linux'
    ? 'Install a Vulkan driver: your GPU’s, or Mesa’s software driver (Debian 13, Ubuntu 24.04 or newer: `apt-get install mesa-vulkan-drivers`; ' +
      'Debian 12: the same with `-t bookworm-backports`); in a checkout, `npm start` does it.'
    : 'Update the graphics driver of this machine.';
