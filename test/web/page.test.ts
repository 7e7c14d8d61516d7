// The page in Chromium on a source that trains nothing: every state can be seen, reached by keyboard and asked. Screenshots
// lie in test/.artifacts/page.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Command, Message } from '../../src/recipes/protocol.ts';
import { openPage, startChromium, type Watched } from '../browser/chromium.ts';
import { type Server, serve } from '../browser/serve.ts';
import { bundlePage } from '../browser/ui-bundle.ts';

const artifacts = join(import.meta.dirname, '..', '.artifacts', 'page');
let browser: Browser | undefined;
let server: Server;
let opened: Watched[] = [];

beforeAll(async () => {
  mkdirSync(artifacts, { recursive: true });
  browser = await startChromium();
  server = await serve(await bundlePage('test/browser/ui.html'));
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});
afterEach(async () => {
  const complaints = opened.flatMap((watched) => watched.complaints);
  const rejections = await Promise.all(opened.map(({ page }) => page.evaluate(() => window.rejections)));
  const others = opened
    .flatMap(({ requests }) => requests)
    .filter((address) => !/^(data|blob):/.test(address) && !address.startsWith(`${server.origin}/`));
  await Promise.all(opened.map(({ page }) => page.context().close()));
  opened = [];
  expect({ complaints, rejections: rejections.flat(), others }).toEqual({
    complaints: [],
    rejections: [],
    others: [],
  });
});

interface Look {
  readonly query?: string;
  readonly width?: number;
  readonly height?: number;
  readonly dark?: boolean;
}

async function open({ query = '', width = 1440, height = 900, dark = false }: Look = {}): Promise<Page> {
  const watched = await openPage(browser as Browser, `${server.origin}/${query}`);
  opened.push(watched);
  await watched.page.setViewportSize({ width, height });
  await watched.page.emulateMedia({ colorScheme: dark ? 'dark' : 'light' });
  return watched.page;
}

const sent = (page: Page): Promise<Command[]> => page.evaluate(() => window.fake.sent);
const sentTypes = async (page: Page) => (await sent(page)).map(({ type }) => type);
const tell = (page: Page, message: Message) => page.evaluate((one) => window.fake.tell(one), message);
const field = (page: Page, name: string) => page.getByLabel(name, { exact: true });
const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

/** A page on which an epoch is over, paused. */
async function trained(look: Look = {}): Promise<Page> {
  const page = await open({ query: '?chunk=470&interval=150#epochs=40', ...look });
  await button(page, 'Start').click();
  await page.locator('.judged li').first().waitFor();
  await button(page, 'Pause').click();
  await button(page, 'Continue').waitFor();
  return page;
}

describe('looks', () => {
  test.each([
    ['light', { width: 1440 }],
    ['dark', { width: 1440, dark: true }],
    ['laptop', { width: 1100 }],
    ['narrow', { width: 390 }],
    ['narrow-dark', { width: 360, dark: true }],
  ])('%s: nothing is wider than the screen', async (name, look) => {
    const page = await trained(look);
    await button(page, 'measure').click();
    await page.locator('.kernels').waitFor();
    const theme = await page.evaluate(() => document.documentElement.dataset.theme);
    expect(theme).toBe('dark' in look ? 'dark' : 'light');
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    await page.screenshot({ path: join(artifacts, `${name}.png`), fullPage: true });
    expect(wide).toBeLessThanOrEqual(0);
  });

  test.each([
    [1280, 720],
    [1440, 900],
  ])('what matters is on one screen of %s × %s', async (width, height) => {
    const page = await trained({ width, height });
    await page.screenshot({ path: join(artifacts, `first-screen-${height}.png`) });
    const bottoms = await page
      .locator('.panel-loss, .panel-accuracy, .panel-confusion, .panel-classes, .panel-images')
      .evaluateAll((panels) => panels.map((panel) => panel.getBoundingClientRect().bottom));
    expect(bottoms).toHaveLength(5);
    expect(Math.max(...bottoms)).toBeLessThanOrEqual(height);
  });

  test('the theme is switched by hand, and remembered', async () => {
    const page = await open();
    const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
    await button(page, 'Dark colours').click();
    expect(await theme()).toBe('dark');
    await page.reload();
    expect(await theme()).toBe('dark');
    await page.keyboard.press('t');
    expect(await theme()).toBe('light');
  });

  test('the theme is switched where storage is refused', async () => {
    const page = await open();
    await page.addInitScript(() => {
      const refuse = () => {
        throw new DOMException('refused', 'SecurityError');
      };
      Object.defineProperty(globalThis, 'localStorage', { get: refuse });
    });
    await page.reload();
    await button(page, 'Dark colours').click();
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark');
    await button(page, 'Light colours').click();
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe('light');
  });

  test('no element has a style in its markup, but by script', async () => {
    const files = await bundlePage('src/web/index.html');
    const html = String(files.get('index.html'));
    expect(html).toContain('<div id="app">');
    expect(html).not.toMatch(/ style=|<style|<script(?![^>]*src=)|https?:/);
  });
});

