// Somebody's picture as a model wants it: decoded by what the file holds, brought to the model's size with its proportions
// kept, and light on dark where the model has seen nothing else.

import { HeddleError } from '../errors.ts';
import type { Image } from './image.ts';
import { decodeJpeg } from './jpeg.ts';
import { decodePng } from './png.ts';
import { resize } from './resize.ts';

const beginnings = { png: [0x89, 0x50, 0x4e, 0x47], jpeg: [0xff, 0xd8, 0xff] };

/**
 * Decodes a PNG or JPEG image to grey (1 channel) or red, green and blue (3); what is transparent lies on white. Throws
 * `data`, naming the file.
 */
export async function decodePicture(name: string, file: Uint8Array, channels: 1 | 3): Promise<Image> {
  const begins = (bytes: readonly number[]) => bytes.every((byte, i) => file[i] === byte);
  if (begins(beginnings.png)) return decodePng(name, file, channels, 'on white');
  if (begins(beginnings.jpeg)) return decodeJpeg(name, file, channels);
  throw new HeddleError('data', `${name}: ${file.length === 0 ? 'it is empty' : 'neither PNG nor JPEG'}.`);
}

/** How a picture is brought to a model's size. */
export interface FitOptions {
  /** Whether the bytes are inverted (255 - x): `auto` when the picture is dark on light. */
  readonly inversion: 'auto' | 'yes' | 'no';
  /**
   * Given, an even ground around what is shown is cut away, so that it fills all of the size but a margin of this many
   * pixels. A picture that has the size already keeps it.
   */
  readonly margin?: number | undefined;
}

/** A picture of the wanted size. */
export interface Fitted extends Image {
  readonly inverted: boolean;
}

/**
 * The picture scaled until it just fits into `height` x `width`, in the middle; what is left takes the colour of its
 * border.
 */
export function fitPicture(
  picture: Image,
  [height, width]: readonly [height: number, width: number],
  { inversion, margin }: FitOptions,
): Fitted {
  const asWanted = picture.height === height && picture.width === width;
  const trim = margin !== undefined && !asWanted;
  const shown = trim ? trimmed(picture) : picture;
  const around = trim ? 2 * margin : 0;
  const [tall, wide] = [Math.max(1, height - around), Math.max(1, width - around)];
  const scale = Math.min(tall / shown.height, wide / shown.width);
  const scaled = (size: number, most: number) => Math.min(most, Math.max(1, Math.round(size * scale)));
  const small = resize(shown, scaled(shown.height, tall), scaled(shown.width, wide));
  const ground = groundOf(picture); // there may be nothing of it left in what is shown
  const whole = padded(small, height, width, ground);
  const inverted = inversion === 'auto' ? isDarkOnLight(whole, ground) : inversion === 'yes';
  return { ...whole, pixels: inverted ? whole.pixels.map((byte) => 255 - byte) : whole.pixels, inverted };
}

/** How far a pixel of an even ground may be from the rest of it: 5 % of white, as in the making of FashionMNIST. */
const evenness = 0.05 * 255;

/** The least part of a picture that has all in it that is not ground; all of it where there is nothing else. */
export function trimmed(image: Image): Image {
  const { height, width, pixels } = image;
  const plane = height * width;
  const ground = groundOf(image);
  let [top, bottom, left, right] = [height, -1, width, -1];
  for (let i = 0; i < pixels.length; i++) {
    const at = i % plane;
    if (Math.abs((pixels[i] as number) - (ground[(i - at) / plane] as number)) <= evenness) continue;
    const x = at % width;
    const y = (at - x) / width;
    top = Math.min(top, y);
    bottom = Math.max(bottom, y);
    left = Math.min(left, x);
    right = Math.max(right, x);
  }
  if (bottom < 0) return image;
  const [newHeight, newWidth] = [bottom - top + 1, right - left + 1];
  const result = new Uint8Array(ground.length * newHeight * newWidth);
  for (let line = 0; line < ground.length * newHeight; line++) {
    const start = Math.floor(line / newHeight) * plane + (top + (line % newHeight)) * width + left;
    result.set(pixels.subarray(start, start + newWidth), line * newWidth);
  }
  return { height: newHeight, width: newWidth, pixels: result };
}

/** Whether a picture's ground, the median of its border, is lighter than the mean of its middle. */
export function isDarkOnLight(image: Image, ground: readonly number[] = groundOf(image)): boolean {
  const { height, width, pixels } = image;
  const [top, left] = [Math.floor(height / 4), Math.floor(width / 4)];
  let difference = 0;
  ground.forEach((colour, channel) => {
    let [sum, count] = [0, 0];
    for (let y = top; y < height - top; y++)
      for (let x = left; x < width - left; x++) {
        sum += pixels[(channel * height + y) * width + x] as number;
        count++;
      }
    difference += colour - sum / count;
  });
  return difference > 0;
}

/** The median of each channel's outermost pixels, which is what a picture stands on. */
function groundOf({ height, width, pixels }: Image): number[] {
  const plane = height * width;
  return Array.from({ length: pixels.length / plane }, (_, channel) => {
    const outermost: number[] = [];
    const take = (y: number, x: number) => outermost.push(pixels[channel * plane + y * width + x] as number);
    for (let x = 0; x < width; x++) for (const y of new Set([0, height - 1])) take(y, x);
    for (let y = 1; y < height - 1; y++) for (const x of new Set([0, width - 1])) take(y, x);
    return Uint8Array.from(outermost).sort()[outermost.length >> 1] as number;
  });
}

function padded(image: Image, height: number, width: number, ground: readonly number[]): Image {
  if (image.height === height && image.width === width) return image;
  const [plane, oldPlane] = [height * width, image.height * image.width];
  const [top, left] = [(height - image.height) >> 1, (width - image.width) >> 1];
  const pixels = new Uint8Array(ground.length * plane);
  ground.forEach((colour, channel) => {
    pixels.fill(colour, channel * plane, (channel + 1) * plane);
    for (let y = 0; y < image.height; y++) {
      const start = channel * oldPlane + y * image.width;
      const line = image.pixels.subarray(start, start + image.width);
      pixels.set(line, channel * plane + (top + y) * width + left);
    }
  });
  return { height, width, pixels };
}
