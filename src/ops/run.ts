// Runs recorded ops alone on the caller's own data: record → run → read. Inputs lie between NaNs, outputs are poisoned and
// stand between canaries, so that a kernel which reads or writes outside its ranges is found out.

import { HeddleError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import { type Recorder, record } from '../gpu/plan.ts';
import { read } from '../gpu/readback.ts';
import {
  alignment,
  bytesPerElement,
  type DType,
  elementCount,
  type Storage,
  type Tensor,
  view,
} from '../gpu/tensor.ts';
import { bufferUsage } from '../gpu/usage.ts';

/** Data of the caller's, on the host. The dtype follows the array: f32, u32 or u8. */
export interface HostTensor {
  readonly data: Float32Array | Uint32Array | Uint8Array;
  readonly shape: readonly number[];
}

/** Bits of a NaN that no kernel produces. */
const poison = 0x7fedcba9;
const nan = 0x7fc00000;

const dtypeOf = (data: HostTensor['data']): DType =>
  data instanceof Float32Array ? 'f32' : data instanceof Uint32Array ? 'u32' : 'u8';

/** Bytes of a tensor with a guard of 256 bytes on either side. */
const guardedBytes = (shape: readonly number[], dtype: DType) =>
  2 * alignment + Math.ceil((elementCount(shape) * bytesPerElement[dtype]) / 4) * 4;

function guarded(bytes: number, fill: number, content?: HostTensor['data']): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(bytes / 4).fill(fill);
  const all = new Uint8Array(words.buffer);
  if (content !== undefined)
    all.set(new Uint8Array(content.buffer, content.byteOffset, content.byteLength), alignment);
  return all;
}

function upload(device: Device, label: string, bytes: Uint8Array<ArrayBuffer>): Storage {
  const storage: Storage = { label, bytes: bytes.length, buffer: undefined };
  device.allocate(
    storage,
    bufferUsage.storage | bufferUsage.uniform | bufferUsage.copySrc | bufferUsage.copyDst,
  );
  device.gpu.queue.writeBuffer(storage.buffer as unknown as GPUBuffer, 0, bytes);
  return storage;
}

/** The words of a guarded tensor; throws when its guards changed. */
async function readGuarded(device: Device, tensor: Tensor, guard: number): Promise<ArrayBuffer> {
  const words = tensor.storage.bytes / 4;
  const whole = new Uint32Array(
    await read(device, view(tensor.storage, tensor.label, [words], { dtype: 'u32' })),
  );
  const edge = alignment / 4;
  for (let i = 0; i < edge; i++) {
    if (whole[i] !== guard || whole[words - 1 - i] !== guard) {
      throw new HeddleError('gpu', `a kernel wrote outside of ${tensor.label} [${tensor.shape.join(', ')}]`);
    }
  }
  return whole.slice(edge, words - edge).buffer;
}

/**
 * Uploads `inputs`, runs what `work` records, and reads back the tensors it returns, by name: f32 as Float32Array, u32 as
 * Uint32Array. An input may be returned too, to see what was done to it in place.
 * Throws a HeddleError when a kernel wrote outside its output.
 */
export async function run<Names extends string, Results extends string>(
  device: Device,
  inputs: Readonly<Record<Names, HostTensor>>,
  work: (recorder: Recorder, inputs: Readonly<Record<Names, Tensor>>) => Readonly<Record<Results, Tensor>>,
): Promise<Record<Results, Float32Array | Uint32Array>> {
  const uploaded: Tensor[] = [];
  const made: Tensor[] = [];
  const place = (name: string, { data, shape }: HostTensor): Tensor => {
    const dtype = dtypeOf(data);
    if (data.length !== elementCount(shape)) {
      throw new HeddleError(
        'shape',
        `run: ${name} has ${data.length} elements, its shape [${shape.join(', ')}] asks for ${elementCount(shape)}`,
      );
    }
    const storage = upload(device, name, guarded(guardedBytes(shape, dtype), nan, data));
    const tensor = view(storage, name, shape, { dtype, offset: alignment });
    uploaded.push(tensor);
    return tensor;
  };
  let outputs: Readonly<Record<string, Tensor>> = {};
  try {
    const placed = Object.fromEntries(
      Object.entries<HostTensor>(inputs).map(([name, host]) => [name, place(name, host)]),
    ) as Record<Names, Tensor>;
    const plan = await record(device, 'run', 1, (recorder) => {
      const guarding: Recorder = {
        ...recorder,
        tensor(label, shape, dtype = 'f32') {
          const whole = recorder.tensor(label, [guardedBytes(shape, dtype) / 4], 'u32');
          const tensor = view(whole.storage, label, shape, { dtype, offset: alignment });
          made.push(tensor);
          return tensor;
        },
      };
      outputs = work(guarding, placed);
    });
    try {
      for (const { storage } of made) {
        device.gpu.queue.writeBuffer(storage.buffer as GPUBuffer, 0, guarded(storage.bytes, poison));
      }
      const encoder = device.gpu.createCommandEncoder({ label: 'run' });
      const pass = encoder.beginComputePass({ label: 'run' });
      plan.encode(pass, 0);
      pass.end();
      device.gpu.queue.submit([encoder.finish()]);
      for (const tensor of made) await readGuarded(device, tensor, poison);
      for (const tensor of uploaded) await readGuarded(device, tensor, nan);
      const results = {} as Record<Results, Float32Array | Uint32Array>;
      for (const [name, tensor] of Object.entries(outputs) as [Results, Tensor][]) {
        const bytes = await readGuarded(device, tensor, uploaded.includes(tensor) ? nan : poison);
        results[name] = tensor.dtype === 'f32' ? new Float32Array(bytes) : new Uint32Array(bytes);
      }
      return results;
    } finally {
      plan.destroy();
    }
  } finally {
    for (const { storage } of uploaded) device.release(storage);
  }
}