describe('steering', () => {
  test('buttons send their commands', async () => {
    const page = await open({ query: '?interval=100000' });
    for (const name of ['Start', 'Pause', 'Step', 'Continue', 'Stop', 'Start', 'Reset'])
      await button(page, name).click();
    const types = (await sentTypes(page)).filter((type) => type !== 'activations');
    expect(types).toEqual(['start', 'pause', 'step', 'continue', 'stop', 'start', 'reset']);
  });

  test('keys do too, but not while one types', async () => {
    const page = await open({ query: '?interval=100000' });
    await page.keyboard.press('Space');
    await page.locator('.status.training').waitFor();
    await page.keyboard.press('Space');
    await page.locator('.status.paused').waitFor();
    await page.keyboard.press('s');
    await field(page, 'seed').focus();
    await page.keyboard.press('x');
    await page.keyboard.press('Space');
    await field(page, 'seed').blur();
    await page.keyboard.press('x');
    await page.locator('.status.stopped').waitFor();
    const types = (await sentTypes(page)).filter((type) => type !== 'activations');
    expect(types).toEqual(['start', 'pause', 'step', 'stop']);
  });

  test('the learning rate changes while it trains', async () => {
    const page = await open({ query: '?interval=100000' });
    await field(page, 'lr').fill('0.05');
    await field(page, 'lr').press('Enter');
    await button(page, 'Start').click();
    await page.locator('.status.training').waitFor();
    await field(page, 'lr').fill('0.02');
    await field(page, 'lr').press('Enter');
    await button(page, 'Half the learning rate').click();
    const commands = await sent(page);
    expect(commands.find(({ type }) => type === 'start')).toMatchObject({ settings: { lr: 0.05 } });
    expect(commands.flatMap((command) => (command.type === 'lr' ? [command.lr] : []))).toEqual([0.02, 0.025]);
  });

  test('what is no number is said to be wrong, and not taken', async () => {
    const page = await open();
    await field(page, 'batch').fill('64.5');
    await field(page, 'epochs').focus();
    expect(await field(page, 'batch').getAttribute('aria-invalid')).toBe('true');
    expect(await page.getByText('a whole number from 1 to 8192').isVisible()).toBe(true);
    expect(page.url()).toContain('batchSize=64&');
  });

  test('the address holds the settings, both ways', async () => {
    const page = await open({ query: '#model=cnn&optimizer=adam&lr=0.0003&epochs=3&lr2=7' });
    expect(await field(page, 'model').inputValue()).toBe('cnn');
    expect(await page.getByText('The link says lr2').isVisible()).toBe(true);
    await field(page, 'seed').fill('42');
    await field(page, 'seed').press('Enter');
    await field(page, 'shuffle').check();
    await expect.poll(() => page.url()).toContain('seed=42&shuffle=true');
    await page.evaluate(() => {
      location.hash = '#model=lenet&seed=7';
    });
    await expect.poll(() => field(page, 'seed').inputValue()).toBe('7');
    expect(await field(page, 'model').inputValue()).toBe('lenet');
  });

  test('the keyboard reaches every control', async () => {
    const page = await trained();
    const reachable = await page.evaluate(() => {
      const selector = 'button, input, select, summary, [tabindex="0"]';
      const all = [...document.querySelectorAll<HTMLElement>(selector)];
      const wanted = all.filter(
        (one) => !(one as HTMLButtonElement).disabled && one.tabIndex >= 0 && one.checkVisibility(),
      );
      for (const [i, one] of wanted.entries()) one.dataset.control = String(i);
      return wanted.length;
    });
    expect(reachable).toBeGreaterThan(50);
    const seen = new Set<string>();
    await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
    for (let i = 0; i < reachable + 10; i++) {
      await page.keyboard.press('Tab');
      const control = await page.evaluate(
        () => (document.activeElement as HTMLElement | null)?.dataset.control ?? '',
      );
      if (control !== '') seen.add(control);
    }
    expect(seen.size).toBe(reachable);
  });

  test('the help opens by its key, takes the focus and closes by Escape', async () => {
    const page = await open();
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    expect(await page.evaluate(() => document.activeElement?.closest('dialog') !== null)).toBe(true);
    await page.screenshot({ path: join(artifacts, 'help.png') });
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
  });
});

