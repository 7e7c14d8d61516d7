// Ten thousand files that were whole once: each is refused by a HeddleError `file`, or is a whole file still.

import { expect, it } from 'vitest';
import { HeddleError } from '../../src/errors.ts';
import { decodeSafetensors, encodeSafetensors } from '../../src/io/safetensors.ts';
import { createGenerator } from '../../src/random/generator.ts';

const random = createGenerator(27);
const below = (n: number) => random.random32() % n;
const pick = <T>(all: readonly T[]): T => all[below(all.length)] as T;

const fromText = (text: string, data: Uint8Array): Uint8Array => {
  const json = Buffer.from(text);
  const file = Buffer.concat([Buffer.alloc(8), json, data]);
  file.writeBigUInt64LE(BigInt(json.length));
  return new Uint8Array(file);
};
const textOf = (file: Uint8Array): string =>
  Buffer.from(file.subarray(8, 8 + Number(new DataView(file.buffer).getBigUint64(0, true)))).toString();
const dataOf = (file: Uint8Array) => file.subarray(8 + Buffer.byteLength(textOf(file)));

const floats = (length: number) => Float32Array.from({ length }, () => below(1000) / 7);
const entry = (dtype: string, shape: readonly number[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});
const wholes: readonly Uint8Array[] = [
  encodeSafetensors(new Map()),
  encodeSafetensors(new Map([['a', { shape: [2], data: floats(2) }]])),
  encodeSafetensors(
    new Map([
      ['0.weight', { shape: [2, 3], data: floats(6) }],
      ['0.bias', { shape: [2], data: floats(2) }],
      ['empty', { shape: [0, 7], data: floats(0) }],
      ['n', { shape: [], data: floats(1) }],
    ]),
    new Map([
      ['format', 'pt'],
      ['note', 'größe "x" \\ \n'],
    ]),
  ),
  fromText(
    JSON.stringify({
      h: entry('F16', [3, 1], 0, 6),
      b: entry('BF16', [1], 6, 8),
      d: entry('F64', [1], 8, 16),
      i: entry('I64', [], 16, 24),
    }),
    new Uint8Array(24),
  ),
];

/** Values that a header should not have in most places. */
const oddities: readonly unknown[] = [
  -1,
  0,
  1,
  2,
  4,
  8,
  1.5,
  2 ** 31,
  2 ** 32,
  2 ** 53,
  2 ** 64,
  1e308,
  null,
  true,
  '',
  'F16',
  'F32',
  'I64',
  'Q9',
  '__proto__',
  [],
  [0],
  [1],
  [0, 4],
  [4, 0],
  [2 ** 53 - 1, 2 ** 53 - 1],
  [[0], 4],
  {},
  { dtype: 'F32' },
];

/** A header with one value, somewhere, replaced, removed or moved to another key. */
function editedHeader(file: Uint8Array): Uint8Array {
  const header: Record<string, unknown> = JSON.parse(textOf(file));
  let [holder, key]: [Record<string, unknown>, string] = [{ header }, 'header'];
  for (let deeper = below(4); deeper > 0; deeper--) {
    const inner = holder[key];
    if (typeof inner !== 'object' || inner === null || Object.keys(inner).length === 0) break;
    [holder, key] = [inner as Record<string, unknown>, pick(Object.keys(inner))];
  }
  const value = holder[key];
  const way = below(4);
  if (way === 0) delete holder[key];
  else if (way === 1) holder[key] = pick(oddities);
  else if (way === 2 && typeof value === 'number') holder[key] = value + pick([-4, -1, 1, 4, 8]);
  else
    Object.defineProperty(holder, pick(['__proto__', '__metadata__', 'a', '0.bias', 'shape']), {
      value,
      enumerable: true,
    });
  return fromText(JSON.stringify(header), dataOf(file));
}

/** A piece of a header's text repeated, moved or changed. */
function editedText(file: Uint8Array): Uint8Array {
  const text = textOf(file);
  const [from, to] = [below(text.length), below(text.length)].sort((a, b) => a - b) as [number, number];
  const piece = pick([
    text.slice(from, to),
    '{',
    '}',
    '[',
    ']',
    ',',
    '"',
    ':',
    '\\',
    ' ',
    '\0',
    '\ufeff',
    '{"a":'.repeat(1000),
  ]);
  const at = below(text.length + 1);
  return fromText(text.slice(0, at) + piece + text.slice(at + below(3)), dataOf(file));
}

const mutations: readonly ((file: Uint8Array) => Uint8Array)[] = [
  (file) => {
    const flipped = file.slice();
    for (let n = 1 + below(3); n > 0; n--) {
      const at = below(flipped.length);
      flipped[at] = (flipped[at] as number) ^ (1 << below(8));
    }
    return flipped;
  },
  (file) => file.slice(0, below(file.length)),
  (file) => {
    const at = below(file.length + 1);
    const more = Uint8Array.from({ length: 1 + below(12) }, () => below(256));
    return new Uint8Array(Buffer.concat([file.subarray(0, at), more, file.subarray(at)]));
  },
  (file) => {
    const at = below(file.length);
    return new Uint8Array(Buffer.concat([file.subarray(0, at), file.subarray(at + 1 + below(12))]));
  },
  (file) => {
    const claimed = file.slice();
    new DataView(claimed.buffer).setBigUint64(0, BigInt(random.random32()) << BigInt(below(33)), true);
    return claimed;
  },
  editedHeader,
  editedText,
];

const bytesOf: Readonly<Record<string, number>> = { F16: 2, BF16: 2, F32: 4, F64: 8, I64: 8 };

/** Asks JSON.parse whether what was accepted is the file, all of it and nothing else. */
function expectWhole(file: Uint8Array): void {
  const { tensors, metadata } = decodeSafetensors(file);
  const { __metadata__: notes = {}, ...header } = JSON.parse(textOf(file));
  expect(Object.fromEntries(metadata)).toEqual(notes);
  expect(new Set(tensors.keys())).toEqual(new Set(Object.keys(header)));
  const covered = new Uint8Array(dataOf(file).length);
  for (const [name, { shape, data }] of tensors) {
    const { dtype, shape: said, data_offsets } = header[name];
    expect(shape).toEqual(said);
    const elements = shape.reduce((a, b) => a * b, 1);
    expect(data.length).toBe(elements);
    const [begin, end] = data_offsets;
    expect(end - begin).toBe(elements * (bytesOf[dtype] as number));
    for (let i = begin; i < end; i++) covered[i] = (covered[i] as number) + 1;
  }
  expect(covered.every((times) => times === 1)).toBe(true);
}

it('refuses or reads 10,000 mutations, in no other way than it should', () => {
  for (const whole of wholes) expectWhole(whole);
  let [accepted, refused] = [0, 0];
  for (let n = 0; n < 10_000; n++) {
    let file = pick(wholes);
    for (let times = 1 + below(2); times > 0; times--) {
      // What has been cut has no header to edit.
      const mutate = pick(mutations);
      try {
        file = mutate(file);
      } catch {
        file = pick(mutations.slice(0, 3))(file);
      }
      if (file.length === 0) break;
    }
    try {
      expectWhole(file);
      accepted++;
    } catch (error) {
      if (!(error instanceof HeddleError)) throw error;
      expect(error).toMatchObject({
        code: 'file',
        message: expect.stringMatching(/^safetensors: [^\r\n]{1,400}$/),
      });
      refused++;
    }
  }
  // Flipped bits of data are accepted; were nearly all, or nearly none, the mutations would try little.
  expect(accepted).toBeGreaterThan(500);
  expect(refused).toBeGreaterThan(5000);
});
