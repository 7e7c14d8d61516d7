import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { FASHION_MNIST_FILES } from '../../src/data/fashion-mnist.ts';

let server: ViteDevServer;
let origin: string;

beforeAll(async () => {
  server = await createServer({
    configFile: join(import.meta.dirname, '..', '..', 'vite.config.ts'),
    server: { port: 0, host: '127.0.0.1' },
    logLevel: 'error',
  });
  await server.listen();
  origin = server.resolvedUrls?.local[0] ?? '';
});
afterAll(() => server?.close());

test('Vite’s server has the page, and the data that Node trains on', async () => {
  expect(await (await fetch(origin)).text()).toContain('<title>Heddle');
  const [entry] = FASHION_MNIST_FILES.files;
  const found = await fetch(`${origin}data/fashion-mnist/${entry?.name}.gz`);
  expect(found.status).toBe(200);
  expect(gunzipSync(Buffer.from(await found.arrayBuffer()))).toHaveLength(entry?.bytes ?? 0);
});