describe('looking', () => {
  test('every chart has a table', async () => {
    const page = await trained();
    await page.locator('.layers li').first().waitFor();
    const toggles = page.getByRole('button', { name: /as a table$/ });
    expect(await toggles.count()).toBe(6); // the drawing's comes with a drawing
    for (const toggle of await toggles.all()) {
      await toggle.click();
      const panel = page.locator('section.panel', { has: page.locator('[aria-pressed="true"]') }).last();
      expect(await panel.locator('caption').count()).toBe(1);
    }
    const rows = await page.locator('.panel-loss tbody tr').count();
    expect(rows).toBeGreaterThan(20);
    expect(rows).toBeLessThanOrEqual(50);
    expect(await page.locator('.panel-confusion tbody tr').count()).toBe(10);
    await page.screenshot({ path: join(artifacts, 'tables.png'), fullPage: true });
  });

  test('a cell of the matrix shows its images, by click and by keyboard', async () => {
    const page = await trained();
    await page.getByRole('button', { name: /^Shirt taken for Coat/ }).click();
    await page.getByRole('heading', { name: 'Shirt taken for Coat' }).waitFor();
    await expect.poll(() => page.locator('.judged li').count()).toBe(12);
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Sandal taken for Dress' }).waitFor();
    const cells = (await sent(page)).filter(({ type }) => type === 'cell');
    expect(cells).toMatchObject([
      { target: 6, predicted: 4 },
      { target: 5, predicted: 3 },
    ]);
    await button(page, 'worst mistakes').click();
    await page.getByRole('heading', { name: 'Worst mistakes' }).waitFor();
  });

  test('an image’s activations are asked for by a click on it', async () => {
    const page = await trained();
    await page.locator('button.judged-one').nth(1).click();
    await expect.poll(() => field(page, 'test image').inputValue()).toBe('418');
    expect((await sent(page)).at(-1)).toMatchObject({ type: 'activations', image: 418 });
  });

  test('the loss is zoomed by a drag and whole again by a double click', async () => {
    const page = await trained();
    const box = await page.locator('.panel-loss .u-over').boundingBox();
    if (box === null) throw new Error('no chart');
    await page.mouse.move(box.x + 100, box.y + 50);
    await page.mouse.down();
    await page.mouse.move(box.x + 200, box.y + 50, { steps: 4 });
    await page.mouse.up();
    await button(page, 'whole range').waitFor();
    await page.mouse.dblclick(box.x + 100, box.y + 50);
    await button(page, 'whole range').waitFor({ state: 'detached' });
  });

  test('the loss is zoomed and moved by keys while it has the focus', async () => {
    const page = await trained();
    await page.keyboard.press('+'); // the focus is elsewhere
    const chart = page.locator('.panel-loss .plot');
    const label = async () => (await chart.getAttribute('aria-label')) ?? '';
    expect(await label()).toMatch(/^Training loss by step\. /);
    await page.locator('.panel-loss .tools button').last().focus();
    await page.keyboard.press('Tab');
    expect(await chart.evaluate((one) => one === document.activeElement)).toBe(true);
    const range = async () => {
      const [, ...found] = /steps ([\d,]+) to ([\d,]+) of ([\d,]+)/.exec(await label()) ?? [];
      return found.map((text) => Number(text.replaceAll(',', '')));
    };
    await page.keyboard.press('+');
    await expect.poll(async () => (await range()).length).toBe(3);
    await page.keyboard.press('+');
    await expect
      .poll(async () => {
        const [from = 0, to = 0, end = 0] = await range();
        return Math.abs(to - from - end / 4);
      })
      .toBeLessThanOrEqual(2);
    const [before = 0] = await range();
    await page.keyboard.press('ArrowRight');
    await expect.poll(async () => (await range())[0]).toBeGreaterThan(before);
    await page.keyboard.press('Home');
    await expect.poll(async () => (await range())[0]).toBe(1);
    await page.screenshot({ path: join(artifacts, 'zoomed.png') });
    await page.keyboard.press('Escape');
    await expect.poll(range).toEqual([]);
    await page.keyboard.press('+');
    await button(page, 'whole range').waitFor();
    await page.keyboard.press('0');
    await button(page, 'whole range').waitFor({ state: 'detached' });
  });

  test('runs are overlaid, hidden and removed', async () => {
    const page = await trained();
    await button(page, 'Stop').click();
    await button(page, 'Start').click();
    await expect.poll(() => page.locator('.panel-loss .chip').count()).toBe(3);
    await page.locator('.panel-loss .chip').first().click();
    await expect
      .poll(() => page.locator('.panel-loss .chip').first().getAttribute('aria-pressed'))
      .toBe('false');
    await page.getByRole('button', { name: /^Remove 1/ }).click();
    await expect.poll(() => page.locator('.panel-loss .chip').count()).toBe(2);
  });

  test('a hundred thousand steps are drawn; how long the page was busy at a time is printed', async () => {
    const page = await open({ query: '?chunk=5000&interval=50#epochs=10000' });
    await page.evaluate(() => {
      const found: number[] = [];
      Object.assign(window, { found });
      new PerformanceObserver((list) => {
        for (const { duration } of list.getEntries()) found.push(duration);
      }).observe({ type: 'longtask' });
    });
    await button(page, 'Start').click();
    await page.waitForFunction(() => /step [\d,]{7,}/.test(document.body.textContent ?? ''));
    const long = await page.evaluate(() => (window as unknown as { found: number[] }).found);
    process.stdout.write(
      `  long tasks: ${long.length}, the longest ${Math.round(Math.max(0, ...long))} ms\n`,
    );
    // The newest steps are in the picture: its range reaches them, and the table is as short as ever.
    await button(page, 'Stop').click();
    await button(page, 'Loss as a table').click();
    const rows = page.locator('.panel-loss tbody tr');
    expect(await rows.count()).toBe(50);
    const last = await rows.last().locator('th').textContent();
    expect(Number(last?.replaceAll(',', ''))).toBeGreaterThan(100_000);
  });
});

