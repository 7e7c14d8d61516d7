// The device under test: one per test file, of the driver that the test project chose. No adapter is a failure.

import { afterAll, beforeAll, inject } from 'vitest';
import { type Device, openDevice } from '../../src/gpu/device.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** What the test project runs on: `lavapipe`, `swiftshader`, `gpu` (the machine's own driver) or `chromium`. */
    driver: string;
  }
}

/** Opens a device before the file's tests and destroys it after them; the tests call the result to get it. */
export function useDevice(): () => Device {
  let device: Device | undefined;
  beforeAll(async () => {
    device = await openDevice();
    const driver = inject('driver');
    const expected = driver === 'lavapipe' ? /llvmpipe/i : driver === 'swiftshader' ? /swiftshader/i : /./;
    const { vendor, architecture, description } = device.info;
    const name = `${vendor} ${architecture} ${description}`;
    if (!expected.test(name)) throw new Error(`the tests ask for ${driver}, the adapter is ${name}`);
  });
  afterAll(() => device?.destroy());
  return () => device as Device;
}
