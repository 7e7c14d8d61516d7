// The IDX format of MNIST and its relatives: a big-endian header, then unsigned bytes.
// Pure functions of bytes and a name for messages; knows neither files nor downloads.

import { HeddleError } from '../errors.ts';

/** A parsed IDX file of unsigned bytes. */
export interface Idx {
  /** Counts, outermost first; `data.length` is their product. */
  readonly dims: readonly number[];
  /** A view of the file's bytes, row-major. */
  readonly data: Uint8Array;
}

const UNSIGNED_BYTES = 0x08;
const TYPES: Readonly<Record<number, string>> = {
  8: 'unsigned bytes',
  9: 'signed bytes',
  11: 'int16',
  12: 'int32',
  13: 'float32',
  14: 'float64',
};

/**
 * Reads an IDX file of unsigned bytes with `rank` dimensions without copying it.
 * Throws `data`, naming the file and the byte offset, unless the header is right and the counts are the file's length.
 */
export function parseIdx(name: string, bytes: Uint8Array, rank: number): Idx {
  const refuse = (offset: number, text: string) =>
    new HeddleError('data', `${name}, byte ${offset}: ${text}.`);
  const headerBytes = 4 + 4 * rank;
  if (bytes.length < 4)
    throw refuse(bytes.length, `the file ends within the IDX header of ${headerBytes} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint16(0) !== 0) {
    throw refuse(0, `not an IDX file: expected two zero bytes, found ${hex(bytes[0])} ${hex(bytes[1])}`);
  }
  const type = bytes[2]!;
  if (type !== UNSIGNED_BYTES) {
    const found = `${hex(type)}${TYPES[type] ? ` (${TYPES[type]})` : ''}`;
    throw refuse(2, `expected data type ${hex(UNSIGNED_BYTES)} (unsigned bytes), found ${found}`);
  }
  if (bytes[3] !== rank) throw refuse(3, `expected ${rank} dimensions, found ${bytes[3]}`);
  if (bytes.length < headerBytes) {
    throw refuse(bytes.length, `the file ends within the IDX header of ${headerBytes} bytes`);
  }
  const dims = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  // Counts up to 2^32-1 each: a product beyond 2^53 is inexact, but then no file is as long.
  const expected = dims.reduce((product, dim) => product * dim, 1);
  const found = bytes.length - headerBytes;
  if (expected !== found) {
    const counts = `${dims.join(' x ')} = ${expected} bytes of data`;
    throw refuse(4, `the header announces ${counts}, but ${found} follow it`);
  }
  return { dims, data: bytes.subarray(headerBytes) };
}

/** A file's bytes and its name for messages. */
export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Images and labels that belong together. */
export interface LabelledImages {
  readonly length: number;
  /** `[length, height, width]`. */
  readonly images: Uint8Array;
  readonly height: number;
  readonly width: number;
  /** `[length]`, each below the number of classes. */
  readonly labels: Uint8Array;
}

/**
 * Parses an image file and its label file and checks them against each other.
 * Throws `data`, naming file and byte offset, when a file is malformed, the counts differ or a label is no class.
 */
export function parseLabelledImages(images: NamedBytes, labels: NamedBytes, classes: number): LabelledImages {
  const pixels = parseIdx(images.name, images.bytes, 3);
  const indices = parseIdx(labels.name, labels.bytes, 1);
  const [length, height, width] = pixels.dims as [number, number, number];
  const count = indices.data.length;
  if (count !== length) {
    const text = `expected a label for each of the ${length} images of ${images.name}, found ${count} labels`;
    throw new HeddleError('data', `${labels.name}, byte 4: ${text}.`);
  }
  if (pixels.data.length === 0) {
    throw new HeddleError('data', `${images.name}, byte 4: no images (${pixels.dims.join(' x ')}).`);
  }
  const wrong = indices.data.findIndex((label) => label >= classes);
  if (wrong >= 0) {
    const text = `label ${indices.data[wrong]}, expected one below ${classes}`;
    throw new HeddleError('data', `${labels.name}, byte ${8 + wrong}: ${text}.`);
  }
  return { length, images: pixels.data, height, width, labels: indices.data };
}

function hex(byte: number | undefined): string {
  return `0x${(byte ?? 0).toString(16).padStart(2, '0')}`;
}
