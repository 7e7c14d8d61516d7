// A small set of two files, and a local server that can misbehave, for the tests of file access.

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { FileSet } from '../../src/platform/files.ts';
import { createGenerator } from '../../src/random/generator.ts';

function noise(seed: number, length: number): Buffer {
  const generator = createGenerator(seed);
  return Buffer.from(Uint8Array.from({ length }, () => generator.random32()));
}

/** The right bytes of the set's files; they hardly compress, so that transfers have a middle. */
export const content: Readonly<Record<string, Buffer>> = {
  images: noise(1, 200_000),
  labels: noise(2, 1_000),
};

/** The same, gzipped. */
export const packed: Readonly<Record<string, Buffer>> = {
  images: gzipSync(content.images!),
  labels: gzipSync(content.labels!),
};

/** A set of `images` and `labels` that is looked for in `folders` only, and never outside this machine. */
export function smallSet(folders: readonly string[] = []): FileSet {
  const files = Object.entries(content).map(([name, bytes]) => {
    return { name, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  });
  const advice = 'Do this instead';
  return {
    name: 'small',
    files,
    variable: 'SMALL_DIR',
    torchvisionFolder: 'Small/raw',
    folders,
    mirrors: [],
    advice,
  };
}

/** The same set, known by the sums of its packed files alone. */
export function packedSet(folders: readonly string[] = []): FileSet {
  const files = Object.entries(content).map(([name, bytes]) => {
    const packedSha256 = createHash('sha256').update(packed[name]!).digest('hex');
    return { name, bytes: bytes.length, packedSha256 };
  });
  return { ...smallSet(folders), files };
}

/** A request that a test server got. */
export interface Seen {
  readonly path: string;
  readonly range: string | undefined;
}

/** A server on the loopback interface; `answer` is asked for each request, `seen` tells them in order. */
export async function serve(
  answer: (request: IncomingMessage, response: ServerResponse, nth: number) => void,
) {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    seen.push({ path: request.url ?? '', range: request.headers.range });
    answer(request, response, seen.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${port}/`, seen, close };
}

/** Answers like an honest file server, Range included. */
export function honest(request: IncomingMessage, response: ServerResponse): void {
  const bytes = packed[request.url?.replace(/^\//, '').replace(/\.gz$/, '') ?? ''];
  if (!bytes) {
    response.writeHead(404).end();
    return;
  }
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  const headers: Record<string, string | number> = { 'content-length': bytes.length - start };
  if (start > 0) headers['content-range'] = `bytes ${start}-${bytes.length - 1}/${bytes.length}`;
  response.writeHead(start > 0 ? 206 : 200, headers).end(bytes.subarray(start));
}
