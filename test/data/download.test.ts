// Downloads, in Node's and the browser's variant, against servers on 127.0.0.1 that behave and that do not.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadFiles as loadInBrowser } from '../../src/platform/browser-files.ts';
import type { Bytes, DownloadProgress, FileStore } from '../../src/platform/files.ts';
import { loadFiles } from '../../src/platform/node-files.ts';
import { content, honest, packed, packedSet, serve, smallSet } from './file-set.ts';

let root: string;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'heddle-download-'));
  vi.stubEnv('XDG_CACHE_HOME', root);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closing.splice(0)) await close();
  rmSync(root, { recursive: true, force: true });
});

type Answer = (request: IncomingMessage, response: ServerResponse, nth: number) => void;
async function server(answer: Answer) {
  const started = await serve(answer);
  closing.push(started.close);
  return started;
}

const limits = { attempts: 3, backoffMs: 5, stallMs: 1500, totalMs: 20_000 };
const cached = () =>
  existsSync(join(root, 'heddle/small')) ? readdirSync(join(root, 'heddle/small')).sort() : [];
const load = (mirrors: string[], names = ['images'], more = {}) =>
  loadFiles(smallSet(), names, { mirrors, limits, ...more });
const isImages = (bytes: Uint8Array | undefined) => bytes !== undefined && content.images!.equals(bytes);
/** Sends `bytes` bytes of what was asked for, then breaks the connection. */
const breakAfter = (bytes: number, response: ServerResponse) => {
  response.writeHead(200, { 'content-length': packed.images!.length });
  response.write(packed.images!.subarray(0, bytes), () => setTimeout(() => response.destroy(), 20));
};

