// The safetensors file format (https://github.com/huggingface/safetensors#format): 8 bytes little-endian header length N,
// N bytes of JSON, then the data. Reads and writes float32 tensors; reads the int64 counters that PyTorch keeps beside them.
// Pure functions on bytes.

import { HeddleError } from '../errors.ts';

/** A named array as a safetensors file holds it. */
export interface NamedTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What a file holds: tensors by name, and free-form strings. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, NamedTensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** The limit of the reference implementation. */
const maxHeaderBytes = 100_000_000;

/** The bytes of a file holding `tensors` in the given order. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, NamedTensor>,
  metadata: ReadonlyMap<string, string> = new Map(),
): Uint8Array<ArrayBuffer> {
  const header: [string, unknown][] =
    metadata.size === 0 ? [] : [['__metadata__', Object.fromEntries(metadata)]];
  let offset = 0;
  for (const [name, { shape, data }] of tensors) {
    header.push([name, { dtype: 'F32', shape, data_offsets: [offset, offset + data.byteLength] }]);
    offset += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const headerBytes = Math.ceil(json.length / 8) * 8; // padded with spaces, so that the data is aligned
  const file = new Uint8Array(8 + headerBytes + offset);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.fill(0x20, 8, 8 + headerBytes);
  file.set(json, 8);
  let position = 8 + headerBytes;
  for (const { data } of tensors.values()) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return file;
}

const refuse = (what: string): never => {
  throw new HeddleError('file', `safetensors: ${what}`);
};

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function readHeader(file: Uint8Array): { entries: [string, unknown][]; start: number } {
  if (file.length < 8) refuse(`the file has ${file.length} bytes, expected at least 8`);
  const length = new DataView(file.buffer, file.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(Math.min(maxHeaderBytes, file.length - 8))) {
    refuse(
      `the header claims ${length} bytes, the file has ${file.length}: truncated, or not a safetensors file`,
    );
  }
  const start = 8 + Number(length);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(file.subarray(8, start)));
  } catch (cause) {
    throw new HeddleError('file', 'safetensors: the header is not JSON', { cause });
  }
  if (!isRecord(header)) return refuse('the header is not a JSON object');
  return { entries: Object.entries(header), start };
}

function readTensor(
  file: Uint8Array,
  start: number,
  name: string,
  entry: unknown,
): NamedTensor & { range: [number, number] } {
  if (!isRecord(entry)) return refuse(`${name}: expected an object`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (dtype !== 'F32' && dtype !== 'I64')
    refuse(`${name}: dtype ${JSON.stringify(dtype)}, expected "F32", or "I64" for a counter`);
  const width = dtype === 'I64' ? 8 : 4;
  if (!Array.isArray(shape) || !shape.every(isCount))
    return refuse(`${name}: shape ${JSON.stringify(shape)}, expected sizes`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    return refuse(`${name}: data_offsets ${JSON.stringify(offsets)}, expected two offsets`);
  }
  const [begin, end] = offsets as [number, number];
  const bytes = width * shape.reduce((a: number, b: number) => a * b, 1);
  if (end - begin !== bytes || start + end > file.length) {
    refuse(
      `${name}: bytes ${begin} to ${end} of ${file.length - start}, expected ${bytes} bytes for [${shape.join(', ')}]`,
    );
  }
  // Copied, as a Float32Array must start on a multiple of 4; a Buffer's own slice() would not copy.
  const { buffer } = new Uint8Array(file.subarray(start + begin, start + end));
  const data =
    dtype === 'I64' ? Float32Array.from(new BigInt64Array(buffer), Number) : new Float32Array(buffer);
  return { shape, data, range: [begin, end] };
}

/** Reads a file's tensors, int64 ones as the nearest float32s. Throws a HeddleError `file` that names what is wrong with it. */
export function decodeSafetensors(file: Uint8Array): Safetensors {
  const { entries, start } = readHeader(file);
  const tensors = new Map<string, NamedTensor>();
  const metadata = new Map<string, string>();
  const ranges: [number, number, string][] = [];
  for (const [name, entry] of entries) {
    if (name === '__metadata__') {
      if (!isRecord(entry)) refuse('__metadata__ is not an object');
      for (const [key, value] of Object.entries(entry as Record<string, unknown>))
        metadata.set(key, String(value));
      continue;
    }
    const { range, ...tensor } = readTensor(file, start, name, entry);
    tensors.set(name, tensor);
    ranges.push([...range, name]);
  }
  let expected = 0;
  for (const [begin, end, name] of ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (begin !== expected)
      refuse(`${name} starts at byte ${begin}, expected ${expected}: tensors overlap or leave a gap`);
    expected = end;
  }
  if (start + expected !== file.length)
    refuse(`${file.length - start - expected} bytes after the last tensor`);
  return { tensors, metadata };
}
