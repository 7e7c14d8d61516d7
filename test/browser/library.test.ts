// The library in a browser: bundled by Vite through the package's own maps, as a stranger's page would, run in a real
// Chromium, in the page and in a worker, and held against the same program in Node.

import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { build } from '../../scripts/setup/project.mjs';
import { FASHION_MNIST_FILES } from '../../src/data/fashion-mnist.ts';
import * as heddle from '../../src/index.ts';
import { loadFiles } from '../../src/platform/node-files.ts';
import tutorial from '../fixtures/tutorial.json' with { type: 'json' };
import { type Bundle, bundle } from './bundle.ts';
import { openPage, startChromium, type Watched } from './chromium.ts';
import { type Job, type Outcome, program } from './program.ts';
import { type Server, serve } from './serve.ts';

// A software GPU compiles its kernels on the CPU, beside all the other tests.
vi.setConfig({ hookTimeout: 180_000 });

/** How far drivers may be apart after a few steps: they add in different orders. */
const tolerance = 1e-4;

/**
 * A single layer's bundle has 154 kB, half of it kernels: its loss, optimizer and trainer bring the kernels of all of their
 * options (soft cross-entropy, momentum, clipping), though not those of other layers, losses and optimizers.
 */
const smallBundleBytes = 155_000;

const scripts = ({ files }: Bundle) => [...files].filter(([path]) => path.endsWith('.js'));

let built: Bundle;

beforeAll(async () => {
  await build(); // dist, unless it is what the sources say
  built = await bundle(import.meta.dirname, 'index.html');
});

describe('the bundle', () => {
  test('holds the browser’s side of the platform and nothing of Node', () => {
    const modules = built.modules.map((path) => path.replaceAll('\\', '/'));
    expect(modules.filter((path) => path.endsWith('dist/platform/browser.js'))).toHaveLength(1);
    expect(modules.filter((path) => /platform\/(node|cache)|node_modules\/webgpu\//.test(path))).toEqual([]);
    expect(modules.filter((path) => /^node:|__vite-browser-external/.test(path))).toEqual([]);
    expect(built.external).toEqual([]);
  });

  test('its scripts, the worker’s too, neither require nor import anything of Node', () => {
    const found = scripts(built);
    expect(found.some(([path]) => /worker/.test(path))).toBe(true);
    for (const [path, code] of found) {
      const traces = String(code).match(
        /["'`]node:\w+|\brequire\(|["'`]webgpu["'`]|process\.\w+|dawn\.node/g,
      );
      expect(traces ?? [], path).toEqual([]);
    }
  });

  test(`is smaller than ${smallBundleBytes / 1000} kB for a single layer, minified`, async () => {
    const small = scripts(await bundle(import.meta.dirname, 'small.ts'));
    const bytes = small.reduce((sum, [, code]) => sum + Buffer.byteLength(code), 0);
    process.stdout.write(`  bundle of a single layer: ${bytes} bytes minified\n`);
    expect(bytes).toBeLessThan(smallBundleBytes);
  });
});

describe('in Chromium', () => {
  let browser: Browser | undefined;
  let server: Server | undefined;
  let watched: Watched;

  beforeAll(async () => {
    browser = await startChromium();
    const data = await loadFiles(
      FASHION_MNIST_FILES,
      FASHION_MNIST_FILES.files.map(({ name }) => name),
    );
    const zipped = data.map(({ name, bytes }) => [`data/${name}.gz`, gzipSync(bytes, { level: 1 })] as const);
    server = await serve(new Map([...built.files, ...zipped]));
    watched = await openPage(browser, server.origin);
  });

  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  test('a page trains on FashionMNIST from its own server as Node does', async () => {
    const job: Job = { data: 'fashion-mnist', baseUrl: `${server?.origin}/data/` };
    const found = await watched.page.evaluate((given) => window.runHere(given), job);
    report('page', found);
    expectSound(found);
    expectSame(found, await program(heddle, { data: 'fashion-mnist' }));
    // The first loss does not depend on the learning rate: it is PyTorch's.
    expect(
      Math.abs((found.losses[0] as number) - (tutorial.runs[0]?.losses[0]?.loss as number)),
    ).toBeLessThan(tolerance);
  });

  test('a worker trains on the synthetic set as Node does', async () => {
    const found = await watched.page.evaluate((given) => window.runInWorker(given), {
      data: 'synthetic',
    } as const);
    report('worker', found);
    expectSound(found);
    expectSame(found, await program(heddle, { data: 'synthetic' }));
  });

  test('every dispatch of a model is right in a page', async () => {
    const results = await watched.page.evaluate(() => window.checkKernels());
    expect(results.length).toBeGreaterThan(0);
    expect(results.filter(({ ok }) => !ok)).toEqual([]);
  });

  test('nothing was complained of, and nothing asked of another server', () => {
    expect(watched.complaints).toEqual([]);
    const others = watched.requests.filter(
      (url) => !/^(data|blob):/.test(url) && !url.startsWith(`${server?.origin}/`),
    );
    expect(others).toEqual([]);
    const paths = watched.requests.map((url) => new URL(url).pathname);
    expect(paths).toContain('/data/train-images-idx3-ubyte.gz');
    expect(paths.some((path) => /worker/.test(path))).toBe(true);
  });
});

/** What holds wherever the program runs. */
function expectSound(found: Outcome): void {
  expect(found.losses).toHaveLength(12);
  expect(found.after.loss).toBeLessThan(found.before.loss - 0.05);
  expect(found.losses.at(-1)).toBeLessThan(found.losses[0] as number);
  expect(found.saved).toEqual({
    '1.weight': [512, 784],
    '1.bias': [512],
    '3.weight': [512, 512],
    '3.bias': [512],
    '5.weight': [10, 512],
    '5.bias': [10],
  });
  expect(found.biasGradient).toHaveLength(10);
  expect(found.savedEqualsParameters).toBe(true);
  expect(found.bytesLeft).toBe(0);
  expect(found.afterDestroy).toBe('destroyed');
}

/** The same numbers as elsewhere: to the bit where only the host computes, nearly so where drivers do. */
function expectSame(found: Outcome, other: Outcome): void {
  expect(found.initial).toBe(other.initial);
  const numbers = ({ losses, before, after, verbLoss, biasGradient }: Outcome) => [
    ...losses,
    before.loss,
    after.loss,
    verbLoss,
    ...biasGradient,
  ];
  const expected = numbers(other);
  expect(numbers(found)).toHaveLength(expected.length);
  const apart = Math.max(...numbers(found).map((value, i) => Math.abs(value - (expected[i] as number))));
  process.stdout.write(`  furthest from Node: ${apart.toExponential(1)}\n`);
  expect(apart).toBeLessThan(tolerance);
}

function report(place: string, { adapter, features, secondsPerStep }: Outcome): void {
  const name = [adapter.vendor, adapter.architecture, adapter.description].filter(Boolean).join(' ');
  const rate = `${(1000 * secondsPerStep).toFixed(1)} ms a step`;
  process.stdout.write(`  ${place}: ${name}; ${features.join(', ') || 'no features'}; ${rate}\n`);
}
