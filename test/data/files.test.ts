// Files on this machine: where they are looked for, and how wrong ones are refused.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cacheFolder } from '../../src/platform/cache-folder.ts';
import { loadFiles } from '../../src/platform/node-files.ts';
import { content, packed, packedSet, smallSet } from './file-set.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'heddle-files-'));
  vi.stubEnv('XDG_CACHE_HOME', join(root, 'cache'));
  vi.stubEnv('SMALL_DIR', undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

/** Makes a folder below the test's root that holds `files`, and returns its path. */
function folder(name: string, files: Record<string, Uint8Array | string>): string {
  const path = join(root, name);
  mkdirSync(path, { recursive: true });
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(path, file), bytes);
  return path;
}
const both = ['images', 'labels'];

describe('loadFiles in Node finds files', () => {
  it('gzipped or not, in the order given, file by file', async () => {
    const first = folder('first', { images: content.images! });
    const second = folder('second', { 'images.gz': packed.images!, 'labels.gz': packed.labels! });
    const files = await loadFiles(smallSet([join(root, 'none'), first, second]), both, { download: false });
    expect(files.map(({ name, from }) => [name, from])).toEqual([
      ['images', join(first, 'images')],
      ['labels', join(second, 'labels.gz')],
    ]);
    for (const { name, bytes } of files) expect(Buffer.compare(bytes, content[name]!)).toBe(0);
  });

  it('in the given folder before all others, or below it where torchvision puts them', async () => {
    const other = folder('other', { images: content.images! });
    const given = folder('given/Small/raw', { 'images.gz': packed.images! });
    const set = smallSet([other]);
    for (const data of [join(root, 'given'), given]) {
      const [file] = await loadFiles(set, ['images'], { data });
      expect(file?.from).toBe(join(given, 'images.gz'));
    }
    vi.stubEnv('SMALL_DIR', given);
    expect((await loadFiles(set, ['images']))[0]?.from).toBe(join(given, 'images.gz'));
    expect((await loadFiles(set, ['images'], { data: other }))[0]?.from).toBe(join(other, 'images'));
  });

  it('in the user’s cache, and then does without the network', async () => {
    const cached = folder('cache/heddle/small', { 'images.gz': packed.images! });
    const fetched = vi.spyOn(globalThis, 'fetch').mockRejectedValue(new Error('no network in this test'));
    const [file] = await loadFiles(smallSet(), ['images'], { mirrors: ['http://127.0.0.1:9/'] });
    expect(file?.from).toBe(join(cached, 'images.gz'));
    expect(fetched).not.toHaveBeenCalled();
    fetched.mockRestore();
  });
});

describe('loadFiles in Node refuses', () => {
  it('a given folder that is missing, is no folder, or lacks a file, whatever else there is', async () => {
    const complete = folder('complete', { 'images.gz': packed.images!, 'labels.gz': packed.labels! });
    const set = smallSet([complete]);
    const refusal = (data: string) => loadFiles(set, both, { data, mirrors: [] });
    await expect(refusal(join(root, 'none'))).rejects.toMatchObject({
      code: 'data',
      message: `small: the data folder ${join(root, 'none')} does not exist.`,
    });
    await expect(refusal(join(complete, 'images.gz'))).rejects.toThrow(/is not a folder/);
    const partial = folder('partial', { images: content.images! });
    await expect(refusal(partial)).rejects.toThrow(
      `small: the folder ${partial} has neither labels nor labels.gz. Do this instead`,
    );
    await expect(refusal('')).rejects.toMatchObject({ code: 'usage' });
    vi.stubEnv('SMALL_DIR', join(root, 'none'));
    await expect(loadFiles(set, both)).rejects.toThrow(/none \(SMALL_DIR\) does not exist/);
  });

  it('to go on without a file that is nowhere', async () => {
    const message = `small: images is not in ${join(root, 'x')}, ${join(root, 'cache/heddle/small')}. Do this instead`;
    await expect(loadFiles(smallSet([join(root, 'x')]), both, { download: false })).rejects.toThrow(message);
    await expect(loadFiles(smallSet(), ['nothing'])).rejects.toMatchObject({ code: 'usage' });
  });

  const good = packed.labels!;
  const flipped = (at: number) => Uint8Array.from(good, (byte, i) => (i === at ? byte ^ 1 : byte));
  it.each<[string, Uint8Array | string, RegExp]>([
    [
      'an HTML page',
      '<!DOCTYPE html><title>404</title>',
      /neither gzip nor the 1000 bytes of labels: 33 bytes starting with "<!DOCTYPE html>/,
    ],
    ['nothing', '', /it is empty/],
    ['a header only', good.subarray(0, 5), /not a gzip file: its header is broken/],
    ['truncated gzip', good.subarray(0, 500), /truncated gzip file \(500 bytes\)/],
    ['gzip without its trailer', good.subarray(0, -3), /truncated gzip file/],
    ['a wrong CRC', flipped(good.length - 8), /wrong CRC-32/],
    ['a wrong length field', flipped(good.length - 4), /wrong length field/],
    ['a flipped bit', flipped(400), /damaged gzip file/],
    ['trailing bytes', Buffer.concat([good, Buffer.from('xyz')]), /3 bytes follow the end of the gzip data/],
    ['trailing zeros', Buffer.concat([good, Buffer.alloc(4)]), /4 bytes follow/],
    ['a second, empty member', Buffer.concat([good, gzipSync('')]), /holds a second gzip member/],
    ['gzip of too much', gzipSync(Buffer.alloc(1001)), /unpacks to more than the expected 1000 bytes/],
    ['gzip of too little', gzipSync(Buffer.alloc(10)), /unpacks to 10 bytes, expected 1000/],
    [
      'gzip of other bytes',
      gzipSync(Buffer.alloc(1000)),
      /SHA-256 of the unpacked bytes is [0-9a-f]{64}, expected/,
    ],
    ['other bytes', Buffer.alloc(1000), /SHA-256 of the unpacked bytes/],
    ['a far too long file', Buffer.alloc(2_000_000), /2000000 bytes, expected at most/],
  ])('%s, by name', async (_, bytes, message) => {
    const where = folder('wrong', { 'labels.gz': bytes });
    const refused = loadFiles(smallSet([where]), ['labels'], { mirrors: [] });
    await expect(refused).rejects.toMatchObject({ code: 'data', message: expect.stringMatching(message) });
    const name = join(where, 'labels.gz');
    await expect(refused).rejects.toThrow(new RegExp(`^${name}: .*delete it and run again\\.$`));
  });

  it('what is not a file', async () => {
    const where = folder('odd', {});
    mkdirSync(join(where, 'images'));
    await expect(loadFiles(smallSet([where]), ['images'])).rejects.toThrow(/images: not a regular file/);
  });
});

