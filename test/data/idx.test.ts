// IDX parsing: what is right is a view, what is wrong is refused by name and byte offset.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseIdx, parseLabelledImages } from '../../src/data/idx.ts';
import { HeddleError } from '../../src/errors.ts';

function idx(dims: readonly number[], data: ArrayLike<number>, type = 8): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * dims.length + data.length);
  const view = new DataView(bytes.buffer);
  bytes[2] = type;
  bytes[3] = dims.length;
  for (const [i, dim] of dims.entries()) view.setUint32(4 + 4 * i, dim);
  bytes.set(data, 4 + 4 * dims.length);
  return bytes;
}

describe('parseIdx', () => {
  it('gives counts and a view of the bytes', () => {
    const bytes = idx([2, 1, 3], [1, 2, 3, 4, 5, 6]);
    const { dims, data } = parseIdx('images', bytes, 3);
    expect(dims).toEqual([2, 1, 3]);
    expect([...data]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(data.buffer).toBe(bytes.buffer);
  });

  it('works on a view that does not start at its buffer’s beginning', () => {
    const padded = new Uint8Array(20);
    padded.set(idx([3], [7, 8, 9]), 5);
    expect([...parseIdx('labels', padded.subarray(5, 16), 1).data]).toEqual([7, 8, 9]);
  });

  const good = idx([2, 1, 3], [1, 2, 3, 4, 5, 6]);
  const huge = 2 ** 32 - 1;
  it.each([
    ['an empty file', new Uint8Array(), /^f, byte 0: the file ends within the IDX header of 16 bytes/],
    ['a cut magic', good.slice(0, 3), /^f, byte 3: the file ends/],
    ['a cut header', good.slice(0, 11), /^f, byte 11: the file ends/],
    [
      'a wrong magic',
      Uint8Array.from(good, (b, i) => (i === 0 ? 0x1f : b)),
      /^f, byte 0: not an IDX file.*0x1f 0x00/,
    ],
    [
      'floats',
      idx([2, 1, 3], new Uint8Array(24), 13),
      /^f, byte 2: expected data type 0x08.*0x0d \(float32\)/,
    ],
    ['an unknown type', idx([2, 1, 3], new Uint8Array(6), 0x77), /^f, byte 2: .*found 0x77\./],
    ['other dimensions', idx([6], new Uint8Array(6)), /^f, byte 3: expected 3 dimensions, found 1/],
    [
      'missing data',
      good.slice(0, -1),
      /^f, byte 4: the header announces 2 x 1 x 3 = 6 bytes of data, but 5 follow/,
    ],
    ['surplus data', Uint8Array.from([...good, 0]), /^f, byte 4: .*but 7 follow/],
    ['counts of 2^32-1', idx([huge, huge, huge], new Uint8Array(6)), /^f, byte 4: .*but 6 follow/],
    ['one count of 2^32-1', idx([huge, 1, 1], new Uint8Array(6)), /4294967295 x 1 x 1 = 4294967295 bytes/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => parseIdx('f', bytes, 3)).toThrow(message);
    expect(() => parseIdx('f', bytes, 3)).toThrow(HeddleError);
  });

  it('takes no memory for what a header announces', () => {
    const liars = [
      idx([huge, 1, 1], []),
      idx([1, huge, huge], new Uint8Array(6)),
      idx([2 ** 16, 2 ** 8, 2 ** 8], [1]),
    ];
    const before = process.memoryUsage();
    for (const bytes of liars) expect(() => parseIdx('f', bytes, 3)).toThrow(/^f, byte 4/);
    const after = process.memoryUsage();
    expect(after.arrayBuffers - before.arrayBuffers).toBeLessThan(1e6);
    expect(after.rss - before.rss).toBeLessThan(50e6);
  });

  it('never does anything but refuse bytes that are no IDX file', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.integer({ min: 1, max: 3 }), (bytes, rank) => {
        try {
          const { dims, data } = parseIdx('f', bytes, rank);
          expect(dims.reduce((a, b) => a * b, 1)).toBe(data.length);
        } catch (error) {
          expect(error).toMatchObject({ name: 'HeddleError', code: 'data' });
        }
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});

describe('parseLabelledImages', () => {
  const images = { name: 'images', bytes: idx([2, 1, 3], [1, 2, 3, 4, 5, 6]) };
  const labels = (values: number[]) => ({ name: 'labels', bytes: idx([values.length], values) });

  it('pairs images with labels', () => {
    const parsed = parseLabelledImages(images, labels([9, 0]), 10);
    expect(parsed).toMatchObject({ length: 2, height: 1, width: 3 });
    expect([...parsed.labels]).toEqual([9, 0]);
  });

  it('refuses other counts, labels that are no class, and nothing at all', () => {
    const counts = /^labels, byte 4: expected a label for each of the 2 images of images, found 3 labels/;
    expect(() => parseLabelledImages(images, labels([1, 2, 3]), 10)).toThrow(counts);
    expect(() => parseLabelledImages(images, labels([1, 10]), 10)).toThrow(
      /^labels, byte 9: label 10, expected one below 10/,
    );
    for (const dims of [
      [0, 28, 28],
      [2, 0, 28],
    ]) {
      const none = { name: 'images', bytes: idx(dims, []) };
      expect(() => parseLabelledImages(none, labels(dims[0] ? [1, 2] : []), 10)).toThrow(
        /^images, byte 4: no images/,
      );
    }
  });
});
