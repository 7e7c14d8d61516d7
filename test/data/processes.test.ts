// File access by several processes: at once, one after the other was killed, without the right to write, in little memory.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, deflateRawSync, gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FASHION_MNIST_FILES } from '../../src/data/fashion-mnist.ts';
import type { FileSet } from '../../src/platform/files.ts';
import { gunzip } from '../../src/platform/node-gunzip.ts';
import { partsIn } from '../../src/platform/node-parts.ts';
import { nodeArguments } from '../cli/support.ts';
import { content, honest, packed, serve, smallSet } from './file-set.ts';

let root: string;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'heddle-processes-'));
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  rmSync(root, { recursive: true, force: true });
});

type Answer = Parameters<typeof serve>[0];
async function server(answer: Answer) {
  const started = await serve(answer);
  closing.push(started.close);
  return started;
}

const limits = { attempts: 2, backoffMs: 5, stallMs: 20_000, totalMs: 60_000 };
const cache = () => join(root, 'heddle/small');
const cached = () => (existsSync(cache()) ? readdirSync(cache()).sort() : []);

interface Report {
  readonly from?: readonly string[];
  readonly code?: string;
  readonly message?: string;
  readonly notices: readonly string[];
  readonly peakBytes: number;
}

/** Loads files in a process of its own. */
function loading(
  set: FileSet,
  names: readonly string[],
  options: { mirrors?: readonly string[]; data?: string },
  {
    before = [],
    onReceived,
  }: { before?: string[]; onReceived?: (n: number, child: ChildProcess) => void } = {},
): Promise<Report | undefined> {
  const job = join(root, 'job.json');
  writeFileSync(job, JSON.stringify({ set, names, options: { limits, ...options } }));
  const script = fileURLToPath(new URL('load-small.ts', import.meta.url));
  const [command, ...args] = [...before, process.execPath, ...nodeArguments, script, job];
  const child = spawn(command as string, args, {
    env: { ...process.env, XDG_CACHE_HOME: root },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  child.on('message', (received) => onReceived?.(received as number, child));
  let stdout = '';
  child.stdout!.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve(stdout === '' ? undefined : JSON.parse(stdout)));
  });
}

describe('a download', () => {
  it('can be done by two processes at once', async () => {
    const { url, seen } = await server((request, response) => {
      // Nobody is answered before both have asked.
      const both = () => (seen.length >= 2 ? honest(request, response) : setTimeout(both, 10));
      both();
    });
    const reports = await Promise.all([1, 2].map(() => loading(smallSet(), ['images'], { mirrors: [url] })));
    for (const report of reports) expect(report).toMatchObject({ from: [`${url}images.gz`], notices: [] });
    expect(cached()).toEqual(['images.gz']);
    expect(readFileSync(join(cache(), 'images.gz')).equals(packed.images!)).toBe(true);
  });

  it('that was killed is resumed by the next process, where it was', async () => {
    const { url, seen } = await server((request, response, nth) => {
      if (nth > 1) return honest(request, response);
      response.writeHead(200, { 'content-length': packed.images!.length });
      response.write(packed.images!.subarray(0, 120_000)); // and then nothing
    });
    const killed = await loading(
      smallSet(),
      ['images'],
      { mirrors: [url] },
      { onReceived: (received, child) => received === 120_000 && child.kill('SIGKILL') },
    );
    expect(killed).toBeUndefined();
    expect(cached()).toEqual([expect.stringMatching(/^images\.[0-9a-f]{12}\.\d+\.[0-9a-f]{8}\.part$/)]);
    const report = await loading(smallSet(), ['images'], { mirrors: [url] });
    expect(report).toMatchObject({ from: [`${url}images.gz`], notices: [] });
    expect(seen.map(({ range }) => range)).toEqual([undefined, 'bytes=120000-']);
    expect(cached()).toEqual(['images.gz']);
    expect(readFileSync(join(cache(), 'images.gz')).equals(packed.images!)).toBe(true);
  });

  it('gives the data where the cache is read-only, says so, and leaves nothing', async () => {
    const { url } = await server(honest);
    mkdirSync(cache(), { recursive: true });
    chmodSync(cache(), 0o555);
    chmodSync(root, 0o755);
    // Root may write anywhere.
    const before = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--clear-groups'] : [];
    const report = await loading(smallSet(), ['images', 'labels'], { mirrors: [url] }, { before });
    expect(report).toMatchObject({
      from: [`${url}images.gz`, `${url}labels.gz`],
      notices: [
        expect.stringMatching(/^images is not kept for the next run: EACCES: permission denied/),
        expect.stringMatching(/^labels is not kept for the next run: EACCES/),
      ],
    });
    expect(cached()).toEqual([]);
  });
});

