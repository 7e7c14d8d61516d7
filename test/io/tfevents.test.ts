import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  crc32c,
  histogramRecord,
  scalarRecord,
  startRecord,
  textRecord,
  versionRecord,
} from '../../src/io/tfevents.ts';
import { readRecords } from '../support/tfevents.ts';

const ascii = (text: string) => new TextEncoder().encode(text);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const time = 1700000000.25;

describe('crc32c', () => {
  it.each([
    ['', 0],
    ['a', 0xc1d04330],
    ['123456789', 0xe3069283],
  ])('of %j is what others compute', (text, expected) => {
    expect(crc32c(ascii(text))).toBe(expected);
  });

  it('of 32 bytes is as RFC 3720 (B.4) lists it', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
  });
});

// Written by TensorBoard 2.21's own RecordWriter and protobuf classes (protobuf 7.36, Python).
const theirs = {
  version: '1800000000000000a37f4b220900001040fc54d9411a0d627261696e2e4576656e743a32338d2fe9',
  start: '100000000000000095fbfe180900001040fc54d94110ad023a020801cb79b93b',
  scalar:
    '2500000000000000eabc36f30900001040fc54d941108580808080202a130a110a0a747261696e2f6c6f737315378a134067cbbd8e',
  histogram:
    '82000000000000007b3fc35f0900001040fc54d94110072a750a730a0e776569676874732f312e626961732a6109000000000000f0bf' +
    '11000000000000004019000000000000084021000000000000f83f2900000000000015403218000000000000f8bf0000000000000000' +
    '00000000000004403a180000000000000000000000000000f03f00000000000000409d8c8549',
  text:
    '2e00000000000000c5cb57fa0900001040fc54d94110012a210a1f0a0372756e420c0807120042067c20c3a9207c4a0a0a060a04' +
    '7465787420023e525af2',
};

describe('records', () => {
  it('are TensorBoard’s, byte for byte', () => {
    const histogram = {
      ...{ min: -1, max: 2, count: 3, sum: 1.5, sumOfSquares: 5.25 },
      ...{ limits: [-1.5, 0, 2.5], counts: [0, 1, 2] },
    };
    expect(hex(versionRecord(time))).toBe(theirs.version);
    expect(hex(startRecord(time, 301))).toBe(theirs.start);
    expect(hex(scalarRecord(time, 2 ** 40 + 5, 'train/loss', 2.305311))).toBe(theirs.scalar);
    expect(hex(histogramRecord(time, 7, 'weights/1.bias', histogram))).toBe(theirs.histogram);
    expect(hex(textRecord(time, 1, 'run', '| é |'))).toBe(theirs.text);
  });

  it('can be read back one after another, whatever tag, step and value', () => {
    const point = fc.record({
      seconds: fc.double({ min: 0, max: 4e9, noNaN: true }),
      step: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      tag: fc.string({ unit: 'grapheme', maxLength: 200 }),
      value: fc.float(),
    });
    fc.assert(
      fc.property(fc.array(point, { maxLength: 8 }), (points) => {
        const file = Buffer.concat(points.map((p) => scalarRecord(p.seconds, p.step, p.tag, p.value)));
        expect(readRecords(file)).toEqual(points);
      }),
    );
  });
});
