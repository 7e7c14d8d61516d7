// Images: what fits one, how its rows lie, and that kernels read in it what the tensor holds when they run.

import { expect, it } from 'vitest';
import { beginCommands, endCommands } from '../../src/gpu/commands.ts';
import { canBeImage, imageBytes, imageOf, textureSize } from '../../src/gpu/image.ts';
import type { KernelSpec } from '../../src/gpu/kernel.ts';
import { describe as describeWork, type Recorder, record } from '../../src/gpu/plan.ts';
import { read } from '../../src/gpu/readback.ts';
import { type DType, type Tensor, view } from '../../src/gpu/tensor.ts';
import { bufferUsage } from '../../src/gpu/usage.ts';
import { defineKernel } from '../../src/ops/define_kernel.ts';
import { relu } from '../../src/ops/relu.ts';
import { run } from '../../src/ops/run.ts';
import { f32, floats, unallocated } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();

/** Brings an image back: y = what x's image holds, as vec4s. */
const fromImage: KernelSpec<'y', 'quads' | 'fold', never, 'x_image'> = {
  name: 'from_image',
  file: 'from_image.wgsl',
  source: `
    struct Params { quads: u32, fold: u32 }
    @group(0) @binding(0) var<storage, read_write> y: array<vec4f>;
    @group(0) @binding(1) var x_image: texture_storage_2d<rgba32float, read>;
    @group(0) @binding(2) var<uniform> params: Params;
    @compute @workgroup_size(1) fn main(@builtin(workgroup_id) id: vec3u) {
      let side = id.y & ((1u << params.fold) - 1u);
      y[id.y * params.quads + id.x] = textureLoad(x_image, vec2u(side * params.quads + id.x, id.y >> params.fold));
    }`,
  subgroups: false,
  bindings: { y: { binding: 0, type: 'storage' } },
  images: { x_image: { binding: 1 } },
  params: {
    binding: 2,
    size: 16,
    fields: { quads: { offset: 0, type: 'u32' }, fold: { offset: 4, type: 'u32' } },
  },
  constants: {},
};

/** Likewise, but sampled: y = what x's image holds, with 1,024 rows a layer of the grid. */
const fromSamples: KernelSpec<'y', 'quads' | 'rows' | 'fold', never, 'x_image'> = {
  name: 'from_samples',
  file: 'from_samples.wgsl',
  source: `
    struct Params { quads: u32, rows: u32, fold: u32 }
    @group(0) @binding(0) var<storage, read_write> y: array<vec4f>;
    @group(0) @binding(2) var<uniform> params: Params;
    @group(0) @binding(3) var x_image_sampled: texture_2d<f32>;
    @group(0) @binding(4) var nearest: sampler;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      let row = 1024u * id.z + id.y;
      if (id.x >= params.quads || row >= params.rows) { return; }
      let side = row & ((1u << params.fold) - 1u);
      let scale = 1.0 / vec2f(textureDimensions(x_image_sampled) << vec2u(0u, params.fold));
      let at = (vec2f(vec2u(side * params.quads + id.x, row)) + 0.5) * scale;
      y[row * params.quads + id.x] = textureSampleLevel(x_image_sampled, nearest, at, 0.0);
    }`,
  subgroups: false,
  bindings: { y: { binding: 0, type: 'storage' } },
  images: { x_image: { binding: 1, sampled: 3 } },
  sampler: 4,
  params: {
    binding: 2,
    size: 16,
    fields: {
      quads: { offset: 0, type: 'u32' },
      rows: { offset: 4, type: 'u32' },
      fold: { offset: 8, type: 'u32' },
    },
  },
  constants: {},
};

/** x = 2·x, an element a workgroup. */
const double = defineKernel({
  name: 'double',
  bindings: { x: 'read_write' },
  wgsl: '@compute @workgroup_size(1) fn main(@builtin(workgroup_id) id: vec3u) { x[id.x] *= 2.0; }',
});

function readBack(recorder: Recorder, label: string, x: Tensor): Tensor {
  const [rows, columns] = x.shape as [number, number];
  const y = recorder.tensor(label, x.shape);
  recorder.dispatch(fromImage, {
    label,
    bindings: { y },
    images: { x_image: x },
    params: { quads: columns / 4, fold: imageOf(recorder.device, x).fold },
    workgroups: [columns / 4, rows, 1],
  });
  return y;
}

const tensor = (shape: readonly number[], dtype: DType = 'f32') => unallocated('x', shape, dtype);

it.each([
  [[64, 512], 0, [132, 64]],
  [[3, 64], 0, [20, 3]],
  [[512, 784], 2, [788, 128]],
  [[32, 4], 4, [20, 2]],
  [[8, 24], 3, [52, 1]],
] as const)('%j lies 2^%i rows side by side, in a texture of %j', (shape, fold, size) => {
  const image = imageOf(device(), tensor(shape));
  expect(image).toMatchObject({ label: 'x.image', shape, fold });
  expect(textureSize(image)).toEqual(size);
  expect((textureSize(image)[0] / 4) % 2).toBe(1);
  expect(imageBytes(image)).toBe(16 * size[0] * size[1]);
});

