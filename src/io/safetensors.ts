// The safetensors file format (https://github.com/huggingface/safetensors#format): 8 bytes little-endian header length N,
// N bytes of JSON, then the data. Writes float32 tensors, and counters as int64; reads the types of dtypes. Pure functions on
// bytes, which may be anybody's: nothing is allocated for a header's claims before all of them hold.

import { HeddleError } from '../errors.ts';
import { dtypes } from './safetensors-dtypes.ts';
import {
  metadataName,
  parseHeader,
  refuse,
  shapeText,
  shown,
  type TensorEntry,
} from './safetensors-header.ts';

/** A named array as a safetensors file holds it. */
export interface NamedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
  /** What it is written as: `I64` for counters, as PyTorch keeps them. Default `F32`. Reading does not tell. */
  readonly dtype?: 'F32' | 'I64' | undefined;
}

/** What a file holds: tensors by name, and free-form strings. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, NamedTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** The limit of the reference implementation. */
const maxHeaderBytes = 100_000_000;

/**
 * The bytes of a file holding `tensors` in the given order. Throws a HeddleError `usage` for a tensor whose data is not of its
 * shape, an `I64` of other than whole numbers, and the name `__metadata__`.
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, NamedTensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array<ArrayBuffer> {
  // Not from an object, which would put names that are whole numbers first.
  const header = metadata.size === 0 ? [] : [jsonField(metadataName, Object.fromEntries(metadata))];
  const parts: (Float32Array | BigInt64Array)[] = [];
  let offset = 0;
  for (const [name, tensor] of tensors) {
    const { shape, dtype = 'F32' } = tensor;
    const part = written(name, tensor);
    header.push(jsonField(name, { dtype, shape, data_offsets: [offset, offset + part.byteLength] }));
    parts.push(part);
    offset += part.byteLength;
  }
  const json = new TextEncoder().encode(`{${header.join(',')}}`);
  const headerBytes = Math.ceil(json.length / 8) * 8; // padded with spaces, so that the data is aligned
  const file = new Uint8Array(8 + headerBytes + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.fill(0x20, 8, 8 + headerBytes);
  file.set(json, 8);
  let position = 8 + headerBytes;
  for (const { buffer, byteOffset, byteLength } of parts) {
    file.set(new Uint8Array(buffer, byteOffset, byteLength), position);
    position += byteLength;
  }
  return file;
}

/** A tensor's data as a file has it. */
function written(name: string, { shape, data, dtype }: NamedTensor): Float32Array | BigInt64Array {
  const refused = (why: string) => new HeddleError('usage', `encodeSafetensors: ${name}: ${why}`);
  if (name === metadataName)
    throw refused('the format has this name for the metadata. Give the tensor another');
  if (shape.reduce((a, b) => a * b, 1) !== data.length)
    throw refused(`${data.length} elements, expected those of shape [${shape.join(', ')}]`);
  if (dtype !== 'I64') return data;
  const broken = data.find((value) => !Number.isInteger(value));
  if (broken !== undefined) throw refused(`dtype I64 of ${broken}, expected whole numbers`);
  return BigInt64Array.from(data, BigInt);
}

const jsonField = (name: string, value: object) => `${JSON.stringify(name)}:${JSON.stringify(value)}`;

/** Where a file's data starts. */
function dataStart(file: Uint8Array): number {
  if (file.length < 8) refuse(`the file has ${file.length} bytes, expected at least 8`);
  const length = new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true);
  const claim = `the header claims ${length} bytes`;
  if (length > BigInt(file.length - 8))
    refuse(`${claim}, the file has ${file.length}: truncated, or not a safetensors file`);
  if (length > BigInt(maxHeaderBytes)) refuse(`${claim}, expected at most ${maxHeaderBytes}`);
  return 8 + Number(length);
}

/** Bytes that a tensor takes by its dtype and shape; those of elements without end are refused. */
function bytesOf({ name, dtype, shape }: TensorEntry): number {
  const width = dtypes.get(dtype)?.bytes;
  if (width === undefined) {
    const known = [...dtypes.keys()].join(', ');
    return refuse(`${shown(name)}: dtype "${shown(dtype)}" cannot be read, expected one of ${known}`);
  }
  let bytes = width;
  for (const size of shape) {
    bytes *= size;
    if (!Number.isSafeInteger(bytes))
      refuse(`${shown(name)}: shape ${shapeText(shape)} has more elements than can be counted`);
  }
  return bytes;
}

/** Checks that tensors lie one behind the other from the first byte of the data to the last. */
function checkLayout(entries: readonly TensorEntry[], dataBytes: number): void {
  for (const entry of entries) {
    const { name, shape, begin, end } = entry;
    const bytes = bytesOf(entry);
    if (end - begin !== bytes || end > dataBytes)
      refuse(
        `${shown(name)}: bytes ${begin} to ${end} of ${dataBytes}, expected ${bytes} bytes for ${shapeText(shape)}`,
      );
  }
  let expected = 0;
  for (const { name, begin, end } of entries.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== expected)
      refuse(`${shown(name)} starts at byte ${begin}, expected ${expected}: tensors overlap or leave a gap`);
    expected = end;
  }
  if (expected !== dataBytes) refuse(`${dataBytes - expected} bytes after the last tensor`);
}

function readTensor(file: Uint8Array, start: number, entry: TensorEntry): NamedTensor {
  const { name, dtype, shape, begin, end } = entry;
  // Copied, as a Float32Array must start on a multiple of 4; a Buffer's own slice() would not copy.
  const { buffer } = new Uint8Array(file.subarray(start + begin, start + end));
  const data = dtypes.get(dtype)?.toFloat32(buffer) ?? new Float32Array();
  if (dtype === 'F64') {
    const doubles = new Float64Array(buffer);
    const lost = data.findIndex((value, i) => !Number.isFinite(value) && Number.isFinite(doubles[i]));
    if (lost >= 0) refuse(`${shown(name)}: element ${lost} is ${doubles[lost]}, more than float32 can hold`);
  }
  return { shape, data };
}

/**
 * Reads a file's tensors: float32 as they are, float16 and bfloat16 exactly, float64 and int64 as the nearest float32s. Throws
 * a HeddleError `file` that names what is wrong with it.
 */
export function decodeSafetensors(file: Uint8Array): Safetensors {
  const start = dataStart(file);
  const { entries, metadata } = parseHeader(file.subarray(8, start));
  checkLayout(entries, file.length - start);
  return { tensors: new Map(entries.map((entry) => [entry.name, readTensor(file, start, entry)])), metadata };
}
