// Pictures from anywhere: decoded by their content, turned, brought to a size, and made light on dark.

import fc from 'fast-check';
import jpeg from 'jpeg-js';
import { describe, expect, it } from 'vitest';
import { upright } from '../../src/data/exif.ts';
import type { Image } from '../../src/data/image.ts';
import { decodeJpeg } from '../../src/data/jpeg.ts';
import { decodePicture, fitPicture, isDarkOnLight, trimmed } from '../../src/data/picture.ts';
import { chunk, pngFile } from './png-file.ts';

/** A grey image of lines of digits, each 20 times as bright. */
function picture(...lines: string[]): Image {
  const pixels = Uint8Array.from(lines.join(''), (digit) => 20 * Number(digit));
  return { height: lines.length, width: lines[0]!.length, pixels };
}
const linesOf = ({ height, width, pixels }: Image) =>
  Array.from({ length: height }, (_, y) =>
    [...pixels.subarray(y * width, (y + 1) * width)].map((byte) => byte / 20).join(''),
  );

/** A JPEG file of one colour, or of one for each half. */
function jpegFile(
  width: number,
  height: number,
  [left, right = left]: readonly (readonly number[])[],
): Buffer {
  const data = new Uint8Array(width * height * 4);
  for (let i = 0; i < width * height; i++)
    data.set((i % width < width / 2 ? left : right) as number[], 4 * i);
  return jpeg.encode({ width, height, data }, 95).data;
}
const red = [250, 20, 20];
const blue = [10, 30, 240];

/** The file with an Exif segment behind its first marker. */
function withOrientation(file: Buffer, orientation: number, little: boolean): Buffer {
  const tiff = Buffer.alloc(26);
  tiff.write(little ? 'II' : 'MM');
  const [short, long] = little
    ? (['writeUInt16LE', 'writeUInt32LE'] as const)
    : (['writeUInt16BE', 'writeUInt32BE'] as const);
  tiff[short](42, 2);
  tiff[long](8, 4);
  tiff[short](1, 8);
  tiff[short](0x0112, 10);
  tiff[short](3, 12);
  tiff[long](1, 14);
  tiff[short](orientation, 18);
  const segment = Buffer.alloc(10);
  segment.writeUInt16BE(0xffe1, 0);
  segment.writeUInt16BE(8 + tiff.length, 2);
  segment.write('Exif\0\0', 4, 'latin1');
  return Buffer.concat([file.subarray(0, 2), segment, tiff, file.subarray(2)]);
}

describe('decodePicture', () => {
  it('goes by the content, in grey and in colour', async () => {
    const png = pngFile({ width: 1, height: 1, colours: 2, samples: red });
    expect([...(await decodePicture('a.jpg', png, 3)).pixels]).toEqual(red);
    const file = jpegFile(16, 8, [red, blue]);
    const colour = await decodePicture('a.png', file, 3);
    expect([colour.height, colour.width, colour.pixels.length]).toEqual([8, 16, 3 * 128]);
    const at = (x: number) => [0, 1, 2].map((c) => colour.pixels[c * 128 + x] as number);
    for (const [x, wanted] of [
      [1, red],
      [14, blue],
    ] as const)
      at(x).forEach((value, c) => {
        expect(Math.abs(value - (wanted[c] as number))).toBeLessThanOrEqual(8); // it is JPEG
      });
    const grey = await decodePicture('a.png', file, 1);
    const luma = 0.299 * at(1)[0]! + 0.587 * at(1)[1]! + 0.114 * at(1)[2]!;
    expect(Math.abs(grey.pixels[1]! - luma)).toBeLessThanOrEqual(0.51);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(), /^x: it is empty\.$/],
    ['a text', Buffer.from('GIF89a…'), /^x: neither PNG nor JPEG\.$/],
    [
      'half a PNG',
      pngFile({ width: 1, height: 1, colours: 0, samples: [1] }).subarray(0, 40),
      /^x: truncated PNG/,
    ],
    ['half a JPEG', jpegFile(16, 16, [red]).subarray(0, 400), /^x: damaged or unusual JPEG file/],
    ['a JPEG’s first bytes', Buffer.from([0xff, 0xd8, 0xff]), /^x: damaged or unusual JPEG file/],
  ])('refuses %s by name', async (_, bytes, message) => {
    const refused = decodePicture('x', new Uint8Array(bytes), 1);
    await expect(refused).rejects.toMatchObject({ code: 'data', message: expect.stringMatching(message) });
  });

  it('refuses a JPEG that says it is huge, before it takes memory', async () => {
    const file = new Uint8Array(jpegFile(16, 16, [red]));
    const frame = file.findIndex((byte, i) => byte === 0xff && file[i + 1] === 0xc0);
    file.fill(0xff, frame + 5, frame + 9); // 65535 x 65535
    const before = process.memoryUsage().rss;
    await expect(decodeJpeg('bomb', file, 1)).rejects.toThrow(
      /^bomb: expected at most 16777216 pixels, found more\.$/,
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
  });

  it('never does anything but refuse a JPEG that it cannot read', async () => {
    const file = new Uint8Array(jpegFile(24, 16, [red, blue]));
    const changes = fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(changes, fc.nat(file.length), async (bytes, length) => {
        const damaged = file.slice(0, length);
        for (const [at, byte] of bytes) if (at < length) damaged[at] = byte;
        const result = await decodeJpeg('x', damaged, 1).catch((error: unknown) => error);
        if (result instanceof Error) expect(result).toMatchObject({ name: 'HeddleError', code: 'data' });
        else expect((result as Image).pixels.length).toBe((result as Image).height * (result as Image).width);
      }),
      { numRuns: 150, seed: 4 },
    );
  });
});

