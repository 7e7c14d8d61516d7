// `heddle data`: what it finds, checks, fetches and prints, with small sets and a server of our own, and as a process.

import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runData } from '../../src/cli/data.ts';
import type { FileSet } from '../../src/platform/files.ts';
import { content, honest, packed, packedSet, serve, smallSet } from '../data/file-set.ts';
import { fakeOutput, heddle, records, temporaryFolder } from './support.ts';

let root: string;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  root = temporaryFolder();
  vi.stubEnv('XDG_CACHE_HOME', root);
  vi.stubEnv('SMALL_DIR', undefined);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closing.splice(0)) await close();
});

function folder(name: string, files: Record<string, Uint8Array>): string {
  const path = join(root, name);
  mkdirSync(path, { recursive: true });
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(path, file), bytes);
  return path;
}

/** Runs the command on `sets`, `small` and `other` unless given. */
async function run(
  action: Parameters<typeof runData>[0],
  options: Parameters<typeof runData>[1] = {},
  sets: readonly FileSet[] = [smallSet(), { ...smallSet(), name: 'other' }],
) {
  const [stdout, stderr] = [fakeOutput(), fakeOutput()];
  const limits = { attempts: 1, stallMs: 1000, totalMs: 5000 };
  const code = await runData(action, options, { sets, stdout, stderr, limits });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

describe('status', () => {
  it('tells for each file where it is, in what form, and how large; or that it is missing', async () => {
    const where = folder('here', { images: content.images!, 'labels.gz': packed.labels! });
    const other = { ...smallSet(), name: 'other' };
    const { code, stdout, stderr } = await run('status', {}, [smallSet([where]), other]);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toBe(
      [
        `small  ${where}`,
        '  images  found  unpacked  195 KiB',
        '  labels  found  packed     1023 B',
        'other',
        '  images  missing',
        '  labels  missing',
        '  `heddle data download --dataset other` fetches what is missing',
        '',
      ].join('\n'),
    );
  });

  it('names the folder of each file where they have several, and takes the one that was given', async () => {
    const [first, second] = [
      folder('a', { images: content.images! }),
      folder('b', { labels: content.labels! }),
    ];
    const { stdout } = await run('status', {}, [smallSet([first, second])]);
    expect(stdout).toContain(`small\n  images  found  unpacked  195 KiB  ${first}\n`);
    const given = await run('status', { dataset: 'small', data: second }, [smallSet([first])]);
    expect(given.stdout).toBe(`small  ${second}\n  images  missing\n  labels  found    unpacked  1000 B\n`);
    await expect(run('status', { data: second })).rejects.toMatchObject({ code: 'usage' });
    await expect(run('status', { dataset: 'small', data: join(root, 'no') })).rejects.toMatchObject({
      code: 'data',
    });
  });

  it('as JSON is a line a file', async () => {
    const where = folder('here', { 'labels.gz': packed.labels! });
    const { stdout } = await run('status', { json: true, dataset: 'small' }, [smallSet([where])]);
    const path = join(where, 'labels.gz');
    const both = { type: 'file', dataset: 'small' };
    expect(records(stdout)).toEqual([
      { ...both, file: 'images', state: 'missing' },
      { ...both, file: 'labels', state: 'found', path, packed: true, bytes: packed.labels!.length },
    ]);
  });
});

describe('verify', () => {
  it('says ok to the right bytes, also by their length where there is no more to know', async () => {
    const where = folder('here', { images: content.images!, 'labels.gz': packed.labels! });
    const { code, stdout } = await run('verify', {}, [
      smallSet([where]),
      { ...packedSet([where]), name: 'p' },
    ]);
    expect(code).toBe(0);
    expect(stdout.match(/(images|labels) +ok( by length)? +(un)?packed/g)).toEqual([
      'images  ok  unpacked',
      'labels  ok  packed',
      'images  ok by length  unpacked',
      'labels  ok            packed',
    ]);
  });

  it('names what is wrong and why, still checks the rest, and ends with 4', async () => {
    const where = folder('here', { 'images.gz': gzipSync(Buffer.alloc(200_000)), labels: content.labels! });
    const { code, stdout, stderr } = await run('verify', {}, [smallSet([where])]);
    expect(code).toBe(4);
    expect(stdout).toMatch(/^ {2}images {2}wrong {2}packed .*\n {2}labels {2}ok {5}unpacked/m);
    const path = join(where, 'images.gz');
    expect(stderr).toMatch(new RegExp(`^heddle data: ${path}: SHA-256 .*delete it and run again\\.\\n$`));
    const json = await run('verify', { json: true }, [smallSet([where])]);
    expect(records(json.stdout)).toMatchObject([
      { file: 'images', state: 'wrong', path, reason: expect.stringContaining('SHA-256') },
      { file: 'labels', state: 'ok' },
    ]);
  });

  it('minds a missing file only of a data set that was named', async () => {
    expect((await run('verify')).code).toBe(0);
    expect((await run('verify', { dataset: 'other' })).code).toBe(4);
  });
});

describe('download', () => {
  it('fetches what is missing into the cache, and nothing twice', async () => {
    const { url, seen, close } = await serve(honest);
    closing.push(close);
    folder('heddle/small', { 'labels.gz': packed.labels! });
    const sets = [{ ...smallSet(), mirrors: [url] }];
    const { code, stdout, stderr } = await run('download', {}, sets);
    expect(code).toBe(0);
    expect(stderr).toBe(`downloading images from ${new URL(url).host}\n`);
    const cache = join(root, 'heddle/small');
    expect(stdout).toMatch(new RegExp(`^small {2}${cache}\\n {2}images {2}found {2}packed`));
    expect(readdirSync(cache).sort()).toEqual(['images.gz', 'labels.gz']);
    expect(seen.map(({ path }) => path)).toEqual(['/images.gz']);
    expect((await run('download', {}, sets)).stderr).toBe('');
    expect(seen).toHaveLength(1);
  });

  it('fails where nothing can be fetched, or kept, or nothing is to be', async () => {
    const { url, close } = await serve(honest);
    closing.push(close);
    const sets = [{ ...smallSet(), mirrors: [url] }];
    const dead = [{ ...smallSet(), mirrors: ['http://127.0.0.1:9/'] }];
    await expect(run('download', {}, dead)).rejects.toMatchObject({
      code: 'data',
      message: expect.stringMatching(/^small: cannot download images\.gz/),
    });
    writeFileSync(join(root, 'heddle'), 'a file in the way');
    await expect(run('download', {}, sets)).rejects.toMatchObject({
      code: 'data',
      message: expect.stringContaining('labels is not kept for the next run'),
    });
    await expect(run('download', { data: root }, sets)).rejects.toMatchObject({ code: 'usage' });
    vi.stubEnv('SMALL_DIR', root);
    await expect(run('download', {}, sets)).rejects.toThrow(/\(SMALL_DIR\): unset SMALL_DIR to download/);
  });
});

describe('path', () => {
  it('is the folder of the files, or the one where they will be', async () => {
    const where = folder('here', { images: content.images!, labels: content.labels! });
    expect(await run('path', {}, [smallSet([where])])).toEqual({ code: 0, stdout: `${where}\n`, stderr: '' });
    const cache = join(root, 'heddle/small');
    expect(await run('path')).toEqual({
      code: 0,
      stdout: `${cache}\n`,
      stderr: 'small: 2 of 2 files are missing\n',
    });
    const json = await run('path', { json: true, dataset: 'small', data: where });
    expect(records(json.stdout)).toEqual([{ type: 'path', dataset: 'small', path: where }]);
  });
});

describe('heddle data as a process', () => {
  it('prints the three data sets within 80 columns, but for paths', async () => {
    const env = { XDG_CACHE_HOME: root };
    const { code, stdout, stderr } = await heddle(['data'], { cwd: root, env });
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout.match(/^\S+/gm)).toEqual(['fashion-mnist', 'mnist', 'kmnist']);
    for (const line of stdout.split('\n'))
      if (!line.includes('/')) expect(line.length).toBeLessThanOrEqual(80);
    const path = await heddle(['data', 'path', '--dataset', 'kmnist'], { cwd: root, env });
    expect(path).toMatchObject({ code: 0, stdout: `${join(root, 'heddle/kmnist')}\n` });
  });

  it('finds a file that is not what it should be, with exit code 4', async () => {
    const where = folder('mine', { 't10k-labels-idx1-ubyte': new Uint8Array(10_008) });
    const args = ['data', 'verify', '--dataset', 'mnist', '--data', where];
    const { code, stderr } = await heddle(args, { cwd: root });
    expect(code).toBe(4);
    expect(stderr).toMatch(/^heddle data: .*mine\/t10k-labels-idx1-ubyte: SHA-256 .*\n$/);
  });

  it.each<[string[], RegExp]>([
    [['fetch'], /^heddle data: found 'fetch', expected one of status, verify, download, path\n$/],
    [
      ['--dataset', 'synthetic'],
      /^heddle data: --dataset: found 'synthetic', expected one of fashion-mnist,/,
    ],
    [['--data', ''], /^heddle data: --data: found '', expected a folder\n$/],
    [['path', 'more'], /^heddle data: too many arguments/],
    [['--wrong'], /^heddle data: unknown option '--wrong'/],
  ])('%j ends with 2 and one line', async (args, message) => {
    const { code, stdout, stderr } = await heddle(['data', ...args], { cwd: root });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(readdirSync(root)).toEqual([]);
  });
});
