// The page of src/README.md's "In Chrome", word for word: bundled by Vite as a reader would, and run in a real Chromium, by
// itself and with its program in a worker.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { build } from '../../scripts/setup/project.mjs';
import { temporaryFolder } from '../cli/support.ts';
import { pages, root } from '../docs/pages.ts';
import { bundle } from './bundle.ts';
import { openPage, startChromium } from './chromium.ts';
import { serve } from './serve.ts';

vi.setConfig({ hookTimeout: 180_000 });

const blocks = pages.find(({ path }) => path === 'src/README.md')?.blocks ?? [];
const html = blocks.find(({ language }) => language === 'html')?.text ?? '';
const inPage = (part: string) => blocks.find(({ text }) => text.includes(part))?.text ?? '';
const [program, startsWorker] = [inPage('document.body.append(`'), inPage('new Worker')];

let browser: Browser;

beforeAll(async () => {
  await build(); // dist, unless it is what the sources say
  browser = await startChromium();
});
afterAll(() => browser?.close());

test.each([
  ['by itself', { 'page.ts': program }],
  [
    'in a worker',
    { 'page.ts': startsWorker, 'worker.ts': program.replace('document.body.append', 'postMessage') },
  ],
])('the first page trains %s', async (_, scripts) => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'heddle'), 'dir');
  for (const [name, text] of Object.entries({ 'index.html': html, ...scripts }))
    writeFileSync(join(folder, name), text);
  const { files } = await bundle(folder, 'index.html');
  const server = await serve(new Map([...files, ['favicon.ico', '']]));
  try {
    const { page, complaints } = await openPage(browser, server.origin);
    await page.waitForFunction(() => /epoch 3/.test(document.body.innerText), undefined, {
      timeout: 120_000,
    });
    expect(await page.evaluate(() => document.body.innerText.trim())).toMatch(
      /^(epoch \d: \d\.\d{4}(\n|$)){3}$/,
    );
    expect(complaints).toEqual([]);
  } finally {
    await server.close();
  }
});
