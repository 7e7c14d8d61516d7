// TensorBoard's event files: Event protobufs (tensorboard/compat/proto/event.proto and summary.proto say which fields), each
// framed as a TFRecord. Written field by field: the few messages need no protobuf library. Pure functions on bytes.

import type { Histogram } from './histogram.ts';

type Bytes = Uint8Array<ArrayBuffer>;

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  return crc;
});

/** CRC-32C (Castagnoli), as RFC 3720 has it. */
export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crcTable[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** A checksum as TFRecords store it: rotated right by 15 bits, plus a constant. */
const masked = (crc: number) => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;

function join(parts: readonly Uint8Array[]): Bytes {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A TFRecord: length (uint64), its masked CRC, the data, their masked CRC; little-endian. */
function record(data: Uint8Array): Bytes {
  const bytes = new Uint8Array(data.length + 16);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(crc32c(bytes.subarray(0, 8))), true);
  bytes.set(data, 12);
  view.setUint32(12 + data.length, masked(crc32c(data)), true);
  return bytes;
}

/** A whole number of at least 0 in groups of seven bits, the lowest first. */
function varint(value: number): Bytes {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Uint8Array.of(...bytes, rest);
}

// A field is its number and the kind of what follows: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes.
const key = (field: number, kind: number) => varint(field * 8 + kind);
const whole = (field: number, value: number) => join([key(field, 0), varint(value)]);
const bytesField = (field: number, bytes: Uint8Array) => join([key(field, 2), varint(bytes.length), bytes]);
const message = (field: number, ...fields: readonly Uint8Array[]) => bytesField(field, join(fields));
const utf8 = (field: number, text: string) => bytesField(field, new TextEncoder().encode(text));

function float64s(values: readonly number[]): Bytes {
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) view.setFloat64(8 * i, value, true);
  return bytes;
}
const double = (field: number, value: number) => join([key(field, 1), float64s([value])]);

function float(field: number, value: number): Bytes {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return join([key(field, 5), bytes]);
}

// Fields that are 0 are left out, where writers of protobuf leave them out.
const empty = new Uint8Array();
const event = (seconds: number, step: number, what: Uint8Array) =>
  record(join([double(1, seconds), step === 0 ? empty : whole(2, step), what]));
const summary = (seconds: number, step: number, tag: string, ...value: readonly Uint8Array[]) =>
  event(seconds, step, message(5, message(1, utf8(1, tag), ...value)));

/** What a file begins with. All times are seconds since 1970. */
export const versionRecord = (seconds: number): Bytes => event(seconds, 0, utf8(3, 'brain.Event:2'));

/** A session begins: TensorBoard forgets what earlier records of the run say of `step` and later steps. */
export const startRecord = (seconds: number, step: number): Bytes =>
  event(seconds, step, message(7, whole(1, 1)));

/** A number, rounded to float32, which may be infinite or NaN. */
export const scalarRecord = (seconds: number, step: number, tag: string, value: number): Bytes =>
  summary(seconds, step, tag, float(2, value));

/** How values are distributed. */
export function histogramRecord(seconds: number, step: number, tag: string, histogram: Histogram): Bytes {
  const { min, max, count, sum, sumOfSquares, limits, counts } = histogram;
  const numbers = [min, max, count, sum, sumOfSquares].map((value, i) => double(i + 1, value));
  const buckets = [bytesField(6, float64s(limits)), bytesField(7, float64s(counts))];
  return summary(seconds, step, tag, message(5, ...numbers, ...buckets));
}

/** A text, which TensorBoard reads as Markdown: a tensor of rank 0 with a string (type 7), for the plugin `text`. */
export function textRecord(seconds: number, step: number, tag: string, markdown: string): Bytes {
  const tensor = message(8, whole(1, 7), message(2), utf8(8, markdown));
  const isTensor = 2;
  const metadata = message(9, message(1, utf8(1, 'text')), whole(4, isTensor));
  return summary(seconds, step, tag, tensor, metadata);
}
