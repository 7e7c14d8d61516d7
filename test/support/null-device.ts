// Devices on Dawn's null backend, which computes nothing but checks WGSL and every call as the real ones do: for tests
// of what compiles, on machines without any driver.

import { create } from 'webgpu';
import { type AdapterInfo, type Device, openAdapter } from '../../src/gpu/device.ts';

/** Dawn's entry point with the null backend alone. Held here because losing it crashes the process. */
export const nullGpu: GPU = create(['backend=null']);

/** Opens a device that computes nothing; `pretend` replaces what it says about its adapter. The caller destroys it. */
export async function openNullDevice(pretend: Partial<AdapterInfo> = {}): Promise<Device> {
  const adapter = await nullGpu.requestAdapter();
  if (adapter === null) throw new Error('this build of Dawn has no null backend');
  const device = await openAdapter(adapter);
  return Object.create(device, { info: { value: { ...device.info, ...pretend }, enumerable: true } });
}
