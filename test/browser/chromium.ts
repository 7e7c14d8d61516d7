// A headless Chromium with WebGPU for tests: which program, how it is started, and everything a page in it complains of.

import { type Browser, chromium, type LaunchOptions, type Page } from 'playwright';
import { which } from '../../scripts/setup/common.mjs';

/** The browser's programs by the names that distributions give them. */
const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

const args = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--disable-quic',
  // Nothing but the tests' own servers exists.
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
];

/** How to start the browser; undefined when this machine has none. */
export function chromiumOptions(): LaunchOptions | undefined {
  const path =
    process.env.CHROME_PATH || names.map((name) => which(name)).find((found) => found !== undefined);
  if (path === undefined && process.platform === 'linux') return undefined;
  // Its GPU process finds its own driver; the one chosen for the tests in Node is not meant for it.
  const { VK_ICD_FILENAMES, VK_DRIVER_FILES, LD_LIBRARY_PATH, ...env } = process.env;
  const strings = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined));
  const options = { args, env: strings as Record<string, string>, headless: true };
  return path === undefined ? { ...options, channel: 'chrome' } : { ...options, executablePath: path };
}

/** Starts the browser, with a profile of its own. Throws, naming what to install, when there is none. */
export async function startChromium(): Promise<Browser> {
  const options = chromiumOptions();
  if (options === undefined) {
    throw new Error(
      'the browser tests need Chromium: `apt-get install chromium`, or name a Chrome with CHROME_PATH',
    );
  }
  return chromium.launch(options);
}

/** A page with what it and its workers said and asked for. */
export interface Watched {
  readonly page: Page;
  /** Console errors and warnings, uncaught errors, unhandled rejections, failed requests. */
  readonly complaints: readonly string[];
  /** Addresses of all requests. */
  readonly requests: readonly string[];
}

/** Opens an address in a new page and listens to it from the start. */
export async function openPage(browser: Browser, address: string): Promise<Watched> {
  const context = await browser.newContext();
  const complaints: string[] = [];
  const requests: string[] = [];
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()))
      complaints.push(`${message.type()}: ${message.text()}`);
  });
  // Uncaught errors and, in Chromium, unhandled rejections.
  context.on('weberror', (error) => complaints.push(`uncaught: ${error.error().message}`));
  context.on('request', (request) => requests.push(request.url()));
  context.on('requestfailed', (request) => complaints.push(`failed: ${request.url()}`));
  context.on('response', (response) => {
    if (!response.ok()) complaints.push(`${response.status()}: ${response.url()}`);
  });
  const page = await context.newPage();
  await page.goto(address);
  return { page, complaints, requests };
}
