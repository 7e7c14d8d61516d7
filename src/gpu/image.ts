// An image: a copy of a matrix of f32 as a texture, four columns a texel, for kernels to which a texel comes cheaper than four
// elements of a buffer. A plain value, as tensors are; whoever allocated the texture destroys it.

import { HeddleError } from '../errors.ts';
import type { Device } from './device.ts';
import { type Tensor, tensorBytes } from './tensor.ts';

/** The one format of images. */
export const imageFormat = 'rgba32float';
const texelBytes = 16;
/** Texels that fill a line of a CPU's cache. */
const lineTexels = 4;
/** WebGPU copies rows from a buffer that lie a multiple of so many bytes apart. */
const rowAlignment = 256;

/** A matrix of f32; `texture` may not exist yet, as with a tensor's buffer. */
export interface Image {
  readonly label: string;
  /** Rows and columns. */
  readonly shape: readonly [number, number];
  /**
   * So many rows of the matrix, 2 to the power of it, lie side by side in a row of the texture: as many as it takes for
   * these to be copied from a buffer. Row r begins at texel (r mod 2^fold) · columns / 4 of row ⌊r / 2^fold⌋.
   */
  readonly fold: number;
  texture: GPUTexture | undefined;
}

/** Texels in a row of the texture that are the matrix's, and rows. */
const texels = ({ shape: [rows, columns], fold }: Pick<Image, 'shape' | 'fold'>) =>
  [(columns / 4) * 2 ** fold, rows / 2 ** fold] as const;

/**
 * Width and height of an image's texture. Its rows end with texels that hold nothing, to make them an odd number of cache
 * lines: columns of rows that lie a power of two apart would share few of the sets of a CPU's first cache.
 */
export function textureSize(image: Pick<Image, 'shape' | 'fold'>): readonly [number, number] {
  const [width, height] = texels(image);
  return [lineTexels * (Math.ceil(width / lineTexels) | 1), height];
}

/** Bytes that an image takes. */
export function imageBytes(image: Pick<Image, 'shape' | 'fold'>): number {
  const [width, height] = textureSize(image);
  return width * height * texelBytes;
}

/** The image that a device can have of a tensor; undefined for one that is no matrix of f32, or whose rows cannot be copied. */
function imageOrNone(device: Device, { label, shape, dtype }: Tensor): Image | undefined {
  const [rows, columns] = shape;
  if (dtype !== 'f32' || shape.length !== 2 || rows === undefined || columns === undefined) return undefined;
  if (columns % 4 !== 0) return undefined;
  let fold = 0;
  while ((columns * 4 * 2 ** fold) % rowAlignment !== 0) fold++;
  const image: Image = { label: `${label}.image`, shape: [rows, columns], fold, texture: undefined };
  const largest = Math.max(...textureSize(image));
  return rows % 2 ** fold === 0 && largest <= device.limits.maxTextureDimension2D ? image : undefined;
}

/** Whether a device can have an image of a tensor: of a matrix of f32, and of rows that can be copied. */
export const canBeImage = (device: Device, tensor: Tensor): boolean =>
  imageOrNone(device, tensor) !== undefined;

/** An image of a tensor, still to be allocated and filled. Throws a HeddleError `usage` for what `canBeImage` refuses. */
export function imageOf(device: Device, tensor: Tensor): Image {
  const image = imageOrNone(device, tensor);
  if (image === undefined)
    throw new HeddleError(
      'usage',
      `${tensor.label} [${tensor.shape.join(', ')}] of ${tensor.dtype}: expected a matrix of f32 that fits an image`,
    );
  return image;
}

/** A copy of a tensor into its image. */
export interface Copy {
  readonly tensor: Tensor;
  readonly image: Image;
}

/** What encodes a copy, of a ring that of one slot. Both ends must have been allocated. */
export function encoderOf({ tensor, image }: Copy): (encoder: GPUCommandEncoder, slot: number) => void {
  const [width, height] = texels(image);
  const buffer = tensor.storage.buffer as GPUBuffer;
  const source = { buffer, offset: tensor.offset, bytesPerRow: width * texelBytes };
  const destination = { texture: image.texture as GPUTexture };
  const size = [width, height];
  return (encoder, slot) => {
    source.offset = tensor.offset + slot * tensor.slotStride;
    encoder.copyBufferToTexture(source, destination, size);
  };
}

/** Whether two tensors share bytes; of a ring, all slots count. */
function overlap(a: Tensor, b: Tensor): boolean {
  if (a.storage !== b.storage) return false;
  if (a.slotStride > 0 || b.slotStride > 0) return true;
  return a.offset < b.offset + tensorBytes(b) && b.offset < a.offset + tensorBytes(a);
}

/** The images that a recording needs: one of a tensor, however often it is copied. */
export interface Images {
  /** Whether a tensor has an image that holds the same. */
  has(tensor: Tensor): boolean;
  /** A tensor's image, and whether it has to be copied before it is read: then it holds the same from here on. */
  of(tensor: Tensor): { readonly image: Image; readonly copy: boolean };
  /** A tensor is written: images of what overlaps it no longer hold the same. */
  written(tensor: Tensor): void;
  all(): readonly Image[];
}

/** No images yet. */
export function createImages(device: Device): Images {
  const made: (Copy & { fresh: boolean })[] = [];
  const find = (wanted: Tensor) =>
    made.find(
      ({ tensor: { storage, offset, shape } }) =>
        storage === wanted.storage && offset === wanted.offset && shape.join() === wanted.shape.join(),
    );
  return {
    has: (tensor) => find(tensor)?.fresh === true,
    of(tensor) {
      let entry = find(tensor);
      if (entry === undefined) {
        entry = { tensor, image: imageOf(device, tensor), fresh: false };
        made.push(entry);
      }
      const copy = !entry.fresh;
      entry.fresh = true;
      return { image: entry.image, copy };
    },
    written(tensor) {
      for (const entry of made) if (overlap(entry.tensor, tensor)) entry.fresh = false;
    },
    all: () => made.map(({ image }) => image),
  };
}
