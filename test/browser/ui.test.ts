// The page as `heddle ui` and `heddle train --ui` serve it, in a real Chromium: nothing is refused that it needs, nothing
// is had from anywhere else, and a run in Node is heard.

import type { Browser } from 'playwright';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { build } from '../../scripts/setup/project.mjs';
import type { Message } from '../../src/recipes/protocol.ts';
import { type Ended, freePort, heddle, temporaryFolder } from '../cli/support.ts';
import { openPage, startChromium } from './chromium.ts';

vi.setConfig({ hookTimeout: 180_000 });

let browser: Browser;

beforeAll(async () => {
  await build();
  browser = await startChromium();
});
afterAll(() => browser?.close());

interface Running {
  readonly url: string;
  /** Ctrl-C; resolves when the process has ended. */
  stop(): Promise<Ended>;
}

const running: Running[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map(({ stop }) => stop()));
});

/** Starts the program with a port for its server; resolves when it has said something. */
async function started(args: readonly string[]): Promise<Running> {
  const port = await freePort();
  const found = await new Promise<Running>((resolve, reject) => {
    const ended = heddle([...args, String(port)], {
      cwd: temporaryFolder(),
      onStdout(_, child) {
        const stop = () => {
          child.kill('SIGINT');
          return ended;
        };
        resolve({ url: `http://127.0.0.1:${port}/`, stop });
      },
    });
    ended.then(({ stderr }) => reject(new Error(stderr)), reject);
  });
  running.push(found);
  return found;
}

test('the page needs nothing but its own server, and gets nothing else', async () => {
  const { url, stop } = await started(['ui', '--port']);
  const { page, complaints, requests } = await openPage(browser, url);
  await vi.waitFor(async () => expect(await page.locator('#app').textContent()).not.toBe(''), {
    timeout: 30_000,
  });
  const labels = await page.evaluate(async () => {
    const response = await fetch('data/fashion-mnist/t10k-labels-idx1-ubyte.gz');
    const stream = response.body?.pipeThrough(new DecompressionStream('gzip'));
    return (await new Response(stream).arrayBuffer()).byteLength;
  });
  expect(labels).toBe(10_008);
  expect(complaints).toEqual([]);
  const foreign = requests.filter((address) => !/^(data|blob):/.test(address) && !address.startsWith(url));
  expect(foreign).toEqual([]);
  expect(requests.some((address) => /\/assets\/.*\.js$/.test(address))).toBe(true);

  // And were there anything else, it would be refused.
  const refused = await page.evaluate(async () => {
    const found: string[] = [];
    document.addEventListener('securitypolicyviolation', (event) => found.push(event.effectiveDirective));
    const script = document.createElement('script');
    script.textContent = 'window.inlined = true';
    document.body.append(script);
    const image = document.createElement('img');
    image.src = 'https://third.example/pixel.png';
    document.body.append(image);
    await fetch('https://third.example/').catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 200));
    return { found: found.sort(), inlined: 'inlined' in window };
  });
  expect(refused).toEqual({ found: ['connect-src', 'img-src', 'script-src-elem'], inlined: false });
  await page.context().close();
  expect((await stop()).code).toBe(130);
});

test('a run in Node is heard in the page while it is trained', async () => {
  const args = ['train', '--dataset', 'synthetic', '--hidden', '16', '--epochs', '100000', '--json'];
  const { url, stop } = await started([...args, '--ui', '--ui-port']);
  const { page, requests } = await openPage(browser, url);
  expect(await page.locator('meta[name="heddle-watch"]').getAttribute('content')).toBe('events');
  const heard = await page.evaluate(
    () =>
      new Promise<Message[]>((resolve, reject) => {
        const all: Message[] = [];
        const stream = new EventSource('events');
        stream.onerror = () => reject(new Error('the stream broke'));
        stream.onmessage = ({ data }) => {
          all.push(JSON.parse(data));
          if (all.filter(({ type }) => type === 'epoch').length < 3) return;
          stream.close();
          resolve(all);
        };
      }),
  );
  expect(heard[0]).toMatchObject({ type: 'run', run: { model: '784-16-10', synthetic: true } });
  const points = heard.flatMap((message) => (message.type === 'steps' ? message.steps : []));
  expect(points.length).toBeGreaterThan(90);
  for (const { loss } of points) expect(loss).toBeGreaterThan(0);
  expect(heard.find(({ type }) => type === 'epoch')).toMatchObject({
    validation: { ranks: expect.any(Array) },
  });
  expect(requests.filter((address) => !address.startsWith(url))).toEqual([]);
  const { code, lingered } = await stop(); // with the page still open
  expect(code).toBe(130);
  expect(lingered).toBeLessThan(5000);
  await page.context().close();
});
