// What a kernel is to the engine: WGSL source with named bindings, parameters and constants; and how a variant of it
// becomes a pipeline. Knows nothing of what kernels compute.

import { awaitGpu } from '#platform';
import { HeddleError, messageOf } from '../errors.ts';
import type { Device } from './device.ts';
import { imageFormat } from './image.ts';
import { unrollLoops } from './unroll.ts';
import { shaderStageCompute } from './usage.ts';

/** Byte layout of a WGSL struct of 32-bit scalars. */
export interface RecordLayout<Field extends string = string> {
  readonly size: number;
  readonly fields: Readonly<Record<Field, { readonly offset: number; readonly type: 'u32' | 'i32' | 'f32' }>>;
}

/** A constant of a kernel that changes its code. `const`s are rewritten in the source, `override`s are pipeline constants. */
export interface KernelConstant {
  readonly kind: 'const' | 'override';
  readonly type: 'bool' | 'u32';
  readonly value: boolean | number;
}

/** A kernel as made from its `.wgsl` file, or by `defineKernel`: everything a launcher needs to bind and specialise it. */
export interface KernelSpec<
  B extends string = string,
  P extends string = string,
  C extends string = string,
  I extends string = string,
> {
  readonly name: string;
  /** Where its source is from, for errors: `shaders/relu.wgsl`. */
  readonly file: string;
  readonly source: string;
  /** Whether the source enables the `subgroups` language feature. */
  readonly subgroups: boolean;
  readonly bindings: Readonly<Record<B, { readonly binding: number; readonly type: GPUBufferBindingType }>>;
  /** Matrices that are read as textures of four columns a texel, some also bound a second time, to be sampled; see image.ts. */
  readonly images: Readonly<Record<I, { readonly binding: number; readonly sampled?: number }>>;
  /** Binding of what samples them: the nearest texel. */
  readonly sampler?: number;
  readonly params: RecordLayout<P> & { readonly binding: number };
  readonly constants: Readonly<Record<C, KernelConstant>>;
}

/** Values for some of a kernel's constants; the others keep the value written in the file. */
export type ConstantValues<C extends string = string> = Readonly<Partial<Record<C, boolean | number>>>;

/** Writes numbers into a record at `offset`, each in its field's type. Throws a HeddleError for an unknown field. */
export function writeRecord(
  view: DataView,
  offset: number,
  layout: RecordLayout,
  values: Readonly<Record<string, number>>,
): void {
  for (const [name, value] of Object.entries(values)) {
    const field = layout.fields[name];
    if (field === undefined) throw new HeddleError('gpu', `unknown field '${name}' in a record`);
    if (field.type === 'f32') view.setFloat32(offset + field.offset, value, true);
    else if (field.type === 'i32') view.setInt32(offset + field.offset, value, true);
    else view.setUint32(offset + field.offset, value, true);
  }
}

/**
 * The kernel's source with the given `const` values written in and the loops that ask for it unrolled.
 * Its lines have the numbers that they have in the kernel's file.
 */
export function specialise(spec: KernelSpec, values: ConstantValues): string {
  let source = spec.source;
  for (const [name, value] of Object.entries(values)) {
    const constant = spec.constants[name];
    if (constant === undefined) throw new HeddleError('gpu', `${spec.name} has no constant ${name}`);
    if (constant.kind !== 'const') continue;
    const text = constant.type === 'u32' ? `${value}u` : `${value}`;
    source = source.replace(new RegExp(`^const ${name} = \\w+;`, 'm'), `const ${name} = ${text};`);
  }
  return unrollLoops(source);
}

/** A compiled variant of a kernel with the layout its bind groups follow. */
export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

/** Names of the bindings that move along a ring from slot to slot: bound with a dynamic offset. */
export type DynamicBindings = readonly string[];

function variantLabel(spec: KernelSpec, values: ConstantValues): string {
  const set = Object.entries(values).filter(([name, value]) => spec.constants[name]?.value !== value);
  if (set.length === 0) return spec.name;
  return `${spec.name}<${set.map(([name, value]) => (value === true ? name : `${name}=${value}`)).join(' ')}>`;
}

/** Identifies a pipeline within a device's cache; by its source too, as kernels of a program's own may share a name. */
export function pipelineKey(spec: KernelSpec, values: ConstantValues, dynamic: DynamicBindings): string {
  return `${variantLabel(spec, values)} ${dynamic.join(',')}\n${spec.source}`;
}