describe('a download in Node', () => {
  it('is verified, reported, kept, and not repeated', async () => {
    const { url, seen } = await server(honest);
    const events: DownloadProgress[] = [];
    const files = await load([url], ['images', 'labels'], {
      onProgress: (event: DownloadProgress) => events.push(event),
    });
    expect(files.map(({ from }) => from)).toEqual([`${url}images.gz`, `${url}labels.gz`]);
    for (const { name, bytes } of files) expect(content[name]!.equals(bytes)).toBe(true);
    expect(cached()).toEqual(['images.gz', 'labels.gz']);
    expect(readFileSync(join(root, 'heddle/small/images.gz')).equals(packed.images!)).toBe(true);
    const images = events.filter(({ file }) => file === 'images');
    expect(images[0]).toEqual({
      file: 'images',
      url: `${url}images.gz`,
      received: 0,
      total: packed.images!.length,
    });
    expect(images.at(-1)?.received).toBe(packed.images!.length);
    expect(seen).toHaveLength(2);
    const again = await load([url], ['images', 'labels']);
    expect(again[0]?.from).toBe(join(root, 'heddle/small/images.gz'));
    expect(seen).toHaveLength(2);
  });

  it('resumes by Range where the connection broke', async () => {
    const { url, seen } = await server((request, response, nth) =>
      nth === 1 ? breakAfter(100_000, response) : honest(request, response),
    );
    const [file] = await load([url]);
    expect(isImages(file?.bytes)).toBe(true);
    expect(seen).toHaveLength(2);
    expect(seen[1]?.range).toMatch(/^bytes=[1-9]\d*-$/);
  });

  it('starts again when the server ignores Range, answers 416, or sends another part', async () => {
    const full = (response: ServerResponse) => response.writeHead(200).end(packed.images);
    const odd: Answer[] = [
      (_, response) => full(response),
      (_, response, nth) => (nth === 2 ? response.writeHead(416).end() : full(response)),
      (_, response, nth) =>
        nth === 2 ? response.writeHead(206, { 'content-range': 'bytes 7-9/10' }).end('abc') : full(response),
    ];
    for (const answer of odd) {
      const { url } = await server((request, response, nth) =>
        nth === 1 ? breakAfter(100_000, response) : answer(request, response, nth),
      );
      expect(isImages((await load([url]))[0]?.bytes)).toBe(true);
      rmSync(join(root, 'heddle'), { recursive: true });
    }
  });

  it('repeats after a 500, with pauses', async () => {
    const { url, seen } = await server((request, response, nth) =>
      nth < 3 ? response.writeHead(500).end('oops') : honest(request, response),
    );
    const started = Date.now();
    expect(
      isImages((await load([url], ['images'], { limits: { ...limits, backoffMs: 40 } }))[0]?.bytes),
    ).toBe(true);
    expect(seen).toHaveLength(3);
    expect(Date.now() - started).toBeGreaterThanOrEqual(115);
  });

  it.each<[string, Answer, number]>([
    ['404', (_, response) => response.writeHead(404).end(), 1],
    ['500 each time', (_, response) => response.writeHead(500).end(), 3],
    [
      'a redirect loop',
      (request, response) => response.writeHead(302, { location: request.url ?? '' }).end(),
      21,
    ],
    ['silence', () => undefined, 1],
    ['an HTML page', (_, response) => response.end('<html>sign in to the Wi-Fi</html>'), 1],
    ['wrong bytes', (_, response) => response.end(gzipSync(Buffer.alloc(200_000))), 1],
    ['truncated gzip', (_, response) => response.end(packed.images!.subarray(0, 5000)), 1],
    [
      'endless data',
      (_, response) => {
        const more = () =>
          void (response.destroyed || response.write(Buffer.alloc(100_000), () => setImmediate(more)));
        more();
      },
      1,
    ],
    [
      'a stall in the middle, each time',
      (_, response) => void response.write(packed.images!.subarray(0, 1000)),
      3,
    ],
    ['a closed door', (request) => void request.socket.destroy(), 3],
  ])('goes to the next mirror after %s', async (_, answer, requests) => {
    const bad = await server(answer);
    const good = await server(honest);
    const [file] = await load([bad.url, good.url]);
    expect(file?.from).toBe(`${good.url}images.gz`);
    expect(isImages(file?.bytes)).toBe(true);
    expect(bad.seen).toHaveLength(requests);
    expect(cached()).toEqual(['images.gz']);
  });

  it('asks the mirror that worked first from then on', async () => {
    const bad = await server((_, response) => response.writeHead(404).end());
    const good = await server(honest);
    await load([bad.url, good.url], ['images', 'labels']);
    expect([bad.seen.length, good.seen.length]).toEqual([1, 2]);
  });

  it('fails with every mirror’s reason and what to do, and leaves nothing behind', async () => {
    const gone = await server((_, response) => response.writeHead(404).end());
    const wrong = await server((_, response) => response.end(gzipSync(Buffer.alloc(200_000))));
    const refused = load([gone.url, wrong.url, 'http://127.0.0.1:9/']);
    await expect(refused).rejects.toMatchObject({ code: 'data' });
    const message = await refused.then(String, (error: Error) => error.message);
    expect(message).toMatch(/^small: cannot download images\.gz \(.*\. Do this instead$/);
    expect(message).toContain(`${gone.url}images.gz: HTTP 404; ${wrong.url}images.gz: SHA-256`);
    expect(message).not.toContain('\n');
    expect(cached()).toEqual([]);
    await expect(load([])).rejects.toThrow(/no mirror to ask/);
  });

  it('ends when it is told to, also between two attempts; the next one goes on where it stood', async () => {
    const { url, seen } = await server((request, response, nth) => {
      if (nth > 1) return honest(request, response);
      response.writeHead(200, { 'content-length': packed.images!.length });
      response.write(packed.images!.subarray(0, 100_000)); // and no more
    });
    const [why, control] = [new Error('enough'), new AbortController()];
    const onProgress = ({ received }: DownloadProgress) => {
      if (received > 0) control.abort(why);
    };
    await expect(load([url], ['images'], { onProgress, signal: control.signal })).rejects.toBe(why);
    await expect(load([url], ['images'], { signal: control.signal })).rejects.toBe(why);
    expect(seen).toHaveLength(1);
    expect(isImages((await load([url]))[0]?.bytes)).toBe(true);
    expect(seen[1]?.range).toMatch(/^bytes=[1-9]\d*-$/);

    const later = new AbortController();
    const ill = await server((_, response) => {
      response.writeHead(500).end();
      setTimeout(() => later.abort(why), 50);
    });
    const patient = { limits: { ...limits, backoffMs: 1e6, totalMs: 1e9 }, signal: later.signal };
    await expect(load([ill.url], ['labels'], patient)).rejects.toBe(why);
  });

  it('ends in bounded time', async () => {
    const slow = await server((_, response) => {
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    });
    const started = Date.now();
    const refused = load([slow.url, slow.url], ['images'], { limits: { ...limits, totalMs: 300 } });
    await expect(refused).rejects.toThrow(/gave up after 0\.3 s/);
    expect(Date.now() - started).toBeLessThan(2000);
  });

  it('still gives the data when the cache cannot be written, and says so', async () => {
    const { url } = await server(honest);
    writeFileSync(join(root, 'heddle'), 'a file where the folder should be');
    const notices: string[] = [];
    const [file] = await load([url], ['images'], { onNotice: (line: string) => notices.push(line) });
    expect(isImages(file?.bytes)).toBe(true);
    expect(notices).toEqual([expect.stringMatching(/^images is not kept for the next run: /)]);
  });

  it('can be done by several at once', async () => {
    const { url } = await server(honest);
    const all = await Promise.all(Array.from({ length: 4 }, () => load([url], ['images', 'labels'])));
    for (const [file] of all) expect(isImages(file?.bytes)).toBe(true);
    expect(cached()).toEqual(['images.gz', 'labels.gz']);
  });

  it('that was tampered with in the cache is refused by name', async () => {
    const { url } = await server(honest);
    await load([url]);
    const path = join(root, 'heddle/small/images.gz');
    writeFileSync(path, gzipSync(Buffer.alloc(200_000)));
    await expect(load([url])).rejects.toThrow(new RegExp(`^${path}: SHA-256 .*delete it and run again\\.$`));
  });
});

describe('a download of a set that is known by its packed files', () => {
  it('must be packed, and as they are', async () => {
    const unpacked = await server((_, response) => response.end(content.images));
    const repacked = await server((_, response) => response.end(gzipSync(content.images!, { level: 1 })));
    const good = await server(honest);
    for (const loading of [loadFiles, loadInBrowser]) {
      const refused = loading(packedSet(), ['images'], {
        ...{ baseUrl: 'nowhere/', mirrors: [unpacked.url, repacked.url], limits },
      });
      await expect(refused).rejects.toThrow(/images\.gz: not gzip: 200000 bytes .*images\.gz: SHA-256 is/);
      const [file] = await loading(packedSet(), ['images'], {
        ...{ baseUrl: 'nowhere/', mirrors: [unpacked.url, good.url], limits },
      });
      expect(isImages(file?.bytes)).toBe(true);
      expect(file?.from).toBe(`${good.url}images.gz`);
    }
    expect((await loadFiles(packedSet(), ['images'], { mirrors: [] }))[0]?.from).toContain(root);
  });
});

describe('a download in a browser', () => {
  it('asks the page’s own server first, then the mirrors', async () => {
    const own = await server((_, response) => response.writeHead(404).end());
    const mirror = await server(honest);
    const options = { baseUrl: `${own.url}data`, mirrors: [mirror.url], limits };
    const files = await loadInBrowser(smallSet(), ['images', 'labels'], options);
    expect(isImages(files[0]?.bytes)).toBe(true);
    expect(own.seen.map(({ path }) => path)).toEqual(['/data/images.gz']);
    const local = await server(honest);
    const [file] = await loadInBrowser(smallSet(), ['images'], { ...options, baseUrl: local.url });
    expect(file?.from).toBe(`${local.url}images.gz`);
  });

  it('asks nobody else when told where the data are, or not to download', async () => {
    const own = await server((_, response) => response.end('<!DOCTYPE html>'));
    const mirror = await server(honest);
    const options = { mirrors: [mirror.url], limits };
    for (const where of [{ data: own.url }, { baseUrl: own.url, download: false }]) {
      const refused = loadInBrowser(smallSet(), ['images'], { ...options, ...where });
      await expect(refused).rejects.toThrow(/starting with "<!DOCTYPE html>".*Give the page/);
    }
    expect(mirror.seen).toEqual([]);
  });

  it('ends when it is told to', async () => {
    const { url } = await server((_, response) => response.writeHead(200).write('a beginning'));
    const [why, control] = [new Error('enough'), new AbortController()];
    const onProgress = () => control.abort(why);
    const refused = loadInBrowser(smallSet(), ['images'], {
      data: url,
      limits,
      onProgress,
      signal: control.signal,
    });
    await expect(refused).rejects.toBe(why);
  });

  it.each<[string, Buffer]>([
    ['truncated', packed.images!.subarray(0, -20)],
    ['too long', gzipSync(Buffer.alloc(300_000))],
    ['wrong', gzipSync(Buffer.alloc(200_000))],
  ])('refuses %s data', async (_, bytes) => {
    const { url } = await server((__, response) => response.end(bytes));
    const refused = loadInBrowser(smallSet(), ['images'], { data: url, limits });
    await expect(refused).rejects.toMatchObject({ code: 'data' });
  });

  it('takes data that the server’s encoding has unpacked', async () => {
    const { url } = await server((_, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(packed.images);
    });
    const [file] = await loadInBrowser(smallSet(), ['images'], { data: url, limits });
    expect(isImages(file?.bytes)).toBe(true);
  });

  describe('with a store', () => {
    const storeOf = (files: Map<string, Bytes>, fails = false): FileStore => {
      const act = async <T>(result: T): Promise<T> => {
        if (fails) throw new Error('no room');
        return result;
      };
      return {
        read: (set, name) => act(files.get(`${set}/${name}`)),
        write: (set, name, bytes) => act(void files.set(`${set}/${name}`, bytes)),
        remove: (set, name) => act(void files.delete(`${set}/${name}`)),
      };
    };

    it('keeps what it downloads, and needs nobody the next time; what was damaged is fetched again', async () => {
      const own = await server(honest);
      const files = new Map<string, Bytes>();
      const notices: string[] = [];
      const onNotice = (line: string) => notices.push(line);
      const options = { baseUrl: own.url, store: storeOf(files), limits, onNotice };
      for (const set of [smallSet(), packedSet()]) {
        files.clear();
        own.seen.length = 0;
        await loadInBrowser(set, ['images', 'labels'], options);
        const [again] = await loadInBrowser(set, ['images', 'labels'], options);
        expect(own.seen).toHaveLength(2);
        expect(isImages(again?.bytes)).toBe(true);
        expect(again?.from).toContain('storage');
        files.set('small/images', new Uint8Array(10));
        await loadInBrowser(set, ['images', 'labels'], options);
        expect(own.seen).toHaveLength(3);
        expect(files.get('small/images')?.length).toBe(packed.images?.length);
      }
      expect(notices).toEqual([expect.stringContaining('damaged'), expect.stringContaining('damaged')]);
    });

    it('does without one that fails, and says so', async () => {
      const own = await server(honest);
      const notices: string[] = [];
      const [file] = await loadInBrowser(smallSet(), ['images'], {
        ...{ baseUrl: own.url, store: storeOf(new Map(), true), limits },
        onNotice: (line) => notices.push(line),
      });
      expect(isImages(file?.bytes)).toBe(true);
      expect(notices).toEqual(['small is not kept for the next visit: no room']);
    });
  });

  it('passes plain http by', async () => {
    vi.stubGlobal('location', { href: 'https://page.test/app/', origin: 'https://page.test' });
    const asked = vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('Failed to fetch'));
    mkdirSync(root, { recursive: true });
    const set = { ...smallSet(), mirrors: ['https://mirror.invalid/', 'http://plain.invalid/'] };
    await expect(loadInBrowser(set, ['images'], { limits })).rejects.toThrow(/Failed to fetch/);
    expect(asked.mock.calls.map(([url]) => url)).toEqual([
      'https://page.test/app/data/images.gz',
      'https://page.test/data/images.gz',
      'https://mirror.invalid/images.gz',
    ]);
    vi.unstubAllGlobals();
    asked.mockRestore();
  });

  it('looks where bundlers put a worker’s data, and at the server’s root alone where it is the page’s', async () => {
    const asked = vi.spyOn(globalThis, 'fetch').mockRejectedValue(new TypeError('Failed to fetch'));
    const placesAt = async (href: string) => {
      vi.stubGlobal('location', { href, origin: 'https://page.test' });
      asked.mockClear();
      const refused = loadInBrowser({ ...smallSet(), mirrors: [] }, ['images'], { limits });
      await expect(refused).rejects.toThrow(/Failed to fetch/);
      return asked.mock.calls.map(([url]) => url);
    };
    expect(await placesAt('https://page.test/assets/worker-1.js')).toEqual([
      'https://page.test/assets/data/images.gz',
      'https://page.test/data/images.gz',
    ]);
    expect(await placesAt('https://page.test/')).toEqual(['https://page.test/data/images.gz']);
    expect(await placesAt('blob:https://page.test/1234')).toEqual(['https://page.test/data/images.gz']);
    vi.unstubAllGlobals();
    asked.mockRestore();
  });
});
