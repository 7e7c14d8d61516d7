// Seeded test data, the sizes that tests go over, and shorthands for what `run` takes.

import type { DispatchDescription } from '../../src/gpu/plan.ts';
import { bytesPerElement, type DType, type Tensor, view } from '../../src/gpu/tensor.ts';
import type { HostTensor } from '../../src/ops/run.ts';
import { createGenerator } from '../../src/random/generator.ts';

/** Sizes at and around the edges of tiles, lanes and vectors. */
export const awkwardSizes = [
  1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 129, 255, 257, 784,
] as const;

/** More than a grid's 65,535 workgroups, and one more than a power of two. */
export const manyRows = 65_537;

/** Uniform floats in [from, to), the same for the same seed. */
export function floats(count: number, seed: number, from = -1, to = 1): Float32Array {
  return createGenerator(seed).uniform(new Float32Array(count), from, to);
}

/** Integers in [0, below). */
export function integers(count: number, seed: number, below: number): Uint32Array {
  const generator = createGenerator(seed);
  return Uint32Array.from({ length: count }, () => generator.random32() % below);
}

export const f32 = (data: ArrayLike<number>, ...shape: number[]): HostTensor => ({
  data: Float32Array.from(data),
  shape,
});
export const u32 = (data: ArrayLike<number>, ...shape: number[]): HostTensor => ({
  data: Uint32Array.from(data),
  shape,
});
export const u8 = (data: ArrayLike<number>, ...shape: number[]): HostTensor => ({
  data: Uint8Array.from(data),
  shape,
});

/** Every size with every size. */
export function pairs(sizes: readonly number[]): [number, number][] {
  return sizes.flatMap((a) => sizes.map((b): [number, number] => [a, b]));
}

/** Triples in which every two positions see every pair of sizes: a Latin square. */
export function triples(sizes: readonly number[]): [number, number, number][] {
  return sizes.flatMap((a, i) =>
    sizes.map((b, j): [number, number, number] => [a, b, sizes[(i + j) % sizes.length] as number]),
  );
}

/** A tensor of which nothing but the shape matters. */
export function unallocated(label: string, shape: readonly number[], dtype: DType = 'f32'): Tensor {
  const bytes = shape.reduce((a, b) => a * b, bytesPerElement[dtype]);
  return view({ label, bytes, buffer: undefined }, label, shape, { dtype });
}

/** A binding of float32 as a plan describes it, for dispatches that are checked without a plan. */
export function floatBinding(name: string, ...shape: number[]): DispatchDescription['bindings'][0] {
  const bytes = shape.reduce((a, b) => a * b, 4);
  return { name, label: name, shape, dtype: 'f32', bytes, access: 'read' };
}
