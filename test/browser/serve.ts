// A small web server for what a test holds in memory, on a port of its own on this machine.

import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';

/** A running server. */
export interface Server {
  /** E.g. `http://127.0.0.1:40001`. */
  readonly origin: string;
  close(): Promise<void>;
}

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.html': 'text/html',
  '.js': 'text/javascript',
};

/**
 * Serves `files` by their paths without a leading slash; `index.html` is also the root. What is none of them gets `other`, or
 * a 404.
 */
export async function serve(
  files: ReadonlyMap<string, string | Uint8Array>,
  other: (path: string, response: ServerResponse) => void = (_, response) => response.writeHead(404).end(),
): Promise<Server> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname.slice(1) || 'index.html';
    const content = files.get(path);
    if (content === undefined) {
      other(path, response);
      return;
    }
    response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' });
    response.end(content);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
