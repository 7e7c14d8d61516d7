// The server for this machine's own browser, against everything that is not that: PROMISES.md 32.

import { createHash } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openerFor } from '../../src/cli/open-browser.ts';
import { type LocalServer, serve } from '../../src/cli/serve.ts';
import { dataRoutes } from '../../src/cli/serve-data.ts';
import { type EventStream, eventStream } from '../../src/cli/serve-events.ts';
import { pageRoutes } from '../../src/cli/serve-page.ts';
import { createWatched, type Watched } from '../../src/cli/watched.ts';
import type { FileSet } from '../../src/platform/files.ts';
import { temporaryFolder } from './support.ts';

const index = '<!doctype html><html lang="en"><head><title>Page</title></head><body>été</body></html>';
const script = 'console.log(1)';
const secret = 'not for pages';
const unpacked = Buffer.alloc(200_000, 'labels and images ');

let server: LocalServer;
let port: number;
let watched: Watched;
let events: EventStream;
const open: Socket[] = [];

beforeAll(async () => {
  const outside = temporaryFolder();
  writeFileSync(join(outside, 'secret.txt'), secret);
  const folder = join(temporaryFolder(), 'web');
  mkdirSync(join(folder, 'assets'), { recursive: true });
  writeFileSync(join(folder, 'index.html'), index);
  writeFileSync(join(folder, 'assets', 'index-BMwCi9XX.js'), script);
  writeFileSync(join(folder, 'assets', 'plain.css'), 'body{}');
  writeFileSync(join(folder, '.built-from'), secret);
  writeFileSync(join(folder, 'a b%2e.txt'), secret);
  symlinkSync(join(outside, 'secret.txt'), join(folder, 'secret.txt'));
  symlinkSync(outside, join(folder, 'outside'));

  const data = temporaryFolder();
  const entry = (name: string) => ({
    ...{ name, bytes: unpacked.length },
    sha256: createHash('sha256').update(unpacked).digest('hex'),
  });
  writeFileSync(join(data, 'packed.gz'), gzipSync(unpacked));
  writeFileSync(join(data, 'unpacked'), unpacked);
  writeFileSync(join(data, 'short'), unpacked.subarray(1));
  writeFileSync(join(data, 'page.gz'), index);
  writeFileSync(join(data, 'other.gz'), gzipSync(secret));
  mkdirSync(join(data, 'folder.gz'));
  const set = (name: string, variable: string): FileSet => ({
    ...{ name, variable, torchvisionFolder: 'raw', folders: [data], mirrors: [], advice: '' },
    files: ['packed', 'unpacked', 'short', 'page', 'folder', 'missing'].map(entry),
  });

  watched = createWatched();
  events = eventStream(watched);
  const routes = pageRoutes(true, folder).set('/events', events.handler);
  for (const [path, handler] of dataRoutes([set('first', 'NO_SUCH'), set('second', 'NO_SUCH_EITHER')]))
    routes.set(path, handler);
  server = await serve(routes, { port: 0, flag: '--port', connect: ['https://mirror.example'] });
  port = Number(new URL(server.url).port);
});

afterAll(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  events.close();
  await server.close();
});

/** What the server says to bytes as they are. */
function raw(bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('latin1').on('data', (more) => {
      text += more;
    });
    socket.on('close', () => resolve(text)).on('error', reject);
  });
}

/** A request with a target as it is. */
function ask(target: string, headers: Record<string, string> = {}, method = 'GET'): Promise<string> {
  const all = { Host: `127.0.0.1:${port}`, Connection: 'close', ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return raw(Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'));
}
const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d+) /.exec(answer)?.[1]);