describe('a set that is known by its packed files', () => {
  it('takes those, and unpacked ones of the right length', async () => {
    for (const files of [
      { 'labels.gz': packed.labels! },
      { labels: packed.labels! },
      { labels: content.labels! },
    ]) {
      const where = folder(Object.keys(files)[0]!.replace('.', '-'), files);
      const [file] = await loadFiles(packedSet([where]), ['labels'], { download: false });
      expect(Buffer.compare(file!.bytes, content.labels!)).toBe(0);
      rmSync(where, { recursive: true });
    }
  });

  it.each<[string, Uint8Array, RegExp]>([
    [
      'the right bytes, packed by somebody else',
      gzipSync(content.labels!, { level: 1 }),
      /labels\.gz: SHA-256 is [0-9a-f]{64}, expected [0-9a-f]{64}\. This is not the labels it should be/,
    ],
    ['unpacked ones of another length', content.labels!.subarray(1), /neither gzip nor the 1000 bytes/],
  ])('refuses %s', async (_, bytes, message) => {
    const where = folder('wrong', { 'labels.gz': bytes });
    await expect(loadFiles(packedSet([where]), ['labels'])).rejects.toThrow(message);
  });
});

describe('gzip headers', () => {
  it('may carry names, comments, extra fields and a checksum', async () => {
    const plain = packed.labels!;
    const parts = [
      Buffer.from([0x1f, 0x8b, 8, 0x1e, 0, 0, 0, 0, 0, 3]),
      Buffer.from([4, 0, 65, 66, 0, 0]),
      Buffer.from('labels\0a comment\0'),
    ];
    const header = Buffer.concat(parts);
    const sum = crc32(header) & 0xffff;
    const full = Buffer.concat([header, Buffer.from([sum & 255, sum >> 8]), plain.subarray(10)]);
    const where = folder('headers', { 'labels.gz': full });
    const [file] = await loadFiles(smallSet([where]), ['labels']);
    expect(Buffer.compare(file!.bytes, content.labels!)).toBe(0);
    writeFileSync(join(where, 'labels.gz'), full.subarray(0, 18));
    await expect(loadFiles(smallSet([where]), ['labels'])).rejects.toThrow(/its header is broken/);
  });
});

describe('cacheFolder', () => {
  it.each([
    ['linux', {}, '/home/u/.cache/heddle'],
    ['linux', { XDG_CACHE_HOME: '/var/c' }, '/var/c/heddle'],
    ['linux', { XDG_CACHE_HOME: 'relative' }, '/home/u/.cache/heddle'],
    ['darwin', {}, '/home/u/Library/Caches/heddle'],
    ['win32', { LOCALAPPDATA: 'C:\\L' }, 'C:\\L\\heddle'],
  ])('on %s with %o is %s', (platform, env, expected) => {
    expect(cacheFolder({ platform, env, home: '/home/u' })).toBe(expected);
  });
});

it('the browser’s file access exports the same names as Node’s, and touches no Node module', async () => {
  for (const kind of ['files', 'sources']) {
    const browser = await import(`../../src/platform/browser-${kind}.ts`);
    const node = await import(`../../src/platform/node-${kind}.ts`);
    expect(Object.keys(browser)).toEqual(Object.keys(node));
  }
  for (const file of ['browser-files', 'browser-gunzip', 'browser-sources', 'download', 'files', 'sources']) {
    const source = readFileSync(new URL(`../../src/platform/${file}.ts`, import.meta.url), 'utf8');
    expect(source).not.toMatch(/from '(node:|.*\/node-)|process\./);
  }
});
