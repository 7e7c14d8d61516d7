// A plan: work recorded once and replayed many times. Recording names tensors and dispatches; finishing checks that all
// of it fits, allocates, compiles the kernels in parallel and makes every bind group. Replaying allocates nothing.
// A plan owns its intermediates and its uniforms. Knows nothing of neural networks.

import { awaitGpu } from '#platform';
import { HeddleError } from '../errors.ts';
import type { Device } from './device.ts';
import {
  type ConstantValues,
  compile,
  compileNow,
  type KernelSpec,
  type Pipeline,
  writeRecord,
} from './kernel.ts';
import {
  alignment,
  alignUp,
  bytesPerElement,
  type DType,
  elementCount,
  type Storage,
  type Tensor,
  tensorBytes,
  view,
} from './tensor.ts';
import { bufferUsage } from './usage.ts';

/** One dispatch as a launcher asks for it. */
export interface DispatchRequest<B extends string, P extends string, C extends string> {
  readonly label: string;
  readonly bindings: Readonly<Record<B, Tensor>>;
  readonly params: Readonly<Record<P, number>>;
  readonly constants?: ConstantValues<C>;
  /** Workgroups in x, y, z. `foldGrid` turns a long line of them into a legal grid. */
  readonly workgroups: readonly [number, number, number];
}

/** What ops record into. */
export interface Recorder {
  readonly device: Device;
  /** Names an intermediate that the plan will own. */
  tensor(label: string, shape: readonly number[], dtype?: DType): Tensor;
  /** An array that kernels only read, f32 [length]: a copy that the plan will own. */
  constant(label: string, data: Float32Array): Tensor;
  /** For a binding that the variant of a kernel does not touch. Descriptions leave it out. */
  unused(): Tensor;
  /** Records a dispatch behind those that are there. Throws a HeddleError `limit` for a grid that WebGPU does not have. */
  dispatch<B extends string, P extends string, C extends string>(
    kernel: KernelSpec<B, P, C>,
    request: DispatchRequest<B, P, C>,
  ): void;
}

/** A recorded dispatch, for people. */
export interface DispatchDescription {
  readonly label: string;
  readonly kernel: string;
  readonly constants: ConstantValues;
  readonly params: Readonly<Record<string, number>>;
  readonly workgroups: readonly [number, number, number];
  readonly bindings: readonly {
    readonly name: string;
    readonly label: string;
    readonly shape: readonly number[];
    readonly dtype: DType;
    readonly bytes: number;
    readonly access: 'read' | 'read-write' | 'uniform';
  }[];
}

/** Recorded work, ready to be encoded into a compute pass as often as wanted. */
export interface Plan {
  readonly label: string;
  readonly dispatches: readonly DispatchDescription[];
  /** Bytes of the intermediates and uniforms that the plan owns. */
  readonly bytes: number;
  /** Encodes the whole plan for one slot of the rings it reads. Creates no GPU object. */
  encode(pass: GPUComputePassEncoder, slot: number): void;
  /** Encodes the dispatch at `index` of `dispatches` alone, as `encode` does. */
  encodeOne(pass: GPUComputePassEncoder, slot: number, index: number): void;
  /** Frees what the plan owns. Harmless when done before. */
  destroy(): void;
}

const maxWorkgroups = 65535;
/** Label of what is bound where nothing is read or written. */
const unusedLabel = 'unused';

/** `uniform` too: a kernel that takes no step record must still have something bound in its place. */
const intermediateUsage =
  bufferUsage.storage | bufferUsage.uniform | bufferUsage.copySrc | bufferUsage.copyDst;

/** Folds a line of workgroups into x and y; kernels recover the index as `id.x + id.y * grid.x * WORKGROUP`. */
export function foldGrid(workgroups: number): readonly [number, number, number] {
  const y = Math.ceil(workgroups / maxWorkgroups);
  return [Math.ceil(workgroups / y), y, 1];
}

interface Recorded {
  readonly kernel: KernelSpec;
  readonly label: string;
  readonly bindings: Readonly<Record<string, Tensor>>;
  readonly params: Readonly<Record<string, number>>;
  readonly constants: ConstantValues;
  readonly workgroups: readonly [number, number, number];
  readonly dynamic: readonly string[];
}

interface Recording {
  readonly label: string;
  readonly owned: readonly Storage[];
  /** What some of them hold from the start. */
  readonly contents: ReadonlyMap<Storage, Float32Array<ArrayBuffer>>;
  readonly dispatches: readonly Recorded[];
}

