// Runs recorded ops alone on the caller's own data: record → run → read. Inputs lie between NaNs, outputs are poisoned and
// stand between canaries, and every binding reaches over the guard behind its data, so that a kernel which reads or writes
// outside its ranges is found out on any driver, whatever that makes of an access beyond a binding.

import { HeddleError } from '../errors.ts';
import { beginCommands, endCommands } from '../gpu/commands.ts';
import type { Device } from '../gpu/device.ts';
import { type Recorder, record } from '../gpu/plan.ts';
import { readAll } from '../gpu/readback.ts';
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

/** The same tensor as kernels get it bound: with the guard behind it. */
function withGuard(tensor: Tensor): Tensor {
  const bytes = tensor.storage.bytes - tensor.offset;
  return { ...tensor, shape: [bytes / bytesPerElement[tensor.dtype]] };
}

/**
 * A recorder whose tensors are guarded (and listed in `made`, or in `constants`), and which binds guards with the data they
 * guard.
 */
function guardingRecorder(recorder: Recorder, made: Tensor[], constants: Tensor[]): Recorder {
  return {
    device: recorder.device,
    tensor(label, shape, dtype = 'f32') {
      const whole = recorder.tensor(label, [guardedBytes(shape, dtype) / 4], 'u32');
      const tensor = view(whole.storage, label, shape, { dtype, offset: alignment });
      made.push(tensor);
      return tensor;
    },
    constant(label, data) {
      const bytes = guarded(guardedBytes([data.length], 'f32'), nan, data);
      const whole = recorder.constant(label, new Float32Array(bytes.buffer));
      const tensor = view(whole.storage, label, [data.length], { offset: alignment });
      constants.push(tensor);
      return tensor;
    },
    hasImage: (tensor) => recorder.hasImage(tensor),
    unused: () => recorder.unused(),
    dispatch(kernel, request) {
      const wide = Object.entries<Tensor>(request.bindings).map(([name, tensor]) => [
        name,
        withGuard(tensor),
      ]);
      const bindings: typeof request.bindings = Object.fromEntries(wide);
      recorder.dispatch(kernel, { ...request, bindings });
    },
  };
}

/** The content of a guarded tensor's buffer, without the guards; throws when those have changed. */
function unguard(bytes: ArrayBuffer, tensor: Tensor, guard: number): ArrayBuffer {
  const words = new Uint32Array(bytes);
  const edge = alignment / 4;
  for (let i = 0; i < edge; i++) {
    if (words[i] !== guard || words[words.length - 1 - i] !== guard) {
      throw new HeddleError('gpu', `a kernel wrote outside of ${tensor.label} [${tensor.shape.join(', ')}]`);
    }
  }
  return bytes.slice(alignment, bytes.byteLength - alignment);
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
  const constants: Tensor[] = [];
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
      outputs = work(guardingRecorder(recorder, made, constants), placed);
    });
    try {
      for (const { storage } of made) {
        device.gpu.queue.writeBuffer(storage.buffer as GPUBuffer, 0, guarded(storage.bytes, poison));
      }
      const commands = beginCommands(device, 'run');
      plan.encode(commands, 0);
      device.gpu.queue.submit([endCommands(commands)]);
      const all = [...uploaded, ...made, ...constants];
      const whole = await readAll(device, [...new Set(all.map(({ storage }) => storage))]);
      const contents = new Map(
        all.map((tensor) => {
          const bytes = whole.get(tensor.storage) as ArrayBuffer;
          return [tensor.storage, unguard(bytes, tensor, made.includes(tensor) ? poison : nan)];
        }),
      );
      const results = {} as Record<Results, Float32Array | Uint32Array>;
      for (const [name, { dtype, storage }] of Object.entries(outputs) as [Results, Tensor][]) {
        const bytes = contents.get(storage) as ArrayBuffer;
        results[name] = dtype === 'f32' ? new Float32Array(bytes) : new Uint32Array(bytes);
      }
      return results;
    } finally {
      plan.destroy();
    }
  } finally {
    for (const { storage } of uploaded) device.release(storage);
  }
}
