// The device under test: one per test file, of the driver that the test project chose. No adapter is a failure.

import { afterAll, beforeAll } from 'vitest';
import { type Device, openDevice } from '../../src/gpu/device.ts';

/** Opens a device before the file's tests and destroys it after them; the tests call the result to get it. */
export function useDevice(): () => Device {
  let device: Device | undefined;
  beforeAll(async () => {
    device = await openDevice();
    const { HEDDLE_TEST_DRIVER: driver } = process.env;
    const expected = driver === 'lavapipe' ? /llvmpipe/i : driver === 'swiftshader' ? /swiftshader/i : /./;
    const name = `${device.info.vendor} ${device.info.description}`;
    if (!expected.test(name)) throw new Error(`the tests ask for ${driver}, the adapter is ${name}`);
  });
  afterAll(() => device?.destroy());
  return () => device as Device;
}
