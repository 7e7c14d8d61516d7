// A device: one adapter's GPU with its facts, its errors parked until somebody can throw them, and a count of its bytes.

// The types of WebGPU are part of ours, and not every TypeScript has them.
/// <reference types="@webgpu/types" preserve="true" />

import { noAdapterHint, platformBackend, requestGpu } from '#platform';
import { HeddleError, messageOf } from '../errors.ts';
import { type Image, imageBytes, imageFormat, textureSize } from './image.ts';
import type { Pipeline } from './kernel.ts';
import type { Storage } from './tensor.ts';
import type { Observer } from './trace.ts';
import { textureUsage } from './usage.ts';

/** What an adapter says about itself. */
export interface AdapterInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** `vulkan`, `metal`, `d3d12`, …; empty where the platform does not say. */
  readonly backend: string;
  /** True for adapters that compute on the CPU. */
  readonly software: boolean;
  /** The one size that subgroups have here; 0 when it varies or subgroups are missing. */
  readonly subgroupSize: number;
}

/** Options of `openDevice`. */
export interface DeviceOptions {
  /** Part of the adapter's name, where a machine has several (Node only). */
  readonly adapter?: string;
  /** Timestamps as the driver gives them instead of rounded ones, for `trainer.profile` (Node only). */
  readonly exactTimestamps?: boolean;
}

/** A GPU ready for work. Whoever opened it calls `destroy` when nothing made on it is needed any more. */
export interface Device {
  readonly gpu: GPUDevice;
  readonly info: AdapterInfo;
  readonly limits: GPUSupportedLimits;
  readonly features: readonly string[];
  /** Samples the nearest texel of an image, or the one at its edge. */
  readonly nearest: GPUSampler;
  /** Bytes of the buffers and images alive now. */
  readonly bytes: number;
  /** Names of kernels that launchers must not choose on this device; see `withoutKernels`. */
  readonly avoided: ReadonlySet<string>;
  /** Names of kernel variants to use instead of a launcher's own choice, by its problem; see `withVariants`. */
  readonly variants: ReadonlyMap<string, string>;
  /** Compiled kernels, by variant. Kept for the life of the device. */
  readonly pipelines: Map<string, Pipeline>;
  /** Variants that are being compiled now. */
  readonly compiling: Map<string, Promise<Pipeline>>;
  /** Told of what the host does for running plans, when set; see trace.ts. */
  observe?: Observer | undefined;
  /** Gives `storage` its buffer, zero-filled. Throws a HeddleError when it exceeds the adapter's limits. */
  allocate(storage: Storage, usage: GPUBufferUsageFlags): void;
  /** Destroys a buffer made by `allocate`; harmless when done before. */
  release(storage: Storage): void;
  /** Gives an image its texture, zero-filled. */
  allocateImage(image: Image): void;
  /** Destroys a texture made by `allocateImage`; harmless when done before. */
  releaseImage(image: Image): void;
  /** Throws the first GPU error since the last check, or that the device is lost or destroyed. Cheap. */
  check(): void;
  /** Frees the device and all its buffers. Blocks until submitted work is done. Harmless when done before. */
  destroy(): void;
}

const softwareNames = /llvmpipe|lavapipe|swiftshader|warp|basic render/i;

function describeAdapter(adapter: GPUAdapter): AdapterInfo {
  const info: GPUAdapterInfo & { backend?: unknown; isFallbackAdapter?: boolean } = adapter.info;
  const named = softwareNames.test(`${info.vendor} ${info.architecture} ${info.device} ${info.description}`);
  const fixed = adapter.features.has('subgroups') && info.subgroupMinSize === info.subgroupMaxSize;
  return {
    vendor: info.vendor,
    architecture: info.architecture,
    device: info.device,
    description: info.description,
    backend: typeof info.backend === 'string' ? info.backend : platformBackend,
    software: info.isFallbackAdapter === true || named,
    subgroupSize: fixed ? info.subgroupMinSize : 0,
  };
}

/** The limits worth raising above WebGPU's defaults: how large one tensor, and so one model, may be. */
const raisedLimits = ['maxBufferSize', 'maxStorageBufferBindingSize'] as const;
const wantedFeatures: readonly GPUFeatureName[] = ['subgroups', 'timestamp-query'];

async function requestAdapter(gpuEntry: GPU, name: string | undefined): Promise<GPUAdapter> {
  let found: GPUAdapter | null = null;
  let cause: unknown;
  try {
    found = await gpuEntry.requestAdapter();
  } catch (error) {
    cause = error; // Dawn lists the adapters it has when none is named so
  }
  if (found !== null) return found;
  if (cause !== undefined) {
    const reason = messageOf(cause).replace(/\s+/g, ' ').trim();
    const asked = name === undefined ? '' : ` named like '${name}'`;
    throw new HeddleError('no-adapter', `no WebGPU adapter${asked}: ${reason}`, { cause });
  }
  throw new HeddleError('no-adapter', `no WebGPU adapter on this machine. ${noAdapterHint}`);
}