describe('what there is', () => {
  test('the page is told to watch, and comes with all that keeps it to itself', async () => {
    const response = await fetch(server.url);
    expect(response.status).toBe(200);
    const page = index.replace('<head>', '<head><meta name="heddle-watch" content="events">');
    expect(await response.text()).toBe(page);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-length': String(Buffer.byteLength(page)),
      'cache-control': 'no-cache',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    });
    const csp = response.headers.get('content-security-policy') ?? '';
    const rules = new Map(csp.split('; ').map((rule) => [rule.split(' ')[0], rule.split(' ').slice(1)]));
    expect(rules.get('default-src')).toEqual(["'none'"]);
    expect(rules.get('script-src')).toEqual(["'self'"]);
    expect(rules.get('style-src')).toEqual(["'self'"]);
    expect(rules.get('worker-src')).toEqual(["'self'"]);
    expect(rules.get('connect-src')).toEqual(["'self'", 'https://mirror.example']);
    expect(rules.get('frame-ancestors')).toEqual(["'none'"]);
    expect(csp).not.toMatch(/unsafe|\*/);
    expect(response.headers.has('access-control-allow-origin')).toBe(false);
    expect(await (await fetch(`${server.url}index.html?lr=0.1`)).text()).toBe(page);
  });

  test('files with a hash in their name are kept for good, others are asked for again', async () => {
    const hashed = await fetch(`${server.url}assets/index-BMwCi9XX.js`);
    expect(await hashed.text()).toBe(script);
    expect(hashed.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(hashed.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
    const plain = await fetch(`${server.url}assets/plain.css`);
    expect(plain.headers.get('content-type')).toBe('text/css; charset=utf-8');
    expect(plain.headers.get('cache-control')).toBe('no-cache');
    const etag = plain.headers.get('etag') ?? '';
    expect(statusOf(await ask('/assets/plain.css', { 'If-None-Match': etag }))).toBe(304);
    expect(statusOf(await ask('/assets/plain.css', { 'If-None-Match': '"other"' }))).toBe(200);
  });

  test.each(['/', '/assets/plain.css', '/events', '/data/packed.gz'])(
    'HEAD of %s has the headers of GET and no content',
    async (path) => {
      const answer = await ask(path, {}, 'HEAD');
      expect(statusOf(answer)).toBe(200);
      expect(answer).toMatch(/\r\n\r\n$/);
      expect(answer.toLowerCase()).toContain('x-content-type-options: nosniff');
    },
  );

  test('the data sets’ files, packed, from where Node has them', async () => {
    for (const path of ['packed.gz', 'unpacked.gz', 'first/packed.gz', 'second/unpacked.gz']) {
      const response = await fetch(`${server.url}data/${path}`);
      expect(response.status, path).toBe(200);
      expect(gunzipSync(Buffer.from(await response.arrayBuffer())).equals(unpacked), path).toBe(true);
    }
  });

  test.each(['short', 'page', 'folder', 'missing', 'other', 'packed.gz/', '../packed', 'third/packed'])(
    'data/%s.gz is wrong, missing or not of a set: 404',
    async (name) => {
      expect(statusOf(await ask(`/data/${name}.gz`))).toBe(404);
    },
  );
});

