// A plan: work recorded once and replayed many times. Recording names tensors and dispatches; finishing checks that all
// of it fits, allocates, compiles the kernels in parallel and makes every bind group. Replaying allocates nothing.
// A plan owns its intermediates and its uniforms. Knows nothing of neural networks.

import { awaitGpu } from '#platform';
import { HeddleError } from '../errors.ts';
import { beginCommands, type Commands, endCommands, endPass, passOf } from './commands.ts';
import type { Device } from './device.ts';
import { type Copy, createImages, encoderOf, type Image, imageBytes } from './image.ts';
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
export interface DispatchRequest<
  B extends string,
  P extends string,
  C extends string,
  I extends string = never,
> {
  readonly label: string;
  readonly bindings: Readonly<Record<B, Tensor>>;
  /** Tensors to be read as images, for those that this variant of the kernel reads; `canBeImage` tells which can be. */
  readonly images?: Readonly<Partial<Record<NoInfer<I>, Tensor>>>;
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
  /** Whether a tensor has an image that holds the same: to read it as an image takes no copy then. */
  hasImage(tensor: Tensor): boolean;
  /** For a binding that the variant of a kernel does not touch. Descriptions leave it out. */
  unused(): Tensor;
  /**
   * Records a dispatch behind those that are there; before it, copies of tensors into images, where what it reads as an
   * image has been written since the last copy. Throws a HeddleError `limit` for a grid that WebGPU does not have.
   */
  dispatch<B extends string, P extends string, C extends string, I extends string = never>(
    kernel: KernelSpec<B, P, C, I>,
    request: DispatchRequest<B, P, C, I>,
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
  /** What is read as an image, and whether it is copied into it first. */
  readonly images: readonly {
    readonly name: string;
    readonly label: string;
    readonly shape: readonly number[];
    readonly bytes: number;
    readonly copied: boolean;
  }[];
}

/** Recorded work, ready to be encoded as often as wanted. */
export interface Plan {
  readonly label: string;
  readonly dispatches: readonly DispatchDescription[];
  /** Bytes of the intermediates, images and uniforms that the plan owns. */
  readonly bytes: number;
  /** Encodes the whole plan for one slot of the rings it reads. Creates no GPU object but passes. */
  encode(commands: Commands, slot: number): void;
  /** Encodes the dispatch at `index` of `dispatches` alone, with the copies it needs, as `encode` does. */
  encodeOne(commands: Commands, slot: number, index: number): void;
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
  readonly images: Readonly<Record<string, Image>>;
  /** What happens first. */
  readonly copies: readonly Copy[];
  readonly params: Readonly<Record<string, number>>;
  readonly constants: ConstantValues;
  readonly workgroups: readonly [number, number, number];
  readonly dynamic: readonly string[];
}

interface Recording {
  readonly label: string;
  readonly owned: readonly Storage[];
  readonly images: readonly Image[];
  /** What some of them hold from the start. */
  readonly contents: ReadonlyMap<Storage, Float32Array<ArrayBuffer>>;
  readonly dispatches: readonly Recorded[];
}

function recordWork(device: Device, label: string, work: (recorder: Recorder) => void): Recording {
  const owned: Storage[] = [];
  const contents = new Map<Storage, Float32Array<ArrayBuffer>>();
  const dispatches: Recorded[] = [];
  const images = createImages(device);
  /** What is bound where a variant reads no image. */
  const spare: Image = { label: unusedLabel, shape: [1, 4], fold: 0, texture: undefined };
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
    hasImage: images.has,
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
      const read: Readonly<Partial<Record<string, Tensor>>> = request.images ?? {};
      const copies: Copy[] = [];
      const bound = Object.keys(kernel.images).map((name) => {
        const wanted = read[name];
        if (wanted === undefined) return [name, spare] as const;
        const { image, copy } = images.of(wanted);
        if (copy) copies.push({ tensor: wanted, image });
        return [name, image] as const;
      });
      dispatches.push({
        kernel,
        dynamic,
        copies,
        constants: {},
        ...request,
        images: Object.fromEntries(bound),
      });
      for (const [name, { type }] of Object.entries<{ type: GPUBufferBindingType }>(kernel.bindings)) {
        if (type === 'storage') images.written(bindings[name] as Tensor);
      }
    },
  });
  const isSpared = dispatches.some((dispatch) => Object.values(dispatch.images).includes(spare));
  return { label, owned, images: [...images.all(), ...(isSpared ? [spare] : [])], contents, dispatches };
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
  /** Encodes the copies that come first. */
  readonly copies: readonly ReturnType<typeof encoderOf>[];
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
  for (const [name, { binding, sampled }] of Object.entries(kernel.images)) {
    const { label, texture } = dispatch.images[name] as Image;
    const resource = (texture as GPUTexture).createView({ label });
    entries.push({ binding, resource });
    if (sampled !== undefined) entries.push({ binding: sampled, resource });
  }
  if (kernel.sampler !== undefined) entries.push({ binding: kernel.sampler, resource: device.nearest });
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
  const { workgroups } = dispatch;
  const copies = dispatch.copies.map(encoderOf);
  return { pipeline: pipeline.pipeline, group, workgroups, copies, offsets };
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
    images: Object.keys(kernel.images).flatMap((name) => {
      const image = dispatch.images[name] as Image;
      if (image.label === unusedLabel) return [];
      const copied = dispatch.copies.some((copy) => copy.image === image);
      return [{ name, label: image.label, shape: image.shape, bytes: imageBytes(image), copied }];
    }),
  };
}

function build(device: Device, recording: Recording, pipelines: readonly Pipeline[], slots: number): Plan {
  const paramBytes = writeParams(recording);
  const params: Storage = { label: `${recording.label}.params`, bytes: paramBytes.length, buffer: undefined };
  const owned = [params, ...recording.owned];
  const free = () => {
    for (const storage of owned) device.release(storage);
    for (const image of recording.images) device.releaseImage(image);
  };
  let replayed: Replayed[];
  try {
    device.allocate(params, bufferUsage.uniform | bufferUsage.copyDst);
    for (const storage of recording.owned) {
      device.allocate(storage, intermediateUsage);
    }
    for (const image of recording.images) device.allocateImage(image);
    for (const [storage, data] of recording.contents) {
      device.gpu.queue.writeBuffer(storage.buffer as GPUBuffer, 0, data);
    }
    const paramsBuffer = params.buffer as unknown as GPUBuffer;
    device.gpu.queue.writeBuffer(paramsBuffer, 0, paramBytes);
    replayed = recording.dispatches.map((dispatch, i) =>
      prepare(device, dispatch, pipelines[i] as Pipeline, paramsBuffer, i, slots),
    );
  } catch (error) {
    free();
    throw error;
  }
  let destroyed = false;
  const encodeOne = (commands: Commands, slot: number, index: number) => {
    const { pipeline, group, workgroups, copies, offsets } = replayed[index] as Replayed;
    if (copies.length > 0) endPass(commands);
    for (const copy of copies) copy(commands.encoder, slot);
    const pass = passOf(commands);
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
    bytes:
      owned.reduce((sum, storage) => sum + alignUp(storage.bytes), 0) +
      recording.images.reduce((sum, image) => sum + imageBytes(image), 0),
    encode(commands, slot) {
      alive();
      for (let index = 0; index < replayed.length; index++) encodeOne(commands, slot, index);
    },
    encodeOne(commands, slot, index) {
      alive();
      encodeOne(commands, slot, index);
    },
    destroy() {
      destroyed = true;
      free();
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
    const commands = beginCommands(device, `${label}.dry`);
    plan.encode(commands, 0);
    endCommands(commands);
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