describe('trying and keeping', () => {
  test('what is drawn is asked about as 28 × 28 pixels, light on dark', async () => {
    const page = await trained();
    const drawing = page.locator('.drawing');
    await drawing.scrollIntoViewIfNeeded();
    const box = await drawing.boundingBox();
    if (box === null) throw new Error('no drawing');
    await page.mouse.move(box.x + box.width / 2, box.y + 0.2 * box.height);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + 0.8 * box.height, { steps: 8 });
    await page.mouse.up();
    await page.locator('.probabilities .best').waitFor();
    expect(await page.locator('.probabilities .best').textContent()).toBe('Bag74%');
    const pixelsSent = () =>
      page.evaluate(() => {
        const last = window.fake.sent.findLast(({ type }) => type === 'predict');
        return last?.type === 'predict' ? [...last.pixels] : [];
      });
    await expect.poll(async () => (await pixelsSent())[28 * 20 + 13]).toBe(255); // the end of the stroke
    const pixels = await pixelsSent();
    expect(pixels).toHaveLength(784);
    const column = (x: number) => Array.from({ length: 28 }, (_, y) => pixels[28 * y + x] as number);
    expect(
      column(13)
        .slice(7, 21)
        .every((value) => value === 255),
    ).toBe(true);
    expect(Math.max(...column(2), ...column(25))).toBe(0);
    await page.screenshot({ path: join(artifacts, 'try.png'), fullPage: true });
    await button(page, 'Clear').click();
    await expect.poll(() => page.locator('.probabilities .best').count()).toBe(0);
  });

  test('a dropped picture, dark on light, is turned over', async () => {
    const page = await trained();
    await page.evaluate(async () => {
      const canvas = new OffscreenCanvas(100, 60);
      const brush = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
      brush.fillStyle = 'white';
      brush.fillRect(0, 0, 100, 60);
      brush.fillStyle = 'black';
      brush.fillRect(40, 20, 20, 20);
      const data = new DataTransfer();
      data.items.add(new File([await canvas.convertToBlob()], 'square.png', { type: 'image/png' }));
      const place = document.querySelector('.try') as HTMLElement;
      place.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
    });
    await page.locator('.probabilities .best').waitFor();
    const corner = await page.evaluate(() => {
      const last = window.fake.sent.findLast(({ type }) => type === 'predict');
      return last?.type === 'predict' ? [last.pixels[0], last.pixels[28 * 14 + 14]] : [];
    });
    expect(corner).toEqual([0, 255]);
  });

  test('files come as downloads; what is refused is said', async () => {
    const page = await trained();
    for (const [name, file] of [
      ['Weights', 'heddle.safetensors'],
      ['ONNX', 'heddle.onnx'],
      ['Checkpoint', 'heddle.checkpoint'],
    ] as const) {
      const [download] = await Promise.all([page.waitForEvent('download'), button(page, name).click()]);
      expect(download.suggestedFilename()).toBe(file);
    }
    await button(page, 'Trace').click();
    await page.getByText('this adapter has no timestamps').waitFor();
  });

  test('a checkpoint that is loaded starts a training', async () => {
    const page = await open({ query: '?interval=100000' });
    const [chooser] = await Promise.all([page.waitForEvent('filechooser'), button(page, 'Load…').click()]);
    await chooser.setFiles({ name: 'c.safetensors', mimeType: '', buffer: Buffer.from([1, 2, 3]) });
    await expect.poll(() => sentTypes(page)).toContain('start');
    const bytes = await page.evaluate(() => {
      const start = window.fake.sent.find(({ type }) => type === 'start');
      return start?.type === 'start' ? [...(start.checkpoint ?? [])] : [];
    });
    expect(bytes).toEqual([1, 2, 3]);
  });

  test('the data’s files are given to the trainer', async () => {
    const page = await open();
    const [chooser] = await Promise.all([
      page.waitForEvent('filechooser'),
      button(page, 'Choose files…').click(),
    ]);
    await chooser.setFiles([
      { name: 'a.gz', mimeType: '', buffer: Buffer.from([1]) },
      { name: 'b.gz', mimeType: '', buffer: Buffer.from([2]) },
    ]);
    await page.getByText('given: a.gz, b.gz').waitFor();
    expect(await sentTypes(page)).toEqual(['files']);
  });
});

