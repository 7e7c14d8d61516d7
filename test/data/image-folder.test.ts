// Pictures in folders: classes and order as torchvision's ImageFolder, and what is refused.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { datasets } from '../../src/data/datasets.ts';
import type { ImageFolderOptions } from '../../src/data/image-folder.ts';
import { listFolder as listInBrowser } from '../../src/platform/browser-sources.ts';
import { pngFile } from './png-file.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'heddle-images-'));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A picture of one colour. */
const plain = (red: number, height = 2, width = 3) =>
  pngFile({
    width,
    height,
    colours: 2,
    samples: Array.from({ length: 3 * width * height }, (_, i) => (i % 3 === 0 ? red : 10 * (i % 3))),
  });

function put(files: Record<string, Uint8Array | string>): string {
  for (const [path, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
  }
  return root;
}

describe('datasets.imageFolder', () => {
  it('has a class for each folder, classes and images in the order of their names', async () => {
    put({
      'cat/b.png': plain(2),
      'cat/a.PNG': plain(1),
      'cat/more/0.png': plain(3),
      'cat/more/deep/0.png': plain(5),
      'cat/Z.png': plain(0),
      'cat/more-still/0.png': plain(4),
      'Zebra/1.png': plain(8),
      'ant/1.png': plain(9),
      'ant/notes.txt': 'not a picture',
      'ant/.hidden.png': 'not seen',
      '.git/x.png': 'not seen',
      'README.md': 'beside the classes',
      'cover.jpg': 'beside the classes',
    });
    const dataset = await datasets.imageFolder(root);
    expect(dataset).toMatchObject({
      name: basename(root),
      length: 8,
      inputShape: [3, 2, 3],
      synthetic: false,
    });
    expect(dataset.classes).toEqual(['Zebra', 'ant', 'cat']);
    const reds = [...dataset.inputs].filter((_, i) => i % 18 === 0);
    expect(reds).toEqual([8, 9, 0, 1, 2, 3, 4, 5]);
    expect([...dataset.targets]).toEqual([0, 1, 2, 2, 2, 2, 2, 2]);
    // Red, green and blue lie in planes.
    expect([...dataset.inputs.subarray(0, 18)]).toEqual([8, 10, 20].flatMap((x) => new Array(6).fill(x)));
  });

  it('makes them grey, and of one size, when asked to', async () => {
    put({ 'a/1.png': plain(100), 'b/1.png': plain(200, 4, 4), 'b/2.png': plain(0, 1, 1) });
    const dataset = await datasets.imageFolder(root, { channels: 1, size: [3, 5], name: 'mine' });
    expect(dataset).toMatchObject({ name: 'mine', length: 3, inputShape: [1, 3, 5] });
    const grey = (red: number) => Math.floor((red * 19595 + 10 * 38470 + 20 * 7471 + 0x8000) / 65536);
    expect([...dataset.inputs]).toEqual([100, 200, 0].flatMap((red) => new Array(15).fill(grey(red))));
    expect((await datasets.imageFolder(root, { size: 4 })).inputShape).toEqual([3, 4, 4]);
  });

  it('follows links, but not in circles', async () => {
    put({ 'a/1.png': plain(1), 'elsewhere/2.png': plain(2) });
    symlinkSync(join(root, 'elsewhere'), join(root, 'a/linked'));
    symlinkSync('/nonexistent', join(root, 'a/broken.png'));
    expect((await datasets.imageFolder(root)).length).toBe(3);
    symlinkSync(root, join(root, 'a/circle'));
    await expect(datasets.imageFolder(root)).rejects.toThrow(/more than 16 folders deep/);
  });

  it('takes files of a page, and pictures by their paths', async () => {
    const files = ['b/1.png', 'a/2.png', 'a/1.png'].map((path, i) => {
      const file = new File([new Uint8Array(plain(i))], basename(path));
      return Object.assign(file, { webkitRelativePath: `pets/${path}` });
    });
    const dataset = await datasets.imageFolder(files as unknown as File[]);
    expect(dataset).toMatchObject({ name: 'pets', length: 3, classes: ['a', 'b'] });
    expect([...dataset.inputs].filter((_, i) => i % 18 === 0)).toEqual([2, 1, 0]);
    const images = [
      { path: 'x/1.png', bytes: plain(5) },
      { path: 'y/1.png', bytes: plain(6) },
    ];
    expect(await datasets.imageFolder(images)).toMatchObject({ name: 'images', classes: ['x', 'y'] });
    await expect(datasets.imageFolder([new File([], 'loose.png')])).rejects.toThrow(
      /^images: expected a folder for each class, found none\.$/,
    );
    await expect(listInBrowser('pets')).rejects.toThrow(
      /^the folder pets: a browser reads no folders\. Give the/,
    );
  });

  const good = { 'a/1.png': plain(1), 'b/1.png': plain(2) };
  it.each<[string, Record<string, Uint8Array | string>, string]>([
    ['no classes', { 'x.png': plain(1) }, ': expected a folder for each class, found none.'],
    ['a class without images', { ...good, 'c/readme.txt': '' }, '/c: the class has no PNG images.'],
    [
      'other kinds of pictures',
      { ...good, 'b/2.jpeg': '' },
      '/b/2.jpeg: only PNG images can be read. Convert it.',
    ],
    ['what only looks like one', { ...good, 'b/2.png': 'GIF89a' }, '/b/2.png: not a PNG file.'],
  ])('refuses %s', async (_, files, message) => {
    put(files);
    const refused = datasets.imageFolder(root);
    await expect(refused).rejects.toMatchObject({ code: 'data', message: `${root}${message}` });
  });

  it('refuses images of several sizes unless it is told what to make of them', async () => {
    put({ ...good, 'b/2.png': plain(1, 5, 4) });
    await expect(datasets.imageFolder(root)).rejects.toThrow(
      `${root}/b/2.png has 5 x 4 pixels, ${root}/a/1.png has 2 x 3: expected the same for all. Give a size to resize them to.`,
    );
  });

  it('refuses a folder that is not there, and options that make no sense', async () => {
    await expect(datasets.imageFolder(join(root, 'none'))).rejects.toMatchObject({
      code: 'data',
      message: `the folder ${join(root, 'none')} does not exist.`,
    });
    put(good);
    await expect(datasets.imageFolder(join(root, 'a/1.png'))).rejects.toThrow(/is not a folder/);
    for (const [options, message] of [
      [{ channels: 4 }, /^imageFolder: channels 4: expected 1 \(grey\) or 3 \(colour\)\.$/],
      [{ size: 0 }, /^imageFolder: size 0: expected a positive integer or \[height, width\]\.$/],
      [{ size: [2, 2.5] }, /size 2,2\.5/],
    ] as const) {
      const refused = datasets.imageFolder(root, options as ImageFolderOptions);
      await expect(refused).rejects.toMatchObject({ code: 'usage', message: expect.stringMatching(message) });
    }
  });
});
