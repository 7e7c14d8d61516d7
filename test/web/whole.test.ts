// The whole page, as `heddle ui` serves it, training on this machine's GPU in a real Chromium: everything that a visitor does
// with it, and what goes wrong. Screenshots lie in test/.artifacts/whole.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { build } from '../../scripts/setup/project.mjs';
import { decodeCheckpoint, decodeWeights } from '../../src/io/checkpoint.ts';
import { chromiumOptions, openPage, startChromium } from '../browser/chromium.ts';
import { openTab } from '../browser/tabs.ts';
import { type Ended, freePort, heddle, temporaryFolder } from '../cli/support.ts';

vi.setConfig({ hookTimeout: 240_000 });

const artifacts = join(import.meta.dirname, '..', '.artifacts', 'whole');
const cwd = temporaryFolder();
let browser: Browser;
let url: string;
let served: Promise<Ended>;
let stop: () => void;

beforeAll(async () => {
  mkdirSync(artifacts, { recursive: true });
  await build();
  browser = await startChromium();
  const port = await freePort();
  url = `http://127.0.0.1:${port}/`;
  await new Promise<void>((resolve) => {
    served = heddle(['ui', '--port', String(port)], {
      cwd,
      onStdout(_, child) {
        stop = () => child.kill('SIGINT');
        resolve();
      },
    });
  });
});
afterAll(async () => {
  await browser?.close();
  stop?.();
  await served;
});

const small = 'dataset=synthetic&hidden=32&limit=640&lr=0.1';
const soon = { timeout: 90_000, interval: 100 };

const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();
const status = (page: Page) => page.locator('header.head').textContent();
const is = (page: Page, word: string) =>
  vi.waitFor(async () => expect(await status(page)).toContain(word), soon);
/** The steps that the page tells of. */
async function steps(page: Page): Promise<number> {
  const text = (await page.locator('.stat.progress small').textContent()) ?? '';
  return Number(/step ([\d,]+)/.exec(text)?.[1]?.replaceAll(',', '') ?? 0);
}
const loss = async (page: Page) =>
  Number(
    await page
      .locator('.stat', { hasText: 'training loss' })
      .locator('dd')
      .evaluate((dd) => dd.firstChild?.textContent),
  );

test('a visitor trains, and sees the loss fall; nothing is asked of anybody else', async () => {
  const { page, complaints, requests } = await openPage(browser, `${url}#${small}&epochs=6`);
  await press(page, 'Start');
  await vi.waitFor(async () => expect(await steps(page)).toBeGreaterThan(0), soon);
  const first = await loss(page);
  await is(page, 'done');
  expect(await steps(page)).toBe(60);
  expect(await loss(page)).toBeLessThan(first / 2);
  await page.setViewportSize({ width: 1440, height: 1000 });
  await page.screenshot({ path: join(artifacts, 'light.png'), fullPage: true });
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.screenshot({ path: join(artifacts, 'dark.png'), fullPage: true });
  await page.setViewportSize({ width: 400, height: 800 });
  await page.screenshot({ path: join(artifacts, 'narrow.png'), fullPage: true });
  expect(complaints).toEqual([]);
  expect(requests.filter((address) => !address.startsWith(url) && !/^(data|blob):/.test(address))).toEqual(
    [],
  );
  await page.context().close();
});

test('pause holds it, a step is one step, continue goes on, stop ends it', async () => {
  const { page, complaints } = await openPage(browser, `${url}#${small}&epochs=1000`);
  await press(page, 'Start');
  await vi.waitFor(async () => expect(await steps(page)).toBeGreaterThan(5), soon);
  await press(page, 'Pause');
  await is(page, 'paused');
  const held = await steps(page);
  await page.waitForTimeout(500);
  expect(await steps(page)).toBe(held);
  await press(page, 'Step');
  await vi.waitFor(async () => expect(await steps(page)).toBe(held + 1), soon);
  await page.waitForTimeout(300);
  expect(await steps(page)).toBe(held + 1);
  await press(page, 'Continue');
  await vi.waitFor(async () => expect(await steps(page)).toBeGreaterThan(held + 10), soon);
  await press(page, 'Stop');
  await is(page, 'stopped');
  expect(complaints).toEqual([]);
  await page.context().close();
});

test('a hidden tab goes on training, and its title says when it is done', async () => {
  const tab = await openTab(browser, `${url}#${small}&epochs=60`);
  const start = "[...document.querySelectorAll('button')].find((one) => one.textContent === 'Start')";
  await vi.waitFor(async () => expect(await tab.evaluate(`${start} !== undefined`)).toBe(true), soon);
  const other = await openTab(browser, 'about:blank'); // in front of it
  await vi.waitFor(async () => expect(await tab.evaluate('document.visibilityState')).toBe('hidden'), soon);
  await tab.evaluate(`${start}.click()`);
  const title = async () => String(await tab.evaluate('document.title'));
  await vi.waitFor(async () => expect(await title()).toMatch(/^done · \d+\.\d% · Heddle$/), {
    timeout: 180_000,
    interval: 500,
  });
  expect(await tab.evaluate('document.visibilityState')).toBe('hidden');
  const told = await tab.evaluate("document.querySelector('.stat.progress small').textContent");
  expect(String(told)).toContain('step 600');
  await tab.close();
  await other.close();
});