describe('trouble', () => {
  const failures = [
    ['data', 'Try synthetic data', { dataset: 'synthetic' }],
    ['diverged', 'Start with a tenth of the learning rate', { lr: 0.0001 }],
    ['device-lost', 'Restart', {}],
    ['no-adapter', 'Restart', {}],
    ['worker', 'Restart', {}],
  ] as const;
  test.each(failures)('%s is said, and “%s” goes on from there', async (code, name, settings) => {
    const page = await open({ query: '?interval=100000' });
    await button(page, 'Start').click();
    await tell(page, { type: 'error', code, message: 'What happened.', todo: 'What to do.' });
    await page.getByRole('alert').waitFor();
    expect(await page.getByRole('alert').textContent()).toContain('What happened.What to do.');
    await page.screenshot({ path: join(artifacts, `failed-${code}.png`) });
    await button(page, name).click();
    await page.locator('.status.training').waitFor();
    expect(await page.getByRole('alert').count()).toBe(0);
    expect((await sent(page)).findLast(({ type }) => type === 'start')).toMatchObject({ settings });
  });

  test('a notice is shown until it is dismissed', async () => {
    const page = await open();
    await tell(page, { type: 'notice', text: 'Storage is refused.' });
    await page.getByText('Storage is refused.').waitFor();
    await button(page, 'Dismiss').click();
    await page.getByText('Storage is refused.').waitFor({ state: 'detached' });
  });

  test('downloads show how far they are', async () => {
    const page = await open({ dark: true });
    await tell(page, { type: 'status', status: 'loading', text: 'downloading' });
    await tell(page, { type: 'download', file: 'train-images', received: 500_000, total: 1_000_000 });
    await page.getByRole('progressbar', { name: 'Download of train-images' }).waitFor();
    expect(await page.getByText('488 KiB of 977 KiB, 50%').isVisible()).toBe(true);
    await page.screenshot({ path: join(artifacts, 'loading.png'), fullPage: true });
  });

  test('synthetic data is said to be that', async () => {
    const page = await open({ query: '#dataset=synthetic' });
    expect(await page.locator('header .synthetic').isVisible()).toBe(true);
  });
});

test('a run in Node is watched: nothing can be asked, and that is said', async () => {
  const page = await open({ query: '?watched&chunk=500&interval=20' });
  await page.locator('.class-bars').waitFor();
  await page.screenshot({ path: join(artifacts, 'watched.png'), fullPage: true });
  expect(await page.getByText('This page watches it').isVisible()).toBe(true);
  expect(await page.locator('.drawing, .keep, .kernels, .drop, .cell[type=button]').count()).toBe(0);
  expect(await button(page, 'Start').count()).toBe(0);
  await page.keyboard.press('Space');
  expect(await sent(page)).toEqual([]);
});
