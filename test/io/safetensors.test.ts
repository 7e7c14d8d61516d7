// The safetensors codec: round trips, and files that are not what they claim.

import { describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors } from '../../src/io/safetensors.ts';

const tensors = new Map([
  ['0.weight', { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
  ['0.bias', { shape: [2], data: Float32Array.of(-1, Number.NaN) }],
  ['empty', { shape: [0, 4], data: new Float32Array(0) }],
]);

/** A file with a header of the caller's making. */
function fileOf(header: unknown, dataBytes: number, claimed?: bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, claimed ?? BigInt(json.length), true);
  file.set(json, 8);
  return file;
}

it('gives back what was put in, aligned to 8 bytes', () => {
  const file = encodeSafetensors(tensors, new Map([['format', 'pt']]));
  const headerBytes = Number(new DataView(file.buffer).getBigUint64(0, true));
  expect(headerBytes % 8).toBe(0);
  const back = decodeSafetensors(file);
  expect([...back.tensors]).toEqual([...tensors]);
  expect([...back.metadata]).toEqual([['format', 'pt']]);
});

it('reads from a Buffer at any offset', () => {
  const file = encodeSafetensors(tensors);
  const buffer = Buffer.concat([Buffer.alloc(3), file]).subarray(3);
  expect([...decodeSafetensors(buffer).tensors]).toEqual([...tensors]);
});

it('writes the layout that the format describes', () => {
  const file = encodeSafetensors(new Map([['a', { shape: [1], data: Float32Array.of(1) }]]));
  const text = new TextDecoder().decode(file.subarray(8, file.length - 4));
  expect(JSON.parse(text)).toEqual({ a: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } });
  expect([...file.subarray(-4)]).toEqual([0, 0, 0x80, 0x3f]);
});

describe('refuses', () => {
  const entry = (begin: number, end: number, shape = [(end - begin) / 4]) => ({
    dtype: 'F32',
    shape,
    data_offsets: [begin, end],
  });
  it.each<[string, Uint8Array, RegExp]>([
    ['a file of 3 bytes', new Uint8Array(3), /3 bytes, expected at least 8/],
    ['a header longer than the file', fileOf({}, 0, 1000n), /claims 1000 bytes/],
    ['a header of 2⁶³ bytes', fileOf({}, 0, 2n ** 63n), /claims 9223372036854775808 bytes/],
    ['a header that is not JSON', fileOf('{"a"', 0), /not JSON/],
    ['a header that is a list', fileOf([], 0), /not a JSON object/],
    ['another dtype', fileOf({ a: { ...entry(0, 4), dtype: 'F16' } }, 4), /a: dtype "F16", expected "F32"/],
    ['an I64 of 4 bytes', fileOf({ a: { ...entry(0, 4), dtype: 'I64' } }, 4), /expected 8 bytes for \[1\]/],
    ['a negative size', fileOf({ a: entry(0, 4, [-1]) }, 4), /a: shape \[-1\]/],
    [
      'a shape of strings',
      fileOf({ a: { dtype: 'F32', shape: ['1'], data_offsets: [0, 4] } }, 4),
      /a: shape/,
    ],
    ['offsets that do not match the shape', fileOf({ a: entry(0, 4, [2]) }, 4), /expected 8 bytes for \[2\]/],
    ['data beyond the file', fileOf({ a: entry(0, 8) }, 4), /a: bytes 0 to 8 of 4/],
    [
      'overlapping tensors',
      fileOf({ a: entry(0, 8), b: entry(4, 12) }, 12),
      /b starts at byte 4, expected 8/,
    ],
    ['a gap', fileOf({ a: entry(0, 4), b: entry(8, 12) }, 12), /b starts at byte 8, expected 4/],
    ['bytes after the last tensor', fileOf({ a: entry(0, 4) }, 8), /4 bytes after the last tensor/],
  ])('%s', (_, file, message) => {
    expect(() => decodeSafetensors(file)).toThrow(message);
  });
});

it('reads an int64 counter, as PyTorch keeps one', () => {
  const file = fileOf({ n: { dtype: 'I64', shape: [], data_offsets: [0, 8] } }, 8);
  new DataView(file.buffer).setBigInt64(file.length - 8, 300n, true);
  expect(decodeSafetensors(file).tensors.get('n')).toEqual({ shape: [], data: Float32Array.of(300) });
});

it('takes a tensor called __proto__ as any other', () => {
  const file = fileOf('{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4);
  expect([...decodeSafetensors(file).tensors.keys()]).toEqual(['__proto__']);
  expect(({} as Record<string, unknown>).dtype).toBeUndefined();
});
