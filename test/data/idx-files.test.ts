// MNIST's relatives: sets with known files, and IDX files of the caller's own.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { datasets } from '../../src/data/datasets.ts';
import { KMNIST_FILES, MNIST_FILES } from '../../src/data/mnist.ts';
import { readSource as readInBrowser } from '../../src/platform/browser-sources.ts';
import { readSource } from '../../src/platform/node-sources.ts';
import { honest, packed, serve } from './file-set.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'heddle-idx-'));
  vi.stubEnv('XDG_CACHE_HOME', join(root, 'cache'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true });
});

function idxFile(dims: readonly number[], value: (i: number) => number): Uint8Array<ArrayBuffer> {
  const count = dims.reduce((product, dim) => product * dim, 1);
  const bytes = new Uint8Array(4 + 4 * dims.length + count);
  const view = new DataView(bytes.buffer);
  bytes.set([0, 0, 8, dims.length]);
  for (const [i, dim] of dims.entries()) view.setUint32(4 + 4 * i, dim);
  for (let i = 0; i < count; i++) bytes[4 + 4 * dims.length + i] = value(i);
  return bytes;
}
/** Three images of 2 x 5 pixels, of the classes 3, 0 and 41. */
const images = idxFile([3, 2, 5], (i) => i);
const labels = idxFile([3], (i) => [3, 0, 41][i]!);

