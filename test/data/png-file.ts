// Makes PNG files of every kind, for the tests that read them.

import { crc32, deflateSync } from 'node:zlib';

/** What `pngFile` makes a file of. */
export interface PngContent {
  readonly width: number;
  readonly height: number;
  /** Bits of a sample. Default 8. */
  readonly depth?: 1 | 2 | 4 | 8 | 16;
  /** 0 grey, 2 colour, 3 indexed, 4 grey with alpha, 6 colour with alpha. */
  readonly colours: 0 | 2 | 3 | 4 | 6;
  /** [height, width, channels]. */
  readonly samples: ArrayLike<number>;
  readonly palette?: readonly number[];
  /** The filter of every line, 0 … 4. Default 0. */
  readonly filter?: number;
  readonly interlaced?: boolean;
  /** Chunks to put behind the header, and behind the palette. */
  readonly extra?: readonly Buffer[];
  readonly after?: readonly Buffer[];
}

const channelsOf = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 } as const;

/** One chunk: length, type, content, CRC. */
export function chunk(type: string, content: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(content.length);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}

/** The bytes of a PNG file. */
export function pngFile(content: PngContent): Buffer {
  const { width, height, depth = 8, colours, palette, interlaced = false, extra = [], after = [] } = content;
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colours, 0, 0, interlaced ? 1 : 0], 8);
  const steps: readonly Step[] = interlaced
    ? [
        [0, 0, 8, 8],
        [4, 0, 8, 8],
        [0, 4, 4, 8],
        [2, 0, 4, 4],
        [0, 2, 2, 4],
        [1, 0, 2, 2],
        [0, 1, 1, 2],
      ]
    : [[0, 0, 1, 1]];
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    ...extra,
    ...(palette === undefined ? [] : [chunk('PLTE', Uint8Array.from(palette))]),
    ...after,
    chunk('IDAT', deflateSync(Buffer.concat(steps.map((step) => pass(content, step))))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

type Step = readonly [x: number, y: number, across: number, down: number];

/** The filtered lines of every `across`th pixel of every `down`th line. */
function pass(content: PngContent, [left, top, across, down]: Step): Buffer {
  const { width, height, depth = 8, colours, samples, filter = 0 } = content;
  const channels = channelsOf[colours];
  const pixelBytes = Math.max(1, (depth * channels) / 8);
  const lines: Buffer[] = [];
  let before: number[] = [];
  for (let y = top; y < height; y += down) {
    let bits = '';
    for (let x = left; x < width; x += across)
      for (let c = 0; c < channels; c++)
        bits += (samples[(y * width + x) * channels + c] as number).toString(2).padStart(depth, '0');
    if (bits === '') continue;
    const raw = bits.match(/.{1,8}/g)!.map((byte) => Number.parseInt(byte.padEnd(8, '0'), 2));
    const filtered = raw.map((byte, i) => {
      const [a, b, c] = [raw[i - pixelBytes] ?? 0, before[i] ?? 0, before[i - pixelBytes] ?? 0];
      return byte - [0, a, b, (a + b) >> 1, paeth(a, b, c)][filter]!;
    });
    lines.push(Buffer.from([filter, ...filtered]));
    before = raw;
  }
  return Buffer.concat(lines);
}

function paeth(a: number, b: number, c: number): number {
  const p = a + b - c;
  const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
  if (pa <= pb && pa <= pc) return a;
  return pb <= pc ? b : c;
}