async function download(page: Page, name: string): Promise<Uint8Array> {
  const waiting = page.waitForEvent('download');
  await press(page, name);
  return new Uint8Array(readFileSync(await (await waiting).path()));
}

test('a drawing is judged; weights are kept and brought back; a checkpoint goes on in Node', async () => {
  const { page, complaints } = await openPage(browser, `${url}#${small}&epochs=2`);
  await press(page, 'Start');
  await is(page, 'done');

  const canvas = page.getByLabel(/^Draw here/);
  await canvas.scrollIntoViewIfNeeded();
  const box = (await canvas.boundingBox()) as { x: number; y: number; width: number; height: number };
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height * 0.2);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.5, { steps: 5 });
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height * 0.8, { steps: 5 });
  await page.mouse.up();
  const bars = page.locator('.probabilities b');
  await vi.waitFor(async () => expect((await bars.allTextContents()).join('')).toContain('%'), soon);
  const shares = (await bars.allTextContents()).map((text) => Number.parseFloat(text));
  expect(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 100)).toBeLessThanOrEqual(5); // ten rounded numbers

  const weights = decodeWeights(await download(page, 'Weights'));
  expect(weights.get('linear_relu_stack.0.weight')?.shape).toEqual([32, 784]);
  expect((await download(page, 'ONNX')).length).toBeGreaterThan(4 * 784 * 32);

  const bytes = await download(page, 'Checkpoint');
  const { state, weights: kept } = decodeCheckpoint(bytes);
  expect(state).toMatchObject({ steps: 20, epochs: 2 });
  expect(kept).toEqual(weights);
  writeFileSync(join(cwd, 'page.safetensors'), bytes);
  const resumed = await heddle(['train', '--resume', 'page.safetensors', '--epochs', '3', '--out', 'on'], {
    cwd,
  });
  expect(resumed.code).toBe(0);
  const node = new Uint8Array(readFileSync(join(cwd, 'on', 'last.safetensors')));
  expect(decodeCheckpoint(node).state).toMatchObject({ steps: 30, epochs: 3 });

  // And Node's goes on in the page.
  await page.getByLabel('epochs').fill('4');
  await page.keyboard.press('Tab');
  const chooser = page.waitForEvent('filechooser');
  await press(page, 'Load…');
  await (await chooser).setFiles(join(cwd, 'on', 'last.safetensors'));
  await vi.waitFor(async () => expect(await steps(page)).toBe(40), soon);
  expect(complaints).toEqual([]);
  await page.context().close();
});

test('a lost device is opened again; one that stays lost is told, with a way to start anew', async () => {
  const { page } = await openPage(browser, 'about:blank');
  // In front of the worker's script: its device is lost at some submits.
  const losing = (at: string) => `{
    let device, submits = 0;
    const { createCommandEncoder } = GPUDevice.prototype;
    GPUDevice.prototype.createCommandEncoder = function (...all) { device = this; return createCommandEncoder.apply(this, all); };
    const { submit } = GPUQueue.prototype;
    GPUQueue.prototype.submit = function (all) { submits++; if (${at}) device.destroy(); return submit.call(this, all); };
  }\n`;
  let at = 'submits === 40';
  await page.route('**/assets/worker-*.js', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: losing(at) + (await response.text()) });
  });
  await page.goto(`${url}#${small}&epochs=8`);
  await press(page, 'Start');
  await is(page, 'done');
  expect(await steps(page)).toBe(80);

  at = 'submits > 10';
  await page.reload();
  await press(page, 'Start');
  await vi.waitFor(async () => expect(await page.locator('#app').textContent()).toMatch(/lost/), soon);
  await is(page, 'failed');
  await page.screenshot({ path: join(artifacts, 'lost.png') });
  await page.context().close();
});

test('a browser that gives no adapter is told what to do', async () => {
  const options = chromiumOptions();
  const args = (options?.args ?? []).filter((arg) => !/webgpu/.test(arg)); // then the adapter is null
  const without = await chromium.launch({ ...options, args });
  try {
    const { page } = await openPage(without, `${url}#${small}`);
    await press(page, 'Start');
    await is(page, 'failed');
    expect(await page.locator('#app').textContent()).toMatch(/no WebGPU adapter/);
    await page.screenshot({ path: join(artifacts, 'no-adapter.png') });
  } finally {
    await without.close();
  }
});
