// JPEG images as bytes for each channel, the right way up. jpeg-js decodes, within limits that its header cannot move.

import { HeddleError, messageOf } from '../errors.ts';
import { orientationOf, upright } from './exif.ts';
import { grey, type Image, mostPixels } from './image.ts';

/** What a decoder may ask for on the way, in MiB: an image of `mostPixels` in full colour needs some 400. */
const mostMemory = 512;

/** Loaded with the first image. */
let library: Promise<typeof import('jpeg-js')> | undefined;

/**
 * Decodes a JPEG image, baseline or progressive, to grey (1 channel) or red, green and blue (3), turned as its Exif
 * orientation says. Throws `data`, naming the file, for what is no whole JPEG image or too large.
 */
export async function decodeJpeg(name: string, file: Uint8Array, channels: 1 | 3): Promise<Image> {
  library ??= import('jpeg-js').then((module) => module.default ?? module);
  const { decode } = await library;
  let decoded: { readonly width: number; readonly height: number; readonly data: Uint8Array };
  try {
    decoded = decode(file, {
      useTArray: true,
      formatAsRGBA: false,
      tolerantDecoding: false,
      maxResolutionInMP: mostPixels / 1e6,
      maxMemoryUsageInMB: mostMemory,
    });
  } catch (error) {
    const tooLarge = /^max(Resolution|Memory)/.test(messageOf(error));
    const told = error instanceof TypeError ? '' : ` (${messageOf(error)})`; // the decoder's own stumbling tells nobody
    const reason = tooLarge
      ? `expected at most ${mostPixels} pixels, found more`
      : `damaged or unusual JPEG file${told}`;
    throw new HeddleError('data', `${name}: ${reason}.`, { cause: error });
  }
  const { width, height, data } = decoded;
  const plane = width * height;
  if (plane === 0 || data.length !== 3 * plane)
    throw new HeddleError('data', `${name}: damaged JPEG file (${width} x ${height} pixels).`);
  const pixels = new Uint8Array(channels * plane);
  for (let i = 0, at = 0; i < plane; i++, at += 3) {
    const [red, green, blue] = [data[at] as number, data[at + 1] as number, data[at + 2] as number];
    if (channels === 1) {
      pixels[i] = grey(red, green, blue);
    } else {
      pixels[i] = red;
      pixels[plane + i] = green;
      pixels[2 * plane + i] = blue;
    }
  }
  return upright({ height, width, pixels }, orientationOf(file));
}