describe('what another process left of a download', () => {
  const key = 'https://a.example/images.gz';
  const open = (url = key) => partsIn(cache(), 'images', 1000).open(url);
  /** Writes a part as a process of that number would have. */
  function left(pid: number | undefined, begun: string): string {
    const hash = createHash('sha256').update(key).digest('hex').slice(0, 12);
    const path = join(cache(), `images.${hash}.${pid}.0123abcd.part`);
    mkdirSync(cache(), { recursive: true });
    writeFileSync(path, begun);
    return path;
  }
  const dead = () => spawnSync(process.execPath, ['-e', '']).pid;
  const text = ({ left: bytes }: { left: Uint8Array }) => Buffer.from(bytes).toString();

  it('is taken over when that is gone, by one process alone, and goes on growing', async () => {
    left(dead(), 'abc');
    const parts = await Promise.all([open(), open()]);
    expect(parts.map(text).sort()).toEqual(['', 'abc']);
    const taken = parts.find((part) => text(part) === 'abc')!;
    await taken.append(new Uint8Array(Buffer.from('def')));
    expect(text(await open())).toBe(''); // it is ours as long as it is open
    await taken.close();
    expect(text(await open())).toBe('abcdef');
  });

  it('is left alone while that lives, unless it has slept for hours', async () => {
    const path = left(process.ppid, 'abc');
    expect(text(await open())).toBe('');
    expect(readFileSync(path, 'utf8')).toBe('abc');
    const hoursAgo = Date.now() / 1000 - 7200;
    utimesSync(path, hoursAgo, hoursAgo);
    expect(text(await open())).toBe('abc');
  });

  it('is of no use at another address, or when it is too long', async () => {
    const gone = dead();
    const path = left(gone, 'abc');
    expect(text(await open('https://b.example/images.gz'))).toBe('');
    expect(readFileSync(path, 'utf8')).toBe('abc');
    left(gone, 'x'.repeat(1001));
    expect(text(await open())).toBe('');
    expect(cached()).toEqual([]);
  });

  it('costs a second attempt when it is wrong, and is gone after a success', async () => {
    vi.stubEnv('XDG_CACHE_HOME', root);
    const { url, seen } = await server(honest);
    const other = await server((_, response) => response.writeHead(404).end());
    for (const mirror of [url, other.url]) {
      const part = await partsIn(cache(), 'images', 1000).open(`${mirror}images.gz`);
      await part.append(new Uint8Array(900));
      await part.close();
    }
    const { loadFiles } = await import('../../src/platform/node-files.ts');
    const [file] = await loadFiles(smallSet(), ['images'], { mirrors: [other.url, url], limits });
    vi.unstubAllEnvs();
    expect(content.images!.equals(file!.bytes)).toBe(true);
    expect(other.seen.map(({ range }) => range)).toEqual(['bytes=900-']);
    expect(seen.map(({ range }) => range)).toEqual(['bytes=900-', undefined]);
    expect(cached()).toEqual(['images.gz']);
  });
});

/** gzip of 10 GiB of zeros in some 10 MB: 16 MiB deflated to end on a byte, 640 times. */
function bomb(): Buffer {
  const zeros = Buffer.alloc(2 ** 24);
  const piece = deflateRawSync(zeros, { level: 9, finishFlush: constants.Z_FULL_FLUSH });
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE((640 * zeros.length) % 2 ** 32, 4);
  const pieces = Array.from({ length: 640 }, () => piece);
  return Buffer.concat([gzipSync('').subarray(0, 10), ...pieces, deflateRawSync(''), trailer]);
}

describe('a bomb of 10 GB', () => {
  it('is refused by name in less than 200 MB', async () => {
    const path = join(root, 'train-images-idx3-ubyte.gz');
    writeFileSync(path, bomb());
    const names = ['train-images-idx3-ubyte'];
    const report = await loading(FASHION_MNIST_FILES, names, { data: root });
    expect(report).toMatchObject({ code: 'data' });
    expect(report?.message).toBe(
      `${path}: unpacks to more than the expected 47040016 bytes. This is not the train-images-idx3-ubyte it should be: delete it and run again.`,
    );
    process.stdout.write(`peak of the bomb's process: ${Math.round(report!.peakBytes / 1e6)} of 200 MB\n`);
    expect(report?.peakBytes).toBeGreaterThan(20e6);
    expect(report?.peakBytes).toBeLessThan(200e6);
  });

  it('takes no memory either where nobody knows how long the file should be', async () => {
    const file = new Uint8Array(bomb());
    const before = process.memoryUsage().rss;
    // What its trailer says: 10 GiB modulo 2³².
    await expect(gunzip('own.gz', file, 2 ** 31)).rejects.toThrow(
      /^own\.gz: unpacks to more than the expected 2147483648 bytes$/,
    );
    await expect(gunzip('own.gz', file.subarray(0, 100_000), 2 ** 31)).rejects.toThrow(
      /^own\.gz: truncated gzip file \(100000 bytes\)$/,
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(100e6);
  });

  it('has no share in what an honest long file takes', async () => {
    const long = new Uint8Array(2 ** 26 + 1);
    const file = new Uint8Array(gzipSync(long, { level: 1 }));
    expect((await gunzip('own.gz', file, long.length)).length).toBe(long.length);
  });
});
