// PNG images as bytes for each channel. fast-png decodes; what it is not to be trusted with is looked at first: sizes, and
// chunks that have nothing to do with the pixels.

import { HeddleError, messageOf } from '../errors.ts';
import { grey, type Image, mostPixels } from './image.ts';

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const essential = ['IHDR', 'PLTE', 'IDAT', 'IEND'];
const channelsOf: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const indexed = 3;

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colours: number;
  /** The file with nothing in it but what the pixels need. */
  readonly bytes: Uint8Array;
}

/** Loaded with the first image, and once: asking the module loader for each image takes longer than decoding it. */
let library: Promise<typeof import('fast-png')> | undefined;

/** What becomes of transparency: Pillow and torchvision drop it; a person sees the picture on some ground. */
export type Alpha = 'dropped' | 'on white';

/**
 * Decodes a PNG image to grey (1 channel) or red, green and blue (3). Grey is what Pillow's `convert('L')` gives; of 16 bits
 * the upper 8 count. Throws `data`, naming the file, for what is no whole PNG image.
 */
export async function decodePng(
  name: string,
  file: Uint8Array,
  channels: 1 | 3,
  alpha: Alpha = 'dropped',
): Promise<Image> {
  library ??= import('fast-png');
  const { decode } = await library;
  const header = readHeader(name, file, alpha === 'on white' ? [...essential, 'tRNS'] : essential);
  const { width, height, depth, colours } = header;
  const refuse = (reason: string, cause?: unknown) =>
    new HeddleError(
      'data',
      `${name}: damaged PNG file (${reason}).`,
      cause === undefined ? undefined : { cause },
    );
  let decoded: ReturnType<typeof decode>;
  try {
    decoded = decode(header.bytes, { checkCrc: true });
  } catch (error) {
    throw refuse(messageOf(error), error);
  }
  const given = channelsOf[colours] as number;
  const samples = depth < 8 ? unpacked(decoded.data, width, height, depth) : decoded.data;
  if (samples.length !== width * height * given) throw refuse(`${samples.length} samples`);
  const shift = depth === 16 ? 8 : 0;
  const scale = colours === indexed || depth >= 8 ? 1 : 255 / (2 ** depth - 1);
  const plane = width * height;
  const pixels = new Uint8Array(channels * plane);
  const { palette, transparency } = decoded;
  for (let i = 0; i < plane; i++) {
    const at = i * given;
    const first = (samples[at] as number) >> shift;
    let [red, green, blue] = [first * scale, first * scale, first * scale];
    let seen = 255;
    if (colours === indexed) {
      const entry = palette?.[first];
      if (entry === undefined) throw refuse(`colour ${first} is not in its palette`);
      [red, green, blue, seen = 255] = entry as readonly number[] as [number, number, number, number?];
    } else if (given >= 3) {
      green = (samples[at + 1] as number) >> shift;
      blue = (samples[at + 2] as number) >> shift;
    }
    if (alpha === 'on white') {
      if (given === 2 || given === 4) seen = (samples[at + given - 1] as number) >> shift;
      // One colour, at its full depth, that stands for nothing.
      else if (transparency?.length && transparency.every((value, c) => value === samples[at + c])) seen = 0;
      if (seen < 255) [red, green, blue] = [onWhite(red, seen), onWhite(green, seen), onWhite(blue, seen)];
    }
    if (channels === 1) {
      pixels[i] = given >= 3 || colours === indexed ? grey(red, green, blue) : red;
    } else {
      pixels[i] = red;
      pixels[plane + i] = green;
      pixels[2 * plane + i] = blue;
    }
  }
  return { height, width, pixels };
}

/** A sample on a white ground, as far as it lets it through: alpha 0 … 255. */
const onWhite = (sample: number, alpha: number) => Math.round((sample * alpha + 255 * (255 - alpha)) / 255);

/** Samples of fewer than 8 bits, of which a line begins with a new byte. */
function unpacked(data: ArrayLike<number>, width: number, height: number, depth: number): Uint8Array {
  const samples = new Uint8Array(width * height);
  const lineBytes = Math.ceil((width * depth) / 8);
  const mask = 2 ** depth - 1;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const byte = data[y * lineBytes + ((x * depth) >> 3)] as number;
      samples[y * width + x] = (byte >> (8 - depth - ((x * depth) & 7))) & mask;
    }
  return samples;
}

function readHeader(name: string, file: Uint8Array, wanted: readonly string[]): Header {
  const refuse = (text: string) => new HeddleError('data', `${name}: ${text}.`);
  if (!signature.every((byte, i) => file[i] === byte)) {
    throw refuse(file.length === 0 ? 'it is empty' : 'not a PNG file');
  }
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const cut = () => refuse(`truncated PNG file (${file.length} bytes)`);
  const parts: Uint8Array[] = [file.subarray(0, 8)];
  let ended = false;
  let packed = 0;
  for (let at = 8; !ended; ) {
    if (at + 12 > file.length) throw cut();
    const bytes = 12 + view.getUint32(at);
    const type = String.fromCharCode(...file.subarray(at + 4, at + 8));
    if (at + bytes > file.length) throw cut();
    if (at === 8 && (type !== 'IHDR' || bytes !== 25)) throw refuse('damaged PNG file (it has no header)');
    if (wanted.includes(type)) parts.push(file.subarray(at, at + bytes));
    if (type === 'IDAT') packed += bytes;
    ended = type === 'IEND';
    at += bytes;
  }
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const [depth, colours, interlace] = [file[24] as number, file[25] as number, file[28] as number];
  if (width === 0 || height === 0 || width * height > mostPixels) {
    throw refuse(`${width} x ${height} pixels: expected at least 1 and at most ${mostPixels}`);
  }
  if (channelsOf[colours] === undefined) throw refuse(`damaged PNG file (colour type ${colours})`);
  // Honest data are hardly longer than the pixels; a bomb can at least not be larger than an image of this size may be.
  if (packed > 2 * height * (1 + width * 8) + 4096) {
    throw refuse(`damaged PNG file (${packed} bytes of data for ${width} x ${height} pixels)`);
  }
  // fast-png 8.0.0 takes such samples for whole bytes.
  if (interlace !== 0 && depth < 8) {
    throw refuse(
      `an interlaced PNG of ${depth} bits a sample, which is not supported: save it without interlacing`,
    );
  }
  return { width, height, depth, colours, bytes: joined(parts) };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