function recordWork(device: Device, label: string, work: (recorder: Recorder) => void): Recording {
  const owned: Storage[] = [];
  const contents = new Map<Storage, Float32Array<ArrayBuffer>>();
  const dispatches: Recorded[] = [];
  const tensor = (name: string, shape: readonly number[], dtype: DType = 'f32'): Tensor => {
    const bytes = elementCount(shape) * bytesPerElement[dtype];
    const storage: Storage = { label: name, bytes, buffer: undefined };
    owned.push(storage);
    return view(storage, name, shape, { dtype });
  };
  work({
    device,
    tensor,
    constant(name, data) {
      const made = tensor(name, [data.length]);
      contents.set(made.storage, Float32Array.from(data));
      return made;
    },
    // One each time: what may be written must not be bound twice. Large enough for a step record.
    unused: () => tensor(unusedLabel, [8]),

    dispatch(kernel, request) {
      const bindings: Readonly<Record<string, Tensor>> = request.bindings;
      for (const count of request.workgroups) {
        if (!Number.isInteger(count) || count < 1 || count > maxWorkgroups) {
          throw new HeddleError(
            'limit',
            `${request.label}: a grid of ${request.workgroups.join(' × ')} workgroups; expected integers from 1 to ${maxWorkgroups}`,
          );
        }
      }
      const dynamic = Object.keys(kernel.bindings).filter(
        (name) => (bindings[name] as Tensor).slotStride > 0,
      );
      dispatches.push({ kernel, dynamic, constants: {}, ...request });
    },
  });
  return { label, owned, contents, dispatches };
}

/** Refuses, before anything is allocated, what the adapter cannot hold. */
function checkLimits(device: Device, recording: Recording): void {
  const { maxStorageBufferBindingSize: most } = device.limits;
  for (const dispatch of recording.dispatches) {
    for (const tensor of Object.values(dispatch.bindings)) {
      const bytes = tensorBytes(tensor);
      if (bytes > most) {
        throw new HeddleError(
          'limit',
          `${dispatch.label}: ${tensor.label} [${tensor.shape.join(', ')}] takes ${bytes} bytes; this adapter binds at most ${most}. Use a smaller batch or model.`,
        );
      }
    }
  }
}

function writeParams(recording: Recording): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.max(1, recording.dispatches.length) * alignment);
  const view = new DataView(bytes.buffer);
  recording.dispatches.forEach(({ kernel, params }, i) => {
    writeRecord(view, i * alignment, kernel.params, params);
  });
  return bytes;
}

interface Replayed {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: readonly [number, number, number];
  /** Dynamic offsets by slot; empty when nothing moves. */
  readonly offsets: readonly (readonly number[])[];
}

function prepare(
  device: Device,
  dispatch: Recorded,
  pipeline: Pipeline,
  params: GPUBuffer,
  index: number,
  slots: number,
): Replayed {
  const { kernel, bindings, dynamic } = dispatch;
  const entries: GPUBindGroupEntry[] = Object.entries(kernel.bindings).map(([name, { binding }]) => {
    const tensor = bindings[name] as Tensor;
    const buffer = tensor.storage.buffer;
    if (buffer === undefined)
      throw new HeddleError('destroyed', `${dispatch.label}: ${tensor.label} was destroyed`);
    const size = Math.ceil(tensorBytes(tensor) / 16) * 16;
    return {
      binding,
      resource: { buffer, offset: tensor.offset, size: Math.min(size, buffer.size - tensor.offset) },
    };
  });
  entries.push({
    binding: kernel.params.binding,
    resource: { buffer: params, offset: index * alignment, size: kernel.params.size },
  });
  const group = device.gpu.createBindGroup({ label: dispatch.label, layout: pipeline.layout, entries });
  // WebGPU takes dynamic offsets in the order of the binding numbers, not of the entries.
  const moving = [...dynamic].sort(
    (a, b) => (kernel.bindings[a]?.binding ?? 0) - (kernel.bindings[b]?.binding ?? 0),
  );
  const offsets =
    moving.length === 0
      ? []
      : Array.from({ length: slots }, (_, slot) =>
          moving.map((name) => slot * (bindings[name] as Tensor).slotStride),
        );
  return { pipeline: pipeline.pipeline, group, workgroups: dispatch.workgroups, offsets };
}

function describeDispatch(dispatch: Recorded): DispatchDescription {
  const { kernel, label, constants, params, workgroups, bindings } = dispatch;
  return {
    label,
    kernel: kernel.name,
    constants,
    params,
    workgroups,
    bindings: Object.entries(kernel.bindings).flatMap(([name, { type }]) => {
      const tensor = bindings[name] as Tensor;
      const access = type === 'storage' ? 'read-write' : type === 'uniform' ? 'uniform' : 'read';
      const { label: tensorLabel, shape, dtype } = tensor;
      if (tensorLabel === unusedLabel) return [];
      return [{ name, label: tensorLabel, shape, dtype, bytes: tensorBytes(tensor), access }];
    }),
  };
}