describe('datasets.idx', () => {
  it('takes any image size and any classes, from paths, bytes and blobs, gzipped or not', async () => {
    const [imagesPath, labelsPath] = [join(root, 'images.gz'), join(root, 'labels')];
    writeFileSync(imagesPath, gzipSync(images));
    writeFileSync(labelsPath, labels);
    for (const source of [
      { images: imagesPath, labels: labelsPath },
      { images, labels: gzipSync(labels) },
      { images: new Blob([gzipSync(images)]), labels: new Blob([labels]) },
    ]) {
      const dataset = await datasets.idx({ ...source, name: 'emnist/letters' });
      expect(dataset).toMatchObject({ name: 'emnist/letters', length: 3, inputShape: [1, 2, 5] });
      expect(dataset).toMatchObject({ synthetic: false });
      expect([...dataset.inputs]).toEqual(Array.from({ length: 30 }, (_, i) => i));
      expect([...dataset.targets]).toEqual([3, 0, 41]);
      expect(dataset.classes).toHaveLength(42);
    }
    expect((await datasets.idx({ images, labels, classes: 62 })).classes).toHaveLength(62);
    const names = Array.from({ length: 42 }, (_, i) => `class ${i}`);
    expect((await datasets.idx({ images, labels, classes: names })).classes).toEqual(names);
    expect(await datasets.idx({ images, labels, limit: 2 })).toMatchObject({ length: 2 });
  });

  it.each<[string, object, string, RegExp]>([
    [
      'labels that are no class',
      { classes: 10 },
      'data',
      /^idx: labels, byte 10: label 41, expected one below 10/,
    ],
    [
      'no classes',
      { classes: [] },
      'usage',
      /expected classes as names or as a positive integer, got an empty/,
    ],
    ['half a class', { classes: 1.5 }, 'usage', /got 1\.5/],
    [
      'other counts',
      { labels: idxFile([2], () => 0) },
      'data',
      /a label for each of the 3 images of idx: images/,
    ],
    ['labels for images', { images: labels }, 'data', /^idx: images, byte 3: expected 3 dimensions, found 1/],
    ['broken gzip', { images: gzipSync(images).subarray(0, 30) }, 'data', /^idx: images: .*gzip/],
    ['a missing file', { images: '/nonexistent/images' }, 'data', /^\/nonexistent\/images does not exist\.$/],
    ['a folder', { images: '/' }, 'data', /^\/: not a regular file/],
    ['no rows', { limit: 0 }, 'usage', /limit: expected a positive integer/],
  ])('refuses %s', async (_, change, code, message) => {
    const refused = datasets.idx({ images, labels, ...change });
    await expect(refused).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('names the file and the place in it, packed or not', async () => {
    const bad = Uint8Array.from(images);
    new DataView(bad.buffer).setUint32(4, 2 ** 32 - 1);
    for (const [name, bytes] of [
      ['images', bad],
      ['images.gz', gzipSync(bad)],
    ] as const) {
      const path = join(root, name);
      writeFileSync(path, bytes);
      await expect(datasets.idx({ images: path, labels })).rejects.toMatchObject({
        code: 'data',
        message: `${path}, byte 4: the header announces 4294967295 x 2 x 5 = 42949672950 bytes of data, but 30 follow it.`,
      });
    }
    const path = join(root, 'labels');
    writeFileSync(path, labels);
    await expect(datasets.idx({ images, labels: path, classes: 41 })).rejects.toThrow(
      `${path}, byte 10: label 41, expected one below 41.`,
    );
  });

  it('refuses gzip that announces more than it can hold, before unpacking it', async () => {
    const bomb = gzipSync(images);
    bomb.writeUInt32LE(2 ** 31, bomb.length - 4);
    for (const read of [readSource, readInBrowser]) {
      await expect(read('images', bomb)).rejects.toThrow(
        /^images: damaged gzip file \(its length field says 2147483648 bytes, more than \d+ packed ones can hold\)/,
      );
    }
  });
});

describe('readSource in a browser', () => {
  it('fetches addresses, and names what it could not', async () => {
    const { url, close } = await serve(honest);
    try {
      const file = await readInBrowser('labels', `${url}labels.gz`);
      expect(file.name).toBe(`${url}labels.gz`);
      expect(file.bytes).toHaveLength(1000);
      await expect(readInBrowser('labels', `${url}nothing`)).rejects.toThrow(`${url}nothing: HTTP 404.`);
    } finally {
      await close();
    }
    await expect(readInBrowser('labels', `${url}labels.gz`)).rejects.toMatchObject({ code: 'data' });
    const blob = new File([new Uint8Array(packed.labels!)], 'mine.gz');
    expect(await readInBrowser('labels', blob)).toMatchObject({ name: 'mine.gz' });
  });
});

describe('datasets.mnist and datasets.kmnist', () => {
  it('look in their own folders and mirrors', () => {
    for (const { name, files, mirrors, folders, torchvisionFolder, variable } of [
      MNIST_FILES,
      KMNIST_FILES,
    ]) {
      const upper = name.toUpperCase();
      expect([folders, torchvisionFolder, variable]).toEqual([
        [`data/${upper}/raw`],
        `${upper}/raw`,
        `${upper}_DIR`,
      ]);
      expect(mirrors[0]).toMatch(/^https:.*\/$/);
      expect(files.map((file) => [file.name, file.bytes])).toEqual([
        ['train-images-idx3-ubyte', 47_040_016],
        ['train-labels-idx1-ubyte', 60_008],
        ['t10k-images-idx3-ubyte', 7_840_016],
        ['t10k-labels-idx1-ubyte', 10_008],
      ]);
      const sums = files.map((file) => ('sha256' in file ? file.sha256 : file.packedSha256));
      expect(new Set(sums.filter((sum) => /^[0-9a-f]{64}$/.test(sum))).size).toBe(4);
    }
  });

  it('take only MNIST’s own files, and KMNIST’s unpacked ones by their length', async () => {
    writeFileSync(
      join(root, 't10k-images-idx3-ubyte'),
      idxFile([10_000, 28, 28], (i) => i),
    );
    writeFileSync(
      join(root, 't10k-labels-idx1-ubyte'),
      idxFile([10_000], (i) => i % 10),
    );
    await expect(datasets.mnist('test', { data: root })).rejects.toThrow(
      /t10k-images-idx3-ubyte: SHA-256 of the unpacked bytes is .*, expected 0fa7898d/,
    );
    const test = await datasets.kmnist('test', { data: root, limit: 30 });
    expect(test).toMatchObject({ name: 'kmnist/test', length: 30, inputShape: [1, 28, 28] });
    expect(test.classes[test.targets[2]!]).toBe('su');
  });

  it('refuse what makes no sense, each by its name', async () => {
    await expect(datasets.mnist('valid' as 'test')).rejects.toThrow(
      /^mnist: expected the split train or test/,
    );
    await expect(datasets.kmnist('test', { limit: 0 })).rejects.toThrow(/limit: expected a positive integer/);
    vi.stubEnv('KMNIST_DIR', root);
    await expect(datasets.kmnist('train')).rejects.toThrow(
      /^kmnist: the folder .*\(KMNIST_DIR\) has neither train-images-idx3-ubyte nor .*Put the four KMNIST files/,
    );
    vi.stubEnv('KMNIST_DIR', undefined);
    await expect(datasets.mnist('train', { download: false })).rejects.toThrow(
      /^mnist: train-images.* is not in/,
    );
  });
});
