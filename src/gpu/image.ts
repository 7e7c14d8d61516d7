// An image: a copy of a matrix of f32 as a texture, four columns a texel, for kernels to which a texel comes cheaper than four
// elements of a buffer. A plain value, as tensors are; whoever allocated the texture destroys it.

import { HeddleError } from '../errors.ts';
import type { Device } from './device.ts';
import type { Tensor } from './tensor.ts';

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

/** The image that a device can have of a matrix [rows, columns]; undefined when there is none. */
function imageOfShape(device: Device, label: string, shape: readonly number[]): Image | undefined {
  const [rows, columns] = shape;
  if (shape.length !== 2 || rows === undefined || columns === undefined || columns % 4 !== 0)
    return undefined;
  let fold = 0;
  while ((columns * 4 * 2 ** fold) % rowAlignment !== 0) fold++;
  const image: Image = { label, shape: [rows, columns], fold, texture: undefined };
  const largest = Math.max(...textureSize(image));
  return rows % 2 ** fold === 0 && largest <= device.limits.maxTextureDimension2D ? image : undefined;
}

/** Whether a device can have an image of a tensor: of a matrix of f32, and of rows that can be copied. */
export const canBeImage = (device: Device, { label, shape, dtype }: Tensor): boolean =>
  dtype === 'f32' && imageOfShape(device, label, shape) !== undefined;

/** An image of a tensor, still to be allocated and filled. Throws a HeddleError `usage` for what `canBeImage` refuses. */
export function imageOf(device: Device, tensor: Tensor): Image {
  const image = canBeImage(device, tensor)
    ? imageOfShape(device, `${tensor.label}.image`, tensor.shape)
    : undefined;
  if (image === undefined)
    throw new HeddleError(
      'usage',
      `${tensor.label} [${tensor.shape.join(', ')}] of ${tensor.dtype}: expected a matrix of f32 that fits an image`,
    );
  return image;
}

/** Encodes the copy of a tensor, of a ring that in `slot`, into its image. Both must have been allocated. */
export function copyToImage(encoder: GPUCommandEncoder, tensor: Tensor, slot: number, image: Image): void {
  const [width, height] = texels(image);
  const offset = tensor.offset + slot * tensor.slotStride;
  encoder.copyBufferToTexture(
    { buffer: tensor.storage.buffer as GPUBuffer, offset, bytesPerRow: width * texelBytes },
    { texture: image.texture as GPUTexture },
    [width, height],
  );
}
