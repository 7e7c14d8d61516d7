// Bringing bytes back from the GPU: once for saving and debugging, and without stalling, through a free list of mappable
// buffers, for what a running job reports.

import { awaitGpu } from '#platform';
import { HeddleError, messageOf } from '../errors.ts';
import type { Device } from './device.ts';
import { type Storage, type Tensor, tensorBytes } from './tensor.ts';
import { bufferUsage, mapModeRead } from './usage.ts';

/** News of a lost device comes within this time of the first failure by it, in ms, on a busy machine too. */
const lossDelay = 2000;

/** Copies one range out of a mapped buffer; turns the map's own rejection into what really happened. */
export async function readMapped(device: Device, buffer: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
  try {
    await awaitGpu(buffer.mapAsync(mapModeRead, 0, bytes));
  } catch (cause) {
    device.check();
    // Chrome rejects what a lost device was to map before it says that the device is lost.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const silence = new Promise((resolve) => {
      timer = setTimeout(resolve, lossDelay);
    });
    await Promise.race([device.gpu.lost, silence]);
    clearTimeout(timer);
    device.check();
    throw new HeddleError('gpu', `reading ${buffer.label} back failed: ${messageOf(cause)}`, { cause });
  }
  const copy = buffer.getMappedRange(0, bytes).slice(0);
  buffer.unmap();
  device.check();
  return copy;
}

/** Copies ranges of buffers back with one submit and one map, after everything submitted so far. */
async function readRanges(
  device: Device,
  label: string,
  ranges: readonly { readonly storage: Storage; readonly offset: number; readonly bytes: number }[],
): Promise<ArrayBuffer[]> {
  device.check();
  const padded = ranges.map(({ bytes }) => Math.ceil(bytes / 4) * 4);
  const total = padded.reduce((sum, bytes) => sum + bytes, 0);
  const staging: Storage = { label: `read ${label}`, bytes: total, buffer: undefined };
  device.allocate(staging, bufferUsage.mapRead | bufferUsage.copyDst);
  const buffer = staging.buffer as unknown as GPUBuffer;
  try {
    const encoder = device.gpu.createCommandEncoder({ label: staging.label });
    let start = 0;
    const starts = ranges.map(({ storage, offset }, i) => {
      if (storage.buffer === undefined) throw new HeddleError('destroyed', `${storage.label} was destroyed`);
      const at = start;
      encoder.copyBufferToBuffer(storage.buffer, offset, buffer, at, padded[i] as number);
      start += padded[i] as number;
      return at;
    });
    device.gpu.queue.submit([encoder.finish()]);
    const all = await readMapped(device, buffer, total);
    return starts.map((at, i) => all.slice(at, at + (ranges[i]?.bytes as number)));
  } finally {
    device.release(staging);
  }
}

/** The bytes of a tensor (slot 0 of a ring), after everything submitted so far. Allocates; not for the steady step. */
export async function read(device: Device, tensor: Tensor): Promise<ArrayBuffer> {
  const { label, offset } = tensor;
  const storage = { ...tensor.storage, label };
  const [bytes] = await readRanges(device, label, [{ storage, offset, bytes: tensorBytes(tensor) }]);
  return bytes as ArrayBuffer;
}

/** The whole content of several buffers, in one go. Allocates; not for the steady step. */
export async function readAll(
  device: Device,
  storages: readonly Storage[],
): Promise<Map<Storage, ArrayBuffer>> {
  const ranges = storages.map((storage) => ({ storage, offset: 0, bytes: storage.bytes }));
  const contents = await readRanges(device, storages.map(({ label }) => label).join(', '), ranges);
  return new Map(storages.map((storage, i) => [storage, contents[i] as ArrayBuffer]));
}
