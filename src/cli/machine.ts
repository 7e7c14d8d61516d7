// A device as commands train on it: opened, with what is known of its kernels.

import { openDevice } from '../index.ts';
import { prepareDevice } from './tuning.ts';
import type { Sound } from './verdicts.ts';

/** An open device. */
export interface Machine extends Sound {
  /** Frees it. Harmless when done before. */
  close(): void;
}

/** Opens the adapter that the options ask for. Throws `no-adapter`, and as `prepareDevice`. */
export async function openMachine(options: {
  readonly adapter?: string;
  readonly plain: boolean;
  readonly kernels?: string;
}): Promise<Machine> {
  const opened = await openDevice(options.adapter === undefined ? {} : { adapter: options.adapter });
  try {
    return { ...prepareDevice(opened, options), close: () => opened.destroy() };
  } catch (error) {
    opened.destroy();
    throw error;
  }
}
