// The browser's side of the `#platform` import: where a GPU comes from, where bytes come from.

import { HeddleError } from '../errors.ts';
import type { GpuOptions } from './gpu.ts';

export * from './browser-files.ts';
export * from './browser-sources.ts';

/** Nothing to save by resting: browsers wait without polling. */
export const restFromGpu = (_seconds: number): Promise<void> => Promise.resolve();

/** The value of a promise of the GPU: browsers wait without polling. */
export const awaitGpu = <T>(promise: Promise<T>): Promise<T> => promise;

/** Whether others may want an adapter while it computes: a page's browser draws with it. */
export const isShared = (_software: boolean): boolean => true;

/** What adapters compute with when they do not say: the browser chooses. */
export const platformBackend = '';

/** The browser's own WebGPU. Throws a HeddleError where the page has none. */
export async function requestGpu(options: GpuOptions = {}): Promise<GPU> {
  if (options.adapter !== undefined) {
    throw new HeddleError(
      'usage',
      'openDevice: the browser chooses the adapter; `adapter` works in Node only',
    );
  }
  if (typeof navigator === 'undefined' || navigator.gpu === undefined) {
    throw new HeddleError(
      'no-adapter',
      'this browser has no WebGPU here: use a current Chrome, Edge, Safari or Firefox, and https or localhost',
    );
  }
  return navigator.gpu;
}

/** What to do when there is no adapter, in one sentence. */
export const noAdapterHint =
  'Turn on hardware acceleration in the browser’s settings, or start Chrome with --enable-unsafe-webgpu.';