function build(device: Device, recording: Recording, pipelines: readonly Pipeline[], slots: number): Plan {
  const paramBytes = writeParams(recording);
  const params: Storage = { label: `${recording.label}.params`, bytes: paramBytes.length, buffer: undefined };
  const owned = [params, ...recording.owned];
  let replayed: Replayed[];
  try {
    device.allocate(params, bufferUsage.uniform | bufferUsage.copyDst);
    for (const storage of recording.owned) {
      device.allocate(storage, intermediateUsage);
    }
    for (const [storage, data] of recording.contents) {
      device.gpu.queue.writeBuffer(storage.buffer as GPUBuffer, 0, data);
    }
    const paramsBuffer = params.buffer as unknown as GPUBuffer;
    device.gpu.queue.writeBuffer(paramsBuffer, 0, paramBytes);
    replayed = recording.dispatches.map((dispatch, i) =>
      prepare(device, dispatch, pipelines[i] as Pipeline, paramsBuffer, i, slots),
    );
  } catch (error) {
    for (const storage of owned) device.release(storage);
    throw error;
  }
  let destroyed = false;
  const encodeOne = (pass: GPUComputePassEncoder, slot: number, index: number) => {
    const { pipeline, group, workgroups, offsets } = replayed[index] as Replayed;
    pass.setPipeline(pipeline);
    const moved = offsets[slot];
    if (moved === undefined) pass.setBindGroup(0, group);
    else pass.setBindGroup(0, group, moved);
    pass.dispatchWorkgroups(workgroups[0], workgroups[1], workgroups[2]);
  };
  const alive = () => {
    if (destroyed) throw new HeddleError('destroyed', `the plan ${recording.label} was destroyed`);
  };
  return {
    label: recording.label,
    dispatches: recording.dispatches.map(describeDispatch),
    bytes: owned.reduce((sum, storage) => sum + alignUp(storage.bytes), 0),
    encode(pass, slot) {
      alive();
      for (let index = 0; index < replayed.length; index++) encodeOne(pass, slot, index);
    },
    encodeOne(pass, slot, index) {
      alive();
      encodeOne(pass, slot, index);
    },
    destroy() {
      destroyed = true;
      for (const storage of owned) device.release(storage);
    },
  };
}

/** What `work` would dispatch on this device. Compiles nothing, allocates nothing, runs nothing. */
export function describe(device: Device, work: (recorder: Recorder) => void): DispatchDescription[] {
  return recordWork(device, 'description', work).dispatches.map(describeDispatch);
}

/**
 * Records `work` and makes it ready to replay on rings of up to `slots` slots. Compiles in parallel; validates once by a
 * dry encode. Throws a HeddleError that names the kernel or the tensor at fault.
 */
export async function record(
  device: Device,
  label: string,
  slots: number,
  work: (recorder: Recorder) => void,
): Promise<Plan> {
  device.check();
  const recording = recordWork(device, label, work);
  checkLimits(device, recording);
  const pipelines = await Promise.all(
    recording.dispatches.map(({ kernel, constants, dynamic }) => compile(device, kernel, constants, dynamic)),
  );
  device.gpu.pushErrorScope('validation');
  let refusal: Promise<GPUError | null>;
  let plan: Plan;
  try {
    plan = build(device, recording, pipelines, slots);
    const encoder = device.gpu.createCommandEncoder({ label: `${label}.dry` });
    const pass = encoder.beginComputePass({ label: `${label}.dry` });
    plan.encode(pass, 0);
    pass.end();
    encoder.finish();
  } finally {
    refusal = device.gpu.popErrorScope(); // a scope left open would swallow every later error
  }
  const error = await awaitGpu(refusal);
  if (error !== null) {
    plan.destroy();
    throw new HeddleError('gpu', `the plan ${label} is not valid on this adapter: ${error.message}`);
  }
  device.check();
  return plan;
}

/** As `record`, without waiting: what a driver refuses surfaces at the device's next check. */
export function recordNow(
  device: Device,
  label: string,
  slots: number,
  work: (recorder: Recorder) => void,
): Plan {
  device.check();
  const recording = recordWork(device, label, work);
  checkLimits(device, recording);
  const pipelines = recording.dispatches.map(({ kernel, constants, dynamic }) =>
    compileNow(device, kernel, constants, dynamic),
  );
  return build(device, recording, pipelines, slots);
}
