// PNG images of every kind, made here; and images of another size, compared with PyTorch's (test/fixtures/data.json).

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePng } from '../../src/data/png.ts';
import { resize } from '../../src/data/resize.ts';
import { createGenerator } from '../../src/random/generator.ts';
import { chunk, type PngContent, pngFile } from './png-file.ts';

const grey = (red: number, green: number, blue: number) =>
  Math.floor((red * 19595 + green * 38470 + blue * 7471 + 0x8000) / 65536);

/** Random samples, and what they are in red, green and blue and in grey. */
function picture(colours: PngContent['colours'], depth: PngContent['depth'] & number, seed = 0) {
  const [width, height] = [13, 9];
  const generator = createGenerator(seed);
  const channels = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }[colours];
  const palette = Array.from({ length: 3 * 2 ** Math.min(8, depth) }, () => generator.random32() % 256);
  const samples = Array.from({ length: width * height * channels }, () => generator.random32() % 2 ** depth);
  const byte = (sample: number) => (depth === 16 ? sample >> 8 : (sample * 255) / (2 ** depth - 1));
  const colour: number[][] = [];
  for (let i = 0; i < width * height; i++) {
    const given = samples.slice(i * channels, (i + 1) * channels);
    if (colours === 3) colour.push(palette.slice(3 * given[0]!, 3 * given[0]! + 3));
    else if (channels < 3) colour.push([byte(given[0]!), byte(given[0]!), byte(given[0]!)]);
    else colour.push(given.slice(0, 3).map(byte));
  }
  const content: PngContent = { width, height, depth, colours, samples, ...(colours === 3 && { palette }) };
  const rgb = [0, 1, 2].flatMap((channel) => colour.map((values) => values[channel]!));
  return { content, rgb, grey: colour.map(([r, g, b]) => grey(r!, g!, b!)) };
}

