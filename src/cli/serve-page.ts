// The built page as routes: its folder is read once, when the server starts, and held in memory; no request touches it.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HeddleError, messageOf } from '../errors.ts';
import type { Handler } from './serve.ts';

/** Where `npm run build` puts the page: as far from here in the sources as in the build. */
export const pageFolder = fileURLToPath(new URL('../../dist/web', import.meta.url));

const index = 'index.html';
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.map': 'application/json',
  '.webmanifest': 'application/manifest+json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
};

/** What tells the page to watch a run here instead of training itself. */
const watchTag = '<meta name="heddle-watch" content="events">';

/** Files below a folder, by paths with `/`. Links are left out: they may lead anywhere. */
function filesUnder(folder: string, below = ''): string[] {
  return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.name.startsWith('.') || encodeURI(path) !== path) return [];
    if (entry.isDirectory()) return filesUnder(folder, path);
    return entry.isFile() ? [path] : [];
  });
}

/** A name with a hash of its content in it, as Vite gives them: what it holds never changes. */
const isHashed = (path: string) => /^assets\/.+-[\w-]{8}\.\w+$/.test(path);

function fileHandler(path: string, content: Buffer): Handler {
  const tag = `"${createHash('sha256').update(content).digest('base64url').slice(0, 22)}"`;
  const headers = {
    'content-type': types[extname(path)] ?? 'application/octet-stream',
    'cache-control': isHashed(path) ? 'public, max-age=31536000, immutable' : 'no-cache',
    etag: tag,
  };
  return (request, response) => {
    if (request.headers['if-none-match'] === tag) {
      response.writeHead(304, headers).end();
      return;
    }
    response.writeHead(200, { ...headers, 'content-length': content.length }).end(content);
  };
}

/** The page's routes; with `watch` the page watches a run at `events`. Throws `file` when it has not been built. */
export function pageRoutes(watch: boolean, folder = pageFolder): Map<string, Handler> {
  let contents: Map<string, Buffer>;
  try {
    contents = new Map(filesUnder(folder).map((path) => [path, readFileSync(join(folder, path))]));
    if (!contents.has(index)) throw new Error(`it has no ${index}`);
  } catch (cause) {
    throw new HeddleError(
      'file',
      `the page is not built (${folder}: ${messageOf(cause).split(',', 1)[0]}): run \`npm run build\``,
      { cause },
    );
  }
  const routes = new Map<string, Handler>();
  for (const [path, content] of contents) {
    const told = watch && path === index;
    const page = told ? Buffer.from(content.toString().replace(/<head[^>]*>/, `$&${watchTag}`)) : content;
    routes.set(`/${path}`, fileHandler(path, page));
  }
  routes.set('/', routes.get(`/${index}`) as Handler);
  // Browsers ask for it whatever the page says, and complain of a 404.
  const icon = '/favicon.ico';
  if (!routes.has(icon)) routes.set(icon, (_, response) => response.writeHead(204).end());
  return routes;
}
