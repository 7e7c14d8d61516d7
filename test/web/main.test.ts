// The page as it is built, in Chromium, under the policy that it is served with: without WebGPU, and watching a run in Node.

import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Message, RunFacts } from '../../src/recipes/protocol.ts';
import { defaults } from '../../src/web/settings.ts';
import { openPage, startChromium } from '../browser/chromium.ts';
import { type Server, serve } from '../browser/serve.ts';
import { bundlePage } from '../browser/ui-bundle.ts';

const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'";
let browser: Browser | undefined;
let server: Server;
let files: ReadonlyMap<string, string | Uint8Array>;

beforeAll(async () => {
  browser = await startChromium();
  files = await bundlePage('src/web/index.html');
  server = await serve(files);
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

/** Opens the page under its policy; `prepare` comes before its scripts. */
async function open(address: string, prepare: (page: Page) => Promise<unknown>) {
  const watched = await openPage(browser as Browser, 'about:blank');
  const { page } = watched;
  await page.route(`${server.origin}/**`, async (route) => {
    const response = await route.fetch();
    await route.fulfill({
      response,
      headers: { ...response.headers(), 'content-security-policy': policy },
    });
  });
  await prepare(page);
  await page.goto(`${server.origin}/${address}`);
  return watched;
}

/** Closes the page when what it still asked for, has been answered. */
async function close(page: Page) {
  await page.unrouteAll({ behavior: 'wait' });
  await page.context().close();
}

test('without WebGPU it says so, what to do, and asks nobody', async () => {
  const { page, complaints, requests } = await open('', (blank) =>
    blank.addInitScript(() => {
      Reflect.deleteProperty(Navigator.prototype, 'gpu');
    }),
  );
  const alert = page.getByRole('alert');
  await alert.waitFor();
  expect(await alert.textContent()).toMatch(/has no WebGPU.*Chrome.*113.*Linux.*Reload/);
  // Starting again only says it again.
  await page.keyboard.press('Space');
  await alert.waitFor();
  expect(requests.filter((address) => /worker/.test(address))).toEqual([]);
  expect(complaints).toEqual([]);
  await close(page);
});

test('a run in Node is watched by its events', async () => {
  const run: RunFacts = {
    settings: defaults,
    adapter: 'llvmpipe',
    backend: 'vulkan',
    software: true,
    model: '784-512-512-10',
    parameters: 669_706,
    classes: Array.from({ length: 10 }, (_, i) => `class ${i}`),
    train: 60_000,
    test: 10_000,
    synthetic: false,
    dispatches: 17,
    bytes: 1e6,
    folder: 'runs/seen',
  };
  const confusion = Array.from({ length: 10 }, (_, i) =>
    Array.from({ length: 10 }, (__, j) => (i === j ? 90 : 1)),
  );
  const messages: Message[] = [
    { type: 'run', run },
    {
      type: 'steps',
      steps: Array.from({ length: 50 }, (_, i) => ({ step: i + 1, epoch: 1, loss: 2 / (i + 1), lr: 0.001 })),
      batch: 50,
      batches: 938,
      samplesPerSecond: 1000,
      secondsPerStep: 0.064,
    },
    {
      type: 'epoch',
      epoch: 1,
      step: 50,
      trainLoss: 1,
      seconds: 3,
      validation: { loss: 0.7, accuracy: 0.9, confusion, ranks: [] },
    },
    { type: 'status', status: 'training', text: 'epoch 2 of 10' },
  ];
  const body = messages.map((message) => `data: ${JSON.stringify(message)}\n\n`).join('');
  const { page, complaints } = await open('?watch', (blank) =>
    blank.route('**/events', (route) => route.fulfill({ contentType: 'text/event-stream', body })),
  );
  await page.getByText('runs/seen').waitFor();
  await page.getByText('90.00%').waitFor();
  // The stream ends, which is said, and the browser opens it again: the same run, not another one.
  await page.locator('.status', { hasText: 'stopped' }).waitFor();
  await page.waitForTimeout(4000);
  expect(await page.locator('.panel-loss .chip').count()).toBe(2); // the run and PyTorch
  expect(complaints).toEqual([]);
  await close(page);
});

test('is small: what the page itself takes', () => {
  const scripts = [...files].filter(([path]) => /assets\/index.*\.(js|css)$/.test(path));
  const bytes = scripts.reduce((sum, [, content]) => sum + Buffer.byteLength(content), 0);
  process.stdout.write(`  the page without its worker: ${bytes} bytes\n`);
  expect(bytes).toBeGreaterThan(0);
  expect(bytes).toBeLessThan(180_000);
});