describe('decodePng', () => {
  it.each<[PngContent['colours'], readonly (PngContent['depth'] & number)[]]>([
    [0, [1, 2, 4, 8, 16]],
    [2, [8, 16]],
    [3, [1, 2, 4, 8]],
    [4, [8, 16]],
    [6, [8, 16]],
  ])('reads colour type %i at %j bits, whatever the filter', async (colours, depths) => {
    for (const depth of depths)
      for (let filter = 0; filter <= 4; filter++) {
        const { content, rgb, grey } = picture(colours, depth, filter);
        const file = pngFile({ ...content, filter });
        const image = await decodePng('x.png', file, 3);
        expect([image.height, image.width]).toEqual([9, 13]);
        expect([...image.pixels]).toEqual(rgb);
        expect([...(await decodePng('x.png', file, 1)).pixels]).toEqual(grey);
      }
  });

  it('reads interlaced images of whole bytes, and refuses others', async () => {
    for (const colours of [0, 2, 3, 6] as const) {
      const { content, rgb } = picture(colours, 8, 3);
      const file = pngFile({ ...content, interlaced: true, filter: 4 });
      expect([...(await decodePng('x.png', file, 3)).pixels]).toEqual(rgb);
    }
    const file = pngFile({ ...picture(0, 4).content, interlaced: true });
    await expect(decodePng('x.png', file, 1)).rejects.toThrow(
      /^x\.png: an interlaced PNG of 4 bits a sample, which is not supported: save it without interlacing\.$/,
    );
  });

  it('takes no notice of what has nothing to do with the pixels', async () => {
    const { content, rgb } = picture(2, 8);
    const extra = [
      chunk('iCCP', Buffer.from('no profile')),
      chunk('tEXt', Buffer.from([1, 255, 0, 7])),
      chunk('acTL', Buffer.alloc(8)),
      chunk('tRNS', Buffer.alloc(6)),
    ];
    expect([...(await decodePng('x.png', pngFile({ ...content, extra }), 3)).pixels]).toEqual(rgb);
  });

  it('works on a view of a larger buffer', async () => {
    const { content, rgb } = picture(2, 8);
    const file = pngFile(content);
    const padded = new Uint8Array(file.length + 20);
    padded.set(file, 7);
    expect([...(await decodePng('x.png', padded.subarray(7, 7 + file.length), 3)).pixels]).toEqual(rgb);
  });

  const good = pngFile(picture(2, 8).content);
  const changed = (at: number, byte: number) => Uint8Array.from(good, (old, i) => (i === at ? byte : old));
  const header = (width: number, height: number, rest = [8, 2, 0, 0, 0]) => {
    const content = Buffer.alloc(13);
    content.writeUInt32BE(width, 0);
    content.writeUInt32BE(height, 4);
    content.set(rest, 8);
    return Buffer.concat([good.subarray(0, 8), chunk('IHDR', content), good.subarray(33)]);
  };
  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(), /^x\.png: it is empty\.$/],
    ['a JPEG', Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16), /not a PNG file/],
    ['a signature', good.subarray(0, 8), /truncated PNG file \(8 bytes\)/],
    ['half a file', good.subarray(0, 200), /truncated PNG file \(200 bytes\)/],
    ['a file without its end', good.subarray(0, -12), /truncated PNG file/],
    ['a chunk that is longer than the file', changed(33, 0x7f), /truncated PNG file/],
    ['a flipped bit in the data', changed(60, good[60]! ^ 1), /damaged PNG file/],
    ['a flipped bit in the header', changed(19, good[19]! ^ 1), /damaged PNG file \(CRC mismatch/],
    ['no header', Buffer.concat([good.subarray(0, 8), good.subarray(33)]), /it has no header/],
    ['no width', header(0, 5), /0 x 5 pixels: expected at least 1 and at most 16777216/],
    ['a size that nobody has', header(2 ** 31, 2 ** 31), /2147483648 x 2147483648 pixels/],
    ['fewer lines than announced', header(13, 10), /damaged PNG file/],
    [
      'more data than the pixels can need',
      Buffer.concat([good.subarray(0, 33), chunk('IDAT', Buffer.alloc(10_000)), good.subarray(33)]),
      /\d+ bytes of data for 13 x 9 pixels/,
    ],
    ['an unknown colour type', header(13, 9, [8, 5, 0, 0, 0]), /colour type 5/],
    ['an unknown depth', header(13, 9, [3, 0, 0, 0, 0]), /damaged PNG file \(invalid bit depth: 3\)/],
    ['an unknown interlacing', header(13, 9, [8, 2, 0, 0, 9]), /Interlace method 9 not supported/],
    [
      'a colour that is not in the palette',
      pngFile({ width: 1, height: 1, colours: 3, samples: [2], palette: [0, 0, 0, 1, 1, 1] }),
      /colour 2 is not in its palette/,
    ],
    [
      'no palette',
      pngFile({ width: 1, height: 1, colours: 3, samples: [0] }),
      /colour 0 is not in its palette/,
    ],
  ])('refuses %s, by name', async (_, file, message) => {
    const refused = decodePng('x.png', file, 3);
    await expect(refused).rejects.toMatchObject({ code: 'data', message: expect.stringMatching(message) });
    await expect(refused).rejects.toThrow(/^x\.png: [^\n]+$/);
  });

  it('never does anything but refuse what is damaged', async () => {
    const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(damage, async (changes) => {
        const file = Uint8Array.from(good);
        for (const [at, byte] of changes) file[at] = byte;
        try {
          const { pixels } = await decodePng('x.png', file, 3);
          expect(pixels.length).toBe(3 * 13 * 9);
        } catch (error) {
          expect(error).toMatchObject({ name: 'HeddleError', code: 'data' });
        }
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});

interface Resized {
  from: [number, number];
  to: [number, number];
  pixels: number[];
  values: number[];
}
const { resized }: { resized: Resized[] } = JSON.parse(
  readFileSync(new URL('../fixtures/data.json', import.meta.url), 'utf8'),
);

describe('resize', () => {
  it.each(resized)('from $from to $to is PyTorch’s but for rounding', ({ from, to, pixels, values }) => {
    const [height, width] = from;
    const image = resize({ height, width, pixels: Uint8Array.from(pixels) }, ...to);
    expect([image.height, image.width, image.pixels.length]).toEqual([...to, values.length]);
    // Each of the two passes rounds to whole numbers.
    const worst = Math.max(...values.map((value, i) => Math.abs(value - image.pixels[i]!)));
    expect(worst).toBeLessThanOrEqual(1);
  });

  it('leaves an image of the right size, and one colour, as they are', () => {
    const image = { height: 2, width: 3, pixels: Uint8Array.of(1, 2, 3, 4, 5, 6) };
    expect(resize(image, 2, 3)).toBe(image);
    const white = { height: 7, width: 5, pixels: new Uint8Array(35).fill(255) };
    for (const [height, width] of [
      [3, 2],
      [20, 31],
      [1, 1],
    ] as const) {
      expect([...resize(white, height, width).pixels]).toEqual(new Array(height * width).fill(255));
    }
  });
});
