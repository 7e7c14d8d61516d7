// The safetensors codec: round trips, and files that are not what they claim.

import { describe, expect, it } from 'vitest';
import { decodeSafetensors, encodeSafetensors, type NamedTensor } from '../../src/io/safetensors.ts';

const tensors = new Map([
  ['0.weight', { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }],
  ['0.bias', { shape: [2], data: Float32Array.of(-1, Number.NaN) }],
  ['empty', { shape: [0, 4], data: new Float32Array(0) }],
]);

/** A file with a header of the caller's making. */
function fileOf(header: unknown, dataBytes: number, claimed?: bigint): Uint8Array {
  const text = typeof header === 'string' ? header : JSON.stringify(header);
  const json = header instanceof Uint8Array ? header : new TextEncoder().encode(text);
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

const entry = (begin: number, end: number, shape: unknown[] = [(end - begin) / 4]) => ({
  dtype: 'F32',
  shape,
  data_offsets: [begin, end],
});
const one = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';

describe('refuses', () => {
  it.each<[string, Uint8Array, RegExp]>([
    ['a file of 3 bytes', new Uint8Array(3), /3 bytes, expected at least 8/],
    ['a header longer than the file', fileOf({}, 0, 1000n), /claims 1000 bytes, the file has 10: truncated/],
    ['a header of 2⁶³ bytes', fileOf({}, 0, 2n ** 63n), /claims 9223372036854775808 bytes/],
    ['a header of 2⁶⁴ - 1 bytes', fileOf({}, 0, 2n ** 64n - 1n), /claims 18446744073709551615 bytes/],
    [
      'a header of more than 100 MB',
      fileOf('', 100_000_001, 100_000_001n),
      /claims 100000001 bytes, expected at most 100000000/,
    ],
    ['no header', fileOf('', 0), /does not begin with '{'/],
    ['a header that ends early', fileOf('{"a"', 0), /the header: found its end, expected ':'/],
    ['a header that is a list', fileOf([], 0), /does not begin with '{'/],
    ['a byte order mark', fileOf(`\ufeff{"a":${one}}`, 4), /does not begin with '{'/],
    ['what is no UTF-8', fileOf(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d), 0), /not UTF-8/],
    ['text after the object', fileOf(`{"a":${one}} {}`, 4), /after the object: found '{}', expected its end/],
    ['a comma too many', fileOf(`{"a":${one},}`, 4), /found '}', expected a string/],
    ['a string without end', fileOf('{"a\\"', 0), /found '"a.*', expected a string/],
    ['a line break in a string', fileOf('{"a\nb":1}', 0), /found '"a\\u000ab":1}', expected a string/],
    ['an escape that is none', fileOf('{"\\x":1}', 0), /expected a string/],
    ['ten million brackets', fileOf('['.repeat(1e7), 0), /does not begin with '{'/],
    [
      'ten million brackets for a shape',
      fileOf(`{"a":{"shape":${'['.repeat(1e7)}`, 0),
      /a: shape: found '\[\[/,
    ],
    ['two million objects in each other', fileOf('{"a":'.repeat(2e6), 0), /a: a is unknown/],
    ['an entry that is a number', fileOf({ a: 1 }, 0), /a: found '1}', expected '{'/],
    [
      'an entry without a shape',
      fileOf({ a: { dtype: 'F32', data_offsets: [0, 4] } }, 4),
      /a: expected dtype, shape/,
    ],
    ['an unknown field', fileOf({ a: { ...entry(0, 4), strides: [1] } }, 4), /a: strides is unknown/],
    ['the same tensor twice', fileOf(`{"a":${one},"a":${one}}`, 4), /the header: the key a is there twice/],
    ['the same name, escaped', fileOf(`{"a":${one},"\\u0061":${one}}`, 4), /the key a is there twice/],
    [
      '__proto__ twice',
      fileOf(`{"__proto__":${one},"__proto__":${one}}`, 4),
      /the key __proto__ is there twice/,
    ],
    ['a dtype twice', fileOf(`{"a":{"dtype":"F32",${one.slice(1)}}`, 4), /a: the key dtype is there twice/],
    [
      'metadata twice',
      fileOf('{"__metadata__":{},"__metadata__":{}}', 0),
      /the key __metadata__ is there twice/,
    ],
    [
      'a metadata key twice',
      fileOf('{"__metadata__":{"k":"1","k":"2"}}', 0),
      /__metadata__: the key k is there twice/,
    ],
    ['metadata that is a list', fileOf({ __metadata__: [] }, 0), /__metadata__: found '\[\]}', expected '{'/],
    [
      'metadata that is a number',
      fileOf({ __metadata__: { n: 1 } }, 0),
      /__metadata__: n: found '1}}', expected a string/,
    ],
    [
      'metadata that is an object',
      fileOf({ __metadata__: { n: {} } }, 0),
      /__metadata__: n: .*expected a string/,
    ],
    [
      'another dtype',
      fileOf({ a: { ...entry(0, 4), dtype: 'I32' } }, 4),
      /a: dtype "I32" cannot be read, expected one of F32/,
    ],
    [
      'a dtype of Object.prototype',
      fileOf({ a: { ...entry(0, 4), dtype: 'constructor' } }, 4),
      /dtype "constructor"/,
    ],
    [
      'a dtype that is a number',
      fileOf({ a: { ...entry(0, 4), dtype: 32 } }, 4),
      /a: dtype: .*expected a string/,
    ],
    ['an I64 of 4 bytes', fileOf({ a: { ...entry(0, 4), dtype: 'I64' } }, 4), /expected 8 bytes for \[1\]/],
    ['an F16 of 4 bytes', fileOf({ a: { ...entry(0, 4), dtype: 'F16' } }, 4), /expected 2 bytes for \[1\]/],
    [
      'a negative size',
      fileOf({ a: entry(0, 4, [-1]) }, 4),
      /a: shape: found '-1\].*', expected a whole number/,
    ],
    ['a size of 1.5', fileOf({ a: entry(0, 4, [1.5]) }, 4), /a: shape: found '1.5/],
    ['a size of 1e0', fileOf(`{"a":${one.replace('[1]', '[1e0]')}}`, 4), /a: shape: found '1e0/],
    ['a size of 01', fileOf(`{"a":${one.replace('[1]', '[01]')}}`, 4), /a: shape: found '01/],
    ['a size of 2⁵³', fileOf({ a: entry(0, 4, [2 ** 53]) }, 4), /a: shape: found '9007199254740992/],
    ['a shape of strings', fileOf({ a: entry(0, 4, ['1']) }, 4), /a: shape: found '"1"/],
    [
      'a shape that is null',
      fileOf(`{"a":${one.replace('[1]', 'null')}}`, 4),
      /a: shape: found 'null.*expected '\['/,
    ],
    ['65 sizes', fileOf({ a: entry(0, 4, Array(65).fill(1)) }, 4), /a: shape: more than 64 numbers/],
    [
      '2⁹⁶ elements',
      fileOf({ a: entry(0, 0, [2 ** 32, 2 ** 32, 2 ** 32]) }, 0),
      /a: shape .* more elements than can be/,
    ],
    [
      '2⁶⁴ bytes, which 64 bits would count as none',
      fileOf({ a: entry(0, 0, [2 ** 31, 2 ** 31]) }, 0),
      /more elements than/,
    ],
    [
      '2⁵¹ elements that are not there',
      fileOf({ a: entry(0, 4, [2 ** 50]) }, 4),
      /expected 4503599627370496 bytes/,
    ],
    [
      'one offset',
      fileOf({ a: { ...entry(0, 4), data_offsets: [0] } }, 4),
      /a: data_offsets \[0\], expected two/,
    ],
    ['three offsets', fileOf({ a: { ...entry(0, 4), data_offsets: [0, 4, 8] } }, 4), /expected two offsets/],
    [
      'a negative offset',
      fileOf({ a: { ...entry(0, 4), data_offsets: [-4, 0] } }, 4),
      /a: data_offsets: found '-4/,
    ],
    [
      'offsets the wrong way round',
      fileOf({ a: { ...entry(0, 4), data_offsets: [4, 0] } }, 4),
      /a: bytes 4 to 0 of 4/,
    ],
    ['offsets that do not match the shape', fileOf({ a: entry(0, 4, [2]) }, 4), /expected 8 bytes for \[2\]/],
    ['data beyond the file', fileOf({ a: entry(0, 8) }, 4), /a: bytes 0 to 8 of 4/],
    [
      'overlapping tensors',
      fileOf({ a: entry(0, 8), b: entry(4, 12) }, 12),
      /b starts at byte 4, expected 8/,
    ],
    [
      'two tensors in one place',
      fileOf({ a: entry(0, 4), b: entry(0, 4) }, 4),
      /b starts at byte 0, expected 4/,
    ],
    [
      'an empty tensor within another',
      fileOf({ a: entry(0, 8), b: entry(4, 4) }, 8),
      /b starts at byte 4, expected 8/,
    ],
    ['a gap', fileOf({ a: entry(0, 4), b: entry(8, 12) }, 12), /b starts at byte 8, expected 4/],
    ['a gap at the start', fileOf({ a: entry(4, 8) }, 8), /a starts at byte 4, expected 0/],
    ['bytes after the last tensor', fileOf({ a: entry(0, 4) }, 8), /4 bytes after the last tensor/],
    ['bytes and no tensor', fileOf({}, 8), /8 bytes after the last tensor/],
    [
      'a name of a million letters, in few',
      fileOf({ ['a'.repeat(1e6)]: { ...entry(0, 4), dtype: 'x'.repeat(1e6) } }, 4),
      /^safetensors: a{80}…: dtype "x{80}…" cannot be read.{0,60}$/,
    ],
    [
      'a name that a terminal would obey, escaped',
      fileOf({ '\u001b[2J\r\n\u202e': { ...entry(0, 4), dtype: 'U8' } }, 4),
      /^safetensors: \\u001b\[2J\\u000d\\u000a\\u202e: dtype/,
    ],
  ])('%s', (_, file, message) => {
    const refusal = refusalOf(file);
    expect(refusal).toMatchObject({ name: 'HeddleError', code: 'file' });
    expect(refusal?.message).toMatch(message);
    expect(refusal?.message).toMatch(/^safetensors: [^\r\n]{1,400}$/);
  });

  it('a float64 that float32 cannot hold', () => {
    const file = fileOf({ a: { dtype: 'F64', shape: [2], data_offsets: [0, 16] } }, 16);
    new DataView(file.buffer).setFloat64(file.length - 8, -1e300, true);
    expect(refusalOf(file)?.message).toBe('safetensors: a: element 1 is -1e+300, more than float32 can hold');
  });
});

/** What reading a file throws; undefined when it is accepted. */
function refusalOf(file: Uint8Array): Error | undefined {
  try {
    decodeSafetensors(file);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

it('reads and writes an int64 counter, as PyTorch keeps one', () => {
  const file = fileOf({ n: { dtype: 'I64', shape: [], data_offsets: [0, 8] } }, 8);
  new DataView(file.buffer).setBigInt64(file.length - 8, 300n, true);
  const counter = { shape: [], data: Float32Array.of(300) };
  expect(decodeSafetensors(file).tensors.get('n')).toEqual(counter);
  const own = encodeSafetensors(new Map([['n', { ...counter, dtype: 'I64' as const }]]));
  expect(new DataView(own.buffer).getBigInt64(own.length - 8, true)).toBe(300n);
  expect([...decodeSafetensors(own).tensors]).toEqual([['n', counter]]);
});

// What safetensors 0.8.0 writes for Python of tensors of each type: an int64, a float64, float32s, none, bfloat16s, float16s.
it('reads what the reference implementation wrote, the bits of every type', () => {
  const base64 =
    'qAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJjb25zdHJ1Y3RvciI6ImMiLCJmb3JtYXQiOiJwdCJ9LCJuIjp7ImR0eXBlIjoiSTY0Iiwic2hhcGUi' +
    'OltdLCJkYXRhX29mZnNldHMiOlswLDhdfSwiX19wcm90b19fIjp7ImR0eXBlIjoiRjY0Iiwic2hhcGUiOlsxXSwiZGF0YV9vZmZzZXRzIjpbOCwx' +
    'Nl19LCIxMC53ZWlnaHQiOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzIsM10sImRhdGFfb2Zmc2V0cyI6WzE2LDQwXX0sImVtcHR5Ijp7ImR0eXBl' +
    'IjoiRjMyIiwic2hhcGUiOlswLDRdLCJkYXRhX29mZnNldHMiOls0MCw0MF19LCJncsO2w59lIFwieFwiXG4iOnsiZHR5cGUiOiJCRjE2Iiwic2hh' +
    'cGUiOlszXSwiZGF0YV9vZmZzZXRzIjpbNDAsNDZdfSwiMi5iaWFzIjp7ImR0eXBlIjoiRjE2Iiwic2hhcGUiOls2XSwiZGF0YV9vZmZzZXRzIjpb' +
    'NDYsNThdfX0gICAgLAEAAAAAAACamZmZmZm5PwAAgD8AAADAAAAAP+axYX8BAAAAAAAAgIA/AL+AfwA8AMD/ewEAAIAAfA==';
  const { tensors: found, metadata } = decodeSafetensors(Buffer.from(base64, 'base64'));
  expect([...found]).toEqual([
    ['n', { shape: [], data: Float32Array.of(300) }],
    ['__proto__', { shape: [1], data: Float32Array.of(0.1) }],
    ['10.weight', { shape: [2, 3], data: Float32Array.of(1, -2, 0.5, 3e38, 1e-45, -0) }],
    ['empty', { shape: [0, 4], data: new Float32Array(0) }],
    ['größe "x"\n', { shape: [3], data: Float32Array.of(1, -0.5, Number.POSITIVE_INFINITY) }],
    ['2.bias', { shape: [6], data: Float32Array.of(1, -2, 65504, 2 ** -24, -0, Number.POSITIVE_INFINITY) }],
  ]);
  expect([...metadata]).toEqual([
    ['constructor', 'c'],
    ['format', 'pt'],
  ]);
});

it('reads every float16 as the number that it is', () => {
  const file = fileOf({ a: { dtype: 'F16', shape: [65536], data_offsets: [0, 131072] } }, 131072);
  file.set(new Uint8Array(Uint16Array.from({ length: 65536 }, (_, i) => i).buffer), file.length - 131072);
  const { data } = decodeSafetensors(file).tensors.get('a') as NamedTensor;
  const magnitude = (bits: number) => {
    const [exponent, fraction] = [Math.floor(bits / 1024), (bits % 1024) / 1024];
    if (exponent === 31) return fraction === 0 ? Number.POSITIVE_INFINITY : Number.NaN;
    return exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15);
  };
  const sign = (i: number) => (i < 32768 ? 1 : -1);
  expect(data).toEqual(Float32Array.from({ length: 65536 }, (_, i) => sign(i) * magnitude(i % 32768)));
});

it('takes names of Object.prototype as any other, both ways', () => {
  const names = ['__proto__', 'constructor', 'toString', '7', ''];
  const values = new Map(names.map((name, i) => [name, { shape: [1], data: Float32Array.of(i) }]));
  const notes = new Map(names.map((name) => [name, `${name}!`]));
  const back = decodeSafetensors(encodeSafetensors(values, notes));
  expect([...back.tensors]).toEqual([...values]);
  expect(new Map(back.metadata)).toEqual(notes);
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as Record<string, unknown>).dtype).toBeUndefined();
});

it.each([
  [
    'n',
    { shape: [1], data: Float32Array.of(0.5), dtype: 'I64' as const },
    /n: dtype I64 of 0.5, expected whole numbers/,
  ],
  ['a', { shape: [2], data: new Float32Array(3) }, /a: 3 elements, expected those of shape \[2\]/],
  ['__metadata__', { shape: [1], data: new Float32Array(1) }, /the format has this name for the metadata/],
])('does not write %s %o', (name, tensor, message) => {
  expect(() => encodeSafetensors(new Map([[name, tensor]]))).toThrow(message);
});
