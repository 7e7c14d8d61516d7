// A web server for this machine's own browser: loopback only, GET and HEAD, a fixed list of paths that is compared as it
// comes, and nothing for pages from elsewhere. Knows nothing of what it serves.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { HeddleError, messageOf } from '../errors.ts';
import { codeOf } from '../platform/node-read.ts';

/** Answers a GET or HEAD of one path. The headers that all answers have are set. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** What there is to be had, by paths such as `/assets/index.js`. */
export type Routes = ReadonlyMap<string, Handler>;

/** A running server. */
export interface LocalServer {
  /** E.g. `http://127.0.0.1:8417/`. */
  readonly url: string;
  /** Ends it; answers under way get a moment to end. Harmless when done before. */
  close(): Promise<void>;
}

/** Options of `serve`. */
export interface ServeOptions {
  /** Undefined: the usual port, or where that is taken a free one. 0: a free one. */
  readonly port?: number | undefined;
  /** What the user names a port by, for messages. */
  readonly flag: string;
  /** See `policy`. */
  readonly connect?: readonly string[];
}

/** The same each time, so that a browser knows the page again: what it keeps goes by address and port. */
const usualPort = 8417;
const host = '127.0.0.1';
/** No honest address of ours is longer; what exceeds all header limits is refused by Node, with 431. */
const maxUrl = 4096;
/** A page's files, its event stream, and some more of them. */
const maxConnections = 64;
/** How long answers under way may take to end when the server closes, in ms. */
const grace = 300;

/** The Content-Security-Policy: nothing but what comes from here, and `connect`, which may be read from. */
export function policy(connect: readonly string[] = []): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob: data:",
    ["connect-src 'self'", ...connect].join(' '),
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

/** Answers with a line of text. */
export function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' });
  response.end(`${text}\n`);
}

/**
 * Whether a request is of a page of ours, or of a person who opens one: another site's page must not even make us work,
 * and a name that was rebound to this machine is no name of ours.
 */
function isOurs({ headers, rawHeaders, url }: IncomingMessage, port: number): boolean {
  const suffix = port === 80 ? '' : `:${port}`;
  const names = ['localhost', host, '[::1]'].map((name) => `${name}${suffix}`);
  const given = headers.host?.toLowerCase();
  const hosts = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host');
  if (given === undefined || hosts.length !== 1 || !names.includes(given)) return false;
  if (headers.origin !== undefined && headers.origin !== `http://${given}`) return false;
  const site = headers['sec-fetch-site'];
  if (site === undefined || site === 'same-origin' || site === 'none') return true;
  // Somebody followed a link to the page.
  const opens = headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  return opens && /^\/(index\.html)?(\?|$)/.test(url ?? '');
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** Starts a server. Throws `file` when the port cannot be had. */
export async function serve(routes: Routes, { port, flag, connect }: ServeOptions): Promise<LocalServer> {
  const csp = policy(connect);
  const server = createServer(
    {
      maxHeaderSize: 16_384,
      headersTimeout: 10_000,
      requestTimeout: 20_000,
      connectionsCheckingInterval: 5000,
    },
    (request, response) => {
      response.setHeader('content-security-policy', csp);
      response.setHeader('x-content-type-options', 'nosniff');
      response.setHeader('referrer-policy', 'no-referrer');
      response.setHeader('cross-origin-opener-policy', 'same-origin');
      response.setHeader('cross-origin-resource-policy', 'same-origin');
      const { method, url = '' } = request;
      if (!isOurs(request, (server.address() as AddressInfo | null)?.port ?? 0)) {
        refuse(
          response,
          403,
          'This server is for pages of its own, at http://127.0.0.1 or http://localhost.',
        );
      } else if (method !== 'GET' && method !== 'HEAD') {
        response.setHeader('allow', 'GET, HEAD');
        refuse(response, 405, 'Only GET and HEAD are answered.');
      } else {
        // As it comes: there is nothing to decode in our paths, so what is encoded is none of them.
        const handler = url.length > maxUrl ? undefined : routes.get(url.split('?', 1)[0] as string);
        if (handler === undefined) refuse(response, 404, 'Not found.');
        else handler(request, response);
      }
    },
  );
  server.maxConnections = maxConnections;
  try {
    await listen(server, port ?? usualPort).catch((error: unknown) => {
      if (port === undefined) return listen(server, 0);
      throw error;
    });
  } catch (cause) {
    const taken = codeOf(cause) === 'EADDRINUSE';
    const reason = taken ? 'is taken' : `cannot be opened (${messageOf(cause)})`;
    throw new HeddleError(
      'file',
      `${flag}: port ${port ?? usualPort} of ${host} ${reason}; name another, or 0 for a free one`,
      { cause },
    );
  }
  const { port: found } = server.address() as AddressInfo;
  return {
    url: `http://${host}${found === 80 ? '' : `:${found}`}/`,
    async close() {
      if (!server.listening) return;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const timer = setTimeout(() => server.closeAllConnections(), grace);
      await closed;
      clearTimeout(timer);
    },
  };
}