describe('what there is not', () => {
  const above = '../'.repeat(12);
  test.each([
    '/../package.json',
    `/${above}etc/passwd`,
    `/assets/${above}etc/passwd`,
    '/%2e%2e%2fpackage.json',
    '/%2e%2e/package.json',
    '/..%2fpackage.json',
    '/%252e%252e%252fpackage.json',
    '/%c0%ae%c0%ae/package.json',
    '/..\\..\\package.json',
    '/assets\\index-BMwCi9XX.js',
    '/%5c..%5cpackage.json',
    '/index.html%00',
    '/index.html%00.js',
    '/index.html/',
    '//index.html',
    '/./index.html',
    '/assets/',
    '/assets',
    '/INDEX.HTML',
    '/%69ndex.html',
    '/index.html;x',
    '/secret.txt',
    '/outside/secret.txt',
    '/outside',
    '/.built-from',
    '/a%20b%252e.txt',
    '/__proto__',
    '/constructor',
    'http://127.0.0.1/index.html',
    'http://evil.example/',
    'file:///etc/passwd',
    '*',
    `/${'a'.repeat(6000)}`,
    `/?${'a'.repeat(6000)}`,
  ])('%s: 404', async (target) => {
    const answer = await ask(target);
    expect(statusOf(answer)).toBe(404);
    expect(answer).not.toContain(secret);
    expect(answer.toLowerCase()).toContain('x-content-type-options: nosniff');
  });

  test.each([
    ['a NUL in the target', 'GET /\0 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n', 400],
    ['a newline in a header', 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nA: b\n\x01: c\r\n\r\n', 400],
    ['a target without a slash', 'GET index.html HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n', 400],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
    ['what is no HTTP', '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', 400],
    ['headers without end', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`, 431],
  ])('%s: refused', async (_, bytes, status) => {
    expect(statusOf(await raw(Buffer.from(bytes, 'latin1')))).toBe(status);
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'])('%s: 405', async (method) => {
    const answer = await ask('/', {}, method);
    expect(statusOf(answer)).toBe(405);
    expect(answer.toLowerCase()).toContain('\r\nallow: get, head\r\n');
  });
});

describe('who asks', () => {
  const names = () => [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`];

  test('names of this machine, and pages from here', async () => {
    for (const name of names()) expect(statusOf(await ask('/', { Host: name })), name).toBe(200);
    const own = { Host: `localhost:${port}`, Origin: `http://localhost:${port}` };
    expect(statusOf(await ask('/assets/plain.css', own))).toBe(200);
  });

  test('other names, which may have been made to mean this machine: 403', async () => {
    const others = ['evil.example', `evil.example:${port}`, '127.0.0.1', `127.0.0.1:${port + 1}`, ''];
    const more = [
      `127.0.0.1:${port}.evil.example`,
      `localhost.:${port}`,
      `0.0.0.0:${port}`,
      `x@localhost:${port}`,
    ];
    for (const name of [...others, ...more]) {
      const answer = await ask('/', { Host: name });
      expect(statusOf(answer), name).toBe(403);
      expect(answer).not.toContain('Page');
    }
    const twice = `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nHost: evil.example\r\nConnection: close\r\n\r\n`;
    expect([400, 403]).toContain(statusOf(await raw(twice)));
    expect(statusOf(await raw('GET / HTTP/1.0\r\n\r\n'))).toBe(403);
  });

  test('pages of other origins: 403, even where they could not read the answer', async () => {
    for (const origin of [
      'https://evil.example',
      `http://127.0.0.1:${port + 1}`,
      'null',
      `https://127.0.0.1:${port}`,
    ])
      for (const path of ['/', '/events', '/data/packed.gz'])
        expect(statusOf(await ask(path, { Origin: origin })), `${origin} ${path}`).toBe(403);
    const site = { 'Sec-Fetch-Site': 'cross-site' };
    expect(statusOf(await ask('/events', { ...site, 'Sec-Fetch-Mode': 'no-cors' }))).toBe(403);
    expect(
      statusOf(await ask('/', { ...site, 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'iframe' })),
    ).toBe(403);
    const link = { ...site, 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' };
    expect(statusOf(await ask('/', link))).toBe(200);
    expect(statusOf(await ask('/events', link))).toBe(403);
  });

  test('nobody from another machine', () => {
    expect(new URL(server.url).hostname).toBe('127.0.0.1');
    return new Promise<void>((resolve) => {
      // Another address of this machine's own loopback, on which a server on all addresses would answer.
      const socket = connect(port, '127.0.0.2');
      socket.on('error', () => resolve());
      socket.on('connect', () => expect.unreachable('it listens on more than 127.0.0.1'));
    });
  });
});

/** A page that listens; `read: false` does not. */
function listen(read = true, headers = ''): { socket: Socket; text: () => string } {
  let text = '';
  const socket = connect(port, '127.0.0.1');
  open.push(socket);
  socket.on('error', () => undefined);
  socket.write(`GET /events HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${headers}\r\n`);
  if (read) socket.setEncoding('utf8').on('data', (more: string) => (text += more));
  else socket.pause();
  return { socket, text: () => text };
}

describe('events', () => {
  test('come as they are told, and a page that comes again is told the rest', async () => {
    const first = listen();
    await vi.waitFor(() => expect(first.text()).toContain('"status":"loading"'));
    expect(first.text()).toMatch(/content-type: text\/event-stream\r\n/i);
    watched.notice('a line\nand another');
    await vi.waitFor(() =>
      expect(first.text()).toContain('data: {"type":"notice","text":"a line\\nand another"}\n\n'),
    );
    const id = [...first.text().matchAll(/^id: (.*)$/gm)].at(-1)?.[1];
    expect(id).toBe(watched.position);
    first.socket.destroy();
    await vi.waitFor(() => expect(events.clients).toBe(0));
    const again = listen(true, `Last-Event-ID: ${id}\r\n`);
    await vi.waitFor(() => expect(again.text()).toContain('"type":"status"'));
    expect(again.text()).not.toContain('notice');
    again.socket.destroy();
    await vi.waitFor(() => expect(events.clients).toBe(0));
  });

  test('a page that does not read is let go; one that does hears everything', async () => {
    const slow = listen(false);
    const quick = listen();
    let [heard, tail] = [0, ''];
    quick.socket.removeAllListeners('data').on('data', (more: string) => {
      heard += more.length;
      tail = `${tail}${more}`.slice(-100);
    });
    await vi.waitFor(() => expect(events.clients).toBe(2));
    const megabyte = 'x'.repeat(1 << 20);
    const megabytes = 40;
    const before = process.memoryUsage().rss;
    for (let i = 0; i < megabytes; i++) {
      watched.notice(`${megabyte}${i};`);
      await vi.waitFor(() => expect(tail).toContain(`x${i};"}`), {
        interval: 2,
        timeout: 10_000,
      });
    }
    await vi.waitFor(() => expect(events.clients).toBe(1));
    expect(process.memoryUsage().rss - before).toBeLessThan(1 << 29);
    expect(heard).toBeGreaterThan(megabytes << 20);
    slow.socket.destroy();
    quick.socket.destroy();
    await vi.waitFor(() => expect(events.clients).toBe(0));
  });

  test('no more than 16 pages listen, and a place that is left is free', async () => {
    const pages = Array.from({ length: 16 }, () => listen());
    await vi.waitFor(() => expect(events.clients).toBe(16));
    expect(statusOf(await ask('/events'))).toBe(503);
    expect(statusOf(await ask('/'))).toBe(200);
    pages[3]?.socket.destroy();
    await vi.waitFor(() => expect(events.clients).toBe(15));
    const late = listen();
    await vi.waitFor(() => expect(late.text()).toContain('"type":"status"'));
    for (const { socket } of [...pages, late]) socket.destroy();
    await vi.waitFor(() => expect(events.clients).toBe(0));
  });
});

describe('starting and ending', () => {
  test('a port that is taken is an error where it was asked for, in one line', async () => {
    await expect(serve(new Map(), { port, flag: '--ui-port' })).rejects.toThrow(
      `--ui-port: port ${port} of 127.0.0.1 is taken; name another, or 0 for a free one`,
    );
  });

  test('the usual port gives way to a free one', async () => {
    const one = await serve(new Map(), { flag: '--port' });
    const other = await serve(new Map(), { flag: '--port' });
    expect(other.url).not.toBe(one.url);
    await Promise.all([one.close(), other.close()]);
    await one.close();
  });

  test('a page that was not built is an error that says how', () => {
    const empty = temporaryFolder();
    expect(() => pageRoutes(false, empty)).toThrow(
      /^the page is not built \(.* it has no index\.html\): run `npm run build`$/,
    );
    expect(() => pageRoutes(false, join(empty, 'nowhere'))).toThrow(/ENOENT.*: run `npm run build`$/);
  });

  test('an address is opened without a shell', () => {
    const url = 'http://127.0.0.1:8417/';
    expect(openerFor('linux', url)).toEqual(['xdg-open', [url]]);
    expect(openerFor('darwin', url)).toEqual(['open', [url]]);
    expect(openerFor('win32', url)[1]).toContain(url);
  });
});