it.each<[string, readonly number[], DType]>([
  ['no matrix', [64], 'f32'],
  ['images of pixels', [2, 8, 8], 'f32'],
  ['columns that are not in fours', [64, 30], 'f32'],
  ['rows that cannot be folded', [33, 4], 'f32'],
  ['bytes', [64, 64], 'u8'],
  ['more rows than a texture has', [100_000, 64], 'f32'],
  ['more columns', [4, 400_000], 'f32'],
])('what has %s is no image', (_, shape, dtype) => {
  expect(canBeImage(device(), tensor(shape, dtype))).toBe(false);
  expect(() => imageOf(device(), tensor(shape, dtype))).toThrow(
    `x [${shape.join(', ')}] of ${dtype}: expected a matrix of f32 that fits an image`,
  );
});

it.each([
  [3, 64],
  [5, 512],
  [16, 784],
  [32, 4],
  [8, 24],
])('the image of [%i, %i] holds what the tensor does', async (rows, columns) => {
  const x = floats(rows * columns, 1);
  // What arithmetic may change, and a copy must not.
  x.set([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 2 ** -149, 3e38]);
  const { y } = await run(device(), { x: f32(x, rows, columns) }, (r, t) => ({ y: readBack(r, 'y', t.x) }));
  expect(y).toEqual(x);
});

it.each([
  [5, 512],
  [16, 784],
  [3, 32_000],
  [131_072, 4],
])('the image of [%i, %i] can be sampled, texel by texel', async (rows, columns) => {
  const quads = columns / 4;
  const x = Float32Array.from({ length: rows * columns }, (_, i) => i); // all integers below 2^24
  const { y } = await run(device(), { x: f32(x, rows, columns) }, (r, t) => {
    const found = r.tensor('y', t.x.shape);
    r.dispatch(fromSamples, {
      label: 'y',
      bindings: { y: found },
      images: { x_image: t.x },
      params: { quads, rows, fold: imageOf(r.device, t.x).fold },
      workgroups: [Math.ceil(quads / 64), Math.min(rows, 1024), Math.ceil(rows / 1024)],
    });
    return { y: found };
  });
  expect(y).toEqual(x);
});

it('is copied once, and again when the tensor has been written, in whole or in part', async () => {
  const x = floats(4 * 64, 1);
  const work = (r: Recorder, t: Readonly<Record<'x' | 'z', Tensor>>) => {
    const before = readBack(r, 'before', t.x);
    const again = readBack(r, 'again', t.x);
    const other = readBack(r, 'other', relu(r, { label: 'other.relu', x: t.z }));
    const still = readBack(r, 'still', t.x);
    const part = view(t.x.storage, 'part', [1, 64], { offset: t.x.offset + 256 });
    r.dispatch(double, { label: 'double', bindings: { x: part }, params: {}, workgroups: [64, 1, 1] });
    const after = readBack(r, 'after', t.x);
    return { before, again, other, still, after };
  };
  const z = floats(4 * 64, 2);
  const found = await run(device(), { x: f32(x, 4, 64), z: f32(z, 4, 64) }, work);
  expect(found.before).toEqual(x);
  expect(found.again).toEqual(x);
  expect(found.other).toEqual(z.map((v) => Math.max(0, v)));
  expect(found.still).toEqual(x);
  expect(found.after).toEqual(x.map((v, i) => (i >= 64 && i < 128 ? 2 * v : v)));
  const plan = describeWork(device(), (r) => {
    work(r, { x: r.tensor('x', [4, 64]), z: r.tensor('z', [4, 64]) });
  });
  const copied = plan.filter(({ images }) => images.some((image) => image.copied));
  expect(copied.map(({ label }) => label)).toEqual(['before', 'other', 'after']);
});

it('of a ring is that of the slot; its plan counts its bytes, and gives them back', async () => {
  const stride = 4 * 64 * 4;
  const storage = { label: 'ring', bytes: 3 * stride, buffer: undefined };
  const before = device().bytes;
  device().allocate(storage, bufferUsage.storage | bufferUsage.copySrc | bufferUsage.copyDst);
  const values = floats(3 * 4 * 64, 1);
  device().gpu.queue.writeBuffer(storage.buffer as unknown as GPUBuffer, 0, values);
  const x = view(storage, 'x', [4, 64], { slotStride: stride });
  let y: Tensor | undefined;
  const plan = await record(device(), 'ring', 3, (r) => {
    y = readBack(r, 'y', x);
  });
  expect(plan.bytes).toBe(256 + stride + imageBytes(imageOf(device(), x)));
  for (const slot of [2, 0, 1]) {
    const commands = beginCommands(device(), 'ring');
    plan.encode(commands, slot);
    device().gpu.queue.submit([endCommands(commands)]);
    const found = new Float32Array(await read(device(), y as Tensor));
    expect(found).toEqual(values.slice(slot * 256, (slot + 1) * 256));
  }
  plan.destroy();
  device().release(storage);
  expect(device().bytes).toBe(before);
});
