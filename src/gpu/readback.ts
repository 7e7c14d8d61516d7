// Bringing bytes back from the GPU: once for saving and debugging, and without stalling, through a free list of mappable
// buffers, for what a running job reports.

import { waitingPolls } from '#platform';
import { HeddleError, messageOf } from '../errors.ts';
import type { Device } from './device.ts';
import { type Storage, type Tensor, tensorBytes } from './tensor.ts';
import { bufferUsage, mapModeRead } from './usage.ts';

/** Copies one range out of a mapped buffer; turns the map's own rejection into what really happened. */
export async function readMapped(device: Device, buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
  try {
    await buffer.mapAsync(mapModeRead, 0, bytes);
  } catch (cause) {
    device.check();
    throw new HeddleError('gpu', `reading ${buffer.label} back failed: ${messageOf(cause)}`, { cause });
  }
  const copy = buffer.getMappedRange(0, bytes).slice(0);
  buffer.unmap();
  device.check();
  return copy;
}

/** The bytes of a tensor (slot 0 of a ring), after everything submitted so far. Allocates; not for the steady step. */
export async function read(device: Device, tensor: Tensor): Promise<ArrayBuffer> {
  device.check();
  const source = tensor.storage.buffer;
  if (source === undefined) throw new HeddleError('destroyed', `${tensor.label} was destroyed`);
  const bytes = tensorBytes(tensor);
  const padded = Math.ceil(bytes / 4) * 4;
  const staging: Storage = { label: `read ${tensor.label}`, bytes: padded, buffer: undefined };
  device.allocate(staging, bufferUsage.mapRead | bufferUsage.copyDst);
  const buffer = staging.buffer as unknown as GPUBuffer;
  try {
    const encoder = device.gpu.createCommandEncoder({ label: staging.label });
    encoder.copyBufferToBuffer(source, tensor.offset, buffer, 0, padded);
    device.gpu.queue.submit([encoder.finish()]);
    return (await readMapped(device, buffer, padded)).slice(0, bytes);
  } finally {
    device.release(staging);
  }
}

/** Resolves after `seconds`; at once where waiting for the GPU costs nothing. Dawn in Node polls, and burns a core, while a map is pending. */
export function sleepWhereWaitingPolls(seconds: number): Promise<void> {
  const milliseconds = Math.floor(seconds * 1000);
  if (!waitingPolls || milliseconds < 1) return Promise.resolve();
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