function describe(device: Device, spec: KernelSpec, values: ConstantValues, dynamic: DynamicBindings) {
  const label = variantLabel(spec, values);
  const entries: GPUBindGroupLayoutEntry[] = Object.entries(spec.bindings).map(
    ([name, { binding, type }]) => ({
      binding,
      visibility: shaderStageCompute,
      buffer: { type, hasDynamicOffset: dynamic.includes(name) },
    }),
  );
  const storageTexture: GPUStorageTextureBindingLayout = { access: 'read-only', format: imageFormat };
  const texture: GPUTextureBindingLayout = { sampleType: 'unfilterable-float' };
  for (const { binding, sampled } of Object.values(spec.images)) {
    entries.push({ binding, visibility: shaderStageCompute, storageTexture });
    if (sampled !== undefined) entries.push({ binding: sampled, visibility: shaderStageCompute, texture });
  }
  if (spec.sampler !== undefined) {
    const sampler: GPUSamplerBindingLayout = { type: 'non-filtering' };
    entries.push({ binding: spec.sampler, visibility: shaderStageCompute, sampler });
  }
  entries.push({ binding: spec.params.binding, visibility: shaderStageCompute, buffer: { type: 'uniform' } });
  const layout = device.gpu.createBindGroupLayout({ label, entries });
  const constants: Record<string, number> = {};
  for (const [name, value] of Object.entries(values)) {
    if (spec.constants[name]?.kind === 'override') constants[name] = Number(value);
  }
  const descriptor: GPUComputePipelineDescriptor = {
    label,
    layout: device.gpu.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
    compute: {
      module: device.gpu.createShaderModule({ label, code: specialise(spec, values) }),
      entryPoint: 'main',
      constants,
    },
  };
  return { layout, descriptor };
}

/**
 * Compiles a variant, or takes it from the device's cache. Variants asked for together compile in parallel, and one that
 * is asked for twice compiles once. Throws a HeddleError naming the kernel when the driver refuses it.
 */
export function compile(
  device: Device,
  spec: KernelSpec,
  values: ConstantValues,
  dynamic: DynamicBindings,
): Promise<Pipeline> {
  const key = pipelineKey(spec, values, dynamic);
  const cached = device.pipelines.get(key);
  if (cached !== undefined) return Promise.resolve(cached);
  const begun = device.compiling.get(key);
  if (begun !== undefined) return begun;
  const work = compileVariant(device, spec, values, dynamic)
    .then((compiled) => {
      device.pipelines.set(key, compiled);
      return compiled;
    })
    .finally(() => device.compiling.delete(key));
  device.compiling.set(key, work);
  return work;
}

/** The module's errors as `shaders/relu.wgsl:12:5: message`, the first of them; undefined when it has none. */
async function moduleRefusal(spec: KernelSpec, module: GPUShaderModule): Promise<string | undefined> {
  const { messages } = await module.getCompilationInfo();
  const [first, ...others] = messages.filter(({ type }) => type === 'error');
  if (first === undefined) return undefined;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return `${spec.file}:${first.lineNum}:${first.linePos}: ${first.message}${more}`;
}

async function compileVariant(
  device: Device,
  spec: KernelSpec,
  values: ConstantValues,
  dynamic: DynamicBindings,
): Promise<Pipeline> {
  // The scope keeps a refused shader module from becoming an error of the whole device.
  device.gpu.pushErrorScope('validation');
  let described: ReturnType<typeof describe>;
  let refusal: Promise<GPUError | null>;
  try {
    described = describe(device, spec, values, dynamic);
  } finally {
    refusal = device.gpu.popErrorScope();
  }
  const { layout, descriptor } = described;
  try {
    return { layout, pipeline: await awaitGpu(device.gpu.createComputePipelineAsync(descriptor)) };
  } catch (cause) {
    device.check();
    const inModule = await moduleRefusal(spec, descriptor.compute.module);
    const reason = inModule ?? (await refusal)?.message ?? messageOf(cause);
    throw new HeddleError('gpu', `kernel ${descriptor.label} did not compile on this adapter: ${reason}`, {
      cause,
    });
  }
}

/** As `compile`, without waiting: an error of the driver surfaces at the device's next check. */
export function compileNow(
  device: Device,
  spec: KernelSpec,
  values: ConstantValues,
  dynamic: DynamicBindings,
): Pipeline {
  const key = pipelineKey(spec, values, dynamic);
  const cached = device.pipelines.get(key);
  if (cached !== undefined) return cached;
  const { layout, descriptor } = describe(device, spec, values, dynamic);
  const compiled = { layout, pipeline: device.gpu.createComputePipeline(descriptor) };
  device.pipelines.set(key, compiled);
  return compiled;
}
