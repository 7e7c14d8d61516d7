// A tensor: a labelled, shaped range of a GPU buffer. A plain value; whoever allocated the buffer destroys it.

import { HeddleError } from '../errors.ts';

/** Element types that live on the GPU. `u8` is packed four to a word. */
export type DType = 'f32' | 'u32' | 'u8';

export const bytesPerElement: Readonly<Record<DType, number>> = { f32: 4, u32: 4, u8: 1 };

/** Ranges of one buffer start on multiples of this, the alignment WebGPU's default limits ask of bindings. */
export const alignment = 256;

export const alignUp = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

/** Number of elements of a shape; 1 for a scalar. */
export const elementCount = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** A buffer that may not exist yet: recording names buffers first, and allocates when it knows that all of them fit. */
export interface Storage {
  readonly label: string;
  readonly bytes: number;
  buffer: GPUBuffer | undefined;
}

/** A labelled, shaped range of a buffer; with `slotStride`, one of a ring of equal ranges. */
export interface Tensor {
  readonly label: string;
  readonly storage: Storage;
  /** Byte offset within the buffer, a multiple of 256. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Bytes from one slot of the ring to the next; 0 when every step sees the same range. */
  readonly slotStride: number;
}

/** Bytes of a tensor's elements in one slot. */
export const tensorBytes = (tensor: Tensor): number =>
  elementCount(tensor.shape) * bytesPerElement[tensor.dtype];

/** A tensor over a range of `storage`. Throws a HeddleError when the range does not fit or is not aligned. */
export function view(
  storage: Storage,
  label: string,
  shape: readonly number[],
  options: { dtype?: DType; offset?: number; slotStride?: number } = {},
): Tensor {
  const { dtype = 'f32', offset = 0, slotStride = 0 } = options;
  const tensor: Tensor = { label, storage, offset, shape, dtype, slotStride };
  if (
    offset % alignment !== 0 ||
    slotStride % alignment !== 0 ||
    offset + tensorBytes(tensor) > storage.bytes
  ) {
    throw new HeddleError(
      'gpu',
      `${label}: ${elementCount(shape)} elements at ${offset} do not fit ${storage.label} of ${storage.bytes} bytes`,
    );
  }
  return tensor;
}