/**
 * Opens the machine's GPU: Dawn's in Node, `navigator.gpu`'s in a page.
 * Throws a HeddleError `no-adapter` that says what to install when there is none.
 */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const gpuEntry = await requestGpu(options);
  // No options on purpose: on Linux, asking for a power preference can hide a working adapter.
  const adapter = await requestAdapter(gpuEntry, options.adapter);
  if (/^null\b/i.test(adapter.info.device)) {
    throw new HeddleError(
      'no-adapter',
      `the only adapter is Dawn’s null backend, which computes nothing. ${noAdapterHint}`,
    );
  }
  return openAdapter(adapter);
}

/**
 * Opens a device on an adapter already at hand, without `openDevice`'s refusal of one that computes nothing.
 * An adapter serves one device.
 */
export async function openAdapter(adapter: GPUAdapter): Promise<Device> {
  const requiredLimits = Object.fromEntries(raisedLimits.map((name) => [name, adapter.limits[name]]));
  const requiredFeatures = wantedFeatures.filter((name) => adapter.features.has(name));
  const gpu = await adapter.requestDevice({ label: 'heddle', requiredLimits, requiredFeatures });
  return wrap(gpu, describeAdapter(adapter));
}

function wrap(gpu: GPUDevice, info: AdapterInfo): Device {
  const live = new Map<Storage | Image, number>();
  let bytes = 0;
  let destroyed = false;
  let failure: HeddleError | undefined;
  const fail = (error: HeddleError) => {
    failure ??= error;
  };
  gpu.addEventListener('uncapturederror', (event) => {
    event.preventDefault(); // Dawn would print it on stdout
    fail(new HeddleError('gpu', `the GPU refused a command: ${event.error.message}`));
  });
  gpu.lost.then((lost) => {
    if (!destroyed)
      fail(new HeddleError('device-lost', `the GPU device was lost (${lost.reason}): ${lost.message}`));
  });

  return {
    gpu,
    info,
    limits: gpu.limits,
    features: [...gpu.features].sort(),
    nearest: gpu.createSampler({ label: 'nearest' }),
    avoided: new Set(),
    variants: new Map(),
    pipelines: new Map(),
    compiling: new Map(),
    get bytes() {
      return bytes;
    },
    allocate(storage, usage) {
      this.check();
      const size = Math.max(16, Math.ceil(storage.bytes / 16) * 16);
      if (size > gpu.limits.maxBufferSize) {
        throw new HeddleError(
          'limit',
          `${storage.label} needs ${size} bytes; this adapter’s buffers hold at most ${gpu.limits.maxBufferSize}. Use a smaller batch or model.`,
        );
      }
      storage.buffer = gpu.createBuffer({ label: storage.label, size, usage });
      live.set(storage, size);
      bytes += size;
    },
    release(storage) {
      storage.buffer?.destroy();
      storage.buffer = undefined;
      bytes -= live.get(storage) ?? 0;
      live.delete(storage);
    },
    allocateImage(image) {
      this.check();
      image.texture = gpu.createTexture({
        label: image.label,
        format: imageFormat,
        size: [...textureSize(image)],
        usage: textureUsage.storageBinding | textureUsage.textureBinding | textureUsage.copyDst,
      });
      live.set(image, imageBytes(image));
      bytes += imageBytes(image);
    },
    releaseImage(image) {
      image.texture?.destroy();
      image.texture = undefined;
      bytes -= live.get(image) ?? 0;
      live.delete(image);
    },
    check() {
      if (failure !== undefined) throw failure;
      if (destroyed)
        throw new HeddleError('destroyed', 'this device was destroyed: open a new one with openDevice()');
    },
    destroy() {
      if (destroyed) return;
      destroyed = true;
      gpu.destroy();
      live.clear();
      bytes = 0;
    },
  };
}

/**
 * The same device, on which launchers choose other kernels than those named, where there are others: for kernels that
 * `checkModel` found wrong there. Destroying either destroys both.
 */
export function withoutKernels(device: Device, names: readonly string[]): Device {
  const avoided: ReadonlySet<string> = new Set([...device.avoided, ...names]);
  return Object.create(device, { avoided: { value: avoided, enumerable: true } });
}

/**
 * The same device, on which launchers use the variants named where they can run: what `tuneModel` found best there, or
 * what an earlier run used. Destroying either destroys both.
 */
export function withVariants(device: Device, variants: ReadonlyMap<string, string>): Device {
  const all = new Map([...device.variants, ...variants]);
  return Object.create(device, { variants: { value: all, enumerable: true } });
}