describe('transparency', () => {
  it.each<[string, Parameters<typeof pngFile>[0], number[]]>([
    [
      'of colour',
      { width: 3, height: 1, colours: 6, samples: [0, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 51] },
      [255, 0, 204],
    ],
    ['of grey', { width: 2, height: 1, colours: 4, samples: [100, 0, 100, 255] }, [255, 100]],
    ['of 16 bits', { width: 2, height: 1, depth: 16, colours: 4, samples: [0, 0, 0, 65535] }, [255, 0]],
    [
      'of a palette',
      {
        width: 3,
        height: 1,
        colours: 3,
        palette: [9, 9, 9, 0, 0, 0, 50, 50, 50],
        after: [chunk('tRNS', Uint8Array.of(0, 127))],
        samples: [0, 1, 2],
      },
      [255, 128, 50],
    ],
    [
      'by one colour',
      { width: 2, height: 1, colours: 0, samples: [7, 8], after: [chunk('tRNS', Uint8Array.of(0, 7))] },
      [255, 8],
    ],
  ])('%s lies on white', async (_, content, expected) => {
    expect([...(await decodePicture('x', pngFile(content), 1)).pixels]).toEqual(expected);
  });
});

describe('orientation', () => {
  const stored = picture('123', '456');
  it.each([
    [1, ['123', '456']],
    [2, ['321', '654']],
    [3, ['654', '321']],
    [4, ['456', '123']],
    [5, ['14', '25', '36']],
    [6, ['41', '52', '63']],
    [7, ['63', '52', '41']],
    [8, ['36', '25', '14']],
  ])('%i is undone', (orientation, lines) => {
    expect(linesOf(upright(stored, orientation))).toEqual(lines);
  });

  it('is found in a JPEG file, in either byte order, and only where it makes sense', async () => {
    const file = jpegFile(16, 8, [red]);
    for (const little of [true, false]) {
      const turned = await decodeJpeg('x', withOrientation(file, 6, little), 1);
      expect([turned.height, turned.width]).toEqual([16, 8]);
      expect((await decodeJpeg('x', withOrientation(file, 77, little), 1)).width).toBe(16);
    }
  });
});

describe('fitPicture', () => {
  const no = { inversion: 'no' } as const;

  it('leaves a picture of the right size alone', () => {
    const image = picture('000', '050', '000');
    expect(linesOf(fitPicture(image, [3, 3], { inversion: 'auto', margin: 0 }))).toEqual(linesOf(image));
  });

  it('keeps the proportions, and puts the colour of the border around', () => {
    expect(linesOf(fitPicture(picture('3333', '3773'), [4, 4], no))).toEqual([
      '3333',
      '3333',
      '3773',
      '3333',
    ]);
    expect(linesOf(fitPicture(picture('39', '39', '39', '39'), [4, 6], no))[0]).toMatch(/^(33|99)39(33|99)$/);
    const { height, width } = fitPicture(picture('1'.repeat(5000)), [5, 9], no);
    expect([height, width]).toEqual([5, 9]);
    const large = fitPicture(picture('5'), [7, 7], no);
    expect(new Set(large.pixels)).toEqual(new Set([100]));
  });

  it('does so in each channel', () => {
    const image = { height: 1, width: 2, pixels: Uint8Array.of(10, 10, 20, 20, 30, 30) };
    const { pixels } = fitPicture(image, [2, 2], no);
    expect([...pixels]).toEqual([10, 10, 10, 10, 20, 20, 20, 20, 30, 30, 30, 30]);
  });

  it('cuts an even ground away and leaves a margin, where that is asked for', () => {
    const image = picture('000000', '000000', '000550', '000770', '000000', '000000');
    expect(linesOf(trimmed(image))).toEqual(['55', '77']);
    const options = { inversion: 'no', margin: 1 } as const;
    expect(linesOf(fitPicture(image, [4, 4], options))).toEqual(['0000', '0550', '0770', '0000']);
    const blank = picture('33', '33');
    expect(trimmed(blank)).toBe(blank);
    const colour = { height: 1, width: 3, pixels: Uint8Array.of(0, 0, 0, 9, 99, 9) };
    expect([...trimmed(colour).pixels]).toEqual([0, 99]);
  });

  it('inverts what is dark on light, or what it is told to', () => {
    const [dark, light] = [picture('9999', '9119', '9119', '9999'), picture('0000', '0770', '0770', '0000')];
    expect([isDarkOnLight(dark), isDarkOnLight(light)]).toEqual([true, false]);
    const fitted = (image: Image, inversion: 'auto' | 'yes' | 'no', margin?: number) => {
      const { inverted, pixels } = fitPicture(image, [4, 4], { inversion, margin });
      return [inverted, pixels[0], pixels[5]];
    };
    expect(fitted(dark, 'auto')).toEqual([true, 75, 235]);
    expect(fitted(dark, 'no')).toEqual([false, 180, 20]);
    expect(fitted(light, 'auto')).toEqual([false, 0, 140]);
    expect(fitted(light, 'yes')).toEqual([true, 255, 115]);
    // Cut free, nothing of the ground is left to see in the picture itself.
    const framed = picture('999999', '911119', '911119', '911119', '911119', '999999');
    expect(fitted(framed, 'auto', 0)).toEqual([true, 235, 235]);
  });
});
