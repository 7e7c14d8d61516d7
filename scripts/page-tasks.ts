// How busy the page's main thread is while a network trains in its worker: tasks by what they cost in CPU time and by how
// long they took with all else that the machine does, pauses between frames; and how long the GPU is at work on each submit
// of the worker. Prints numbers; nothing is asserted.
//   npx tsx --conditions=heddle-source scripts/page-tasks.ts [seconds] [settings, as in a share link] [file for the trace]

import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { startChromium } from '../test/browser/chromium.ts';

const [seconds = '60', settings = 'dataset=fashion-mnist&limit=3200&epochs=1000', file] =
  process.argv.slice(2);

/** What of Chrome's trace events is used; times are in µs, `tdur` is CPU time. */
interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly tdur?: number;
  readonly args?: { readonly name?: string };
}

/** What the page saw of itself, in ms: tasks of more than 50, and the time from each frame to the next. */
interface Found {
  readonly long: readonly { readonly start: number; readonly duration: number }[];
  readonly gaps: readonly number[];
}

/** In front of the worker's script: tells the console of each submit, by its label, how long after the one before it was done. */
const watchSubmits = `{
  const { finish } = GPUCommandEncoder.prototype;
  GPUCommandEncoder.prototype.finish = function () { return finish.call(this, { label: this.label || 'copy' }); };
  const { submit } = GPUQueue.prototype;
  let last = 0;
  GPUQueue.prototype.submit = function (all) {
    const at = performance.now();
    submit.call(this, all);
    this.onSubmittedWorkDone().then(() => {
      const now = performance.now();
      console.debug('submit', (now - Math.max(at, last)).toFixed(1), all[0]?.label);
      last = now;
    });
  };
}\n`;

const ms = (us = 0) => (us / 1000).toFixed(0);
function spread(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (q: number) => (sorted[Math.floor(q * (sorted.length - 1))] ?? 0).toFixed(0);
  return `${values.length}; median ${at(0.5)}, 90 % ${at(0.9)}, 99 % ${at(0.99)}, greatest ${at(1)} ms`;
}

/** The program's own server of the page. */
function serve(): Promise<{ readonly url: string; stop(): void }> {
  const args = ['dist/cli/main.js', 'ui', '--port', '0'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    const stop = () => child.kill('SIGINT');
    child.stdout.once('data', (text) => resolve({ url: String(text).trim(), stop }));
    child.once('exit', () => reject(new Error('heddle ui ended: has the page been built?')));
  });
}

const server = await serve();
const browser = await startChromium();
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  const submits = new Map<string, number[]>();
  page.on('console', (message) => {
    const [word, time, ...label] = message.text().split(' ');
    if (word !== 'submit') return;
    const name = label.join(' ');
    submits.set(name, [...(submits.get(name) ?? []), Number(time)]);
  });
  await page.route('**/assets/worker-*.js', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: watchSubmits + (await response.text()) });
  });
  await page.goto(`${server.url}#${settings}`);
  await page.evaluate('globalThis.__name = (one) => one'); // tsx names functions by it
  await page.evaluate(() => {
    const found = { long: [] as { start: number; duration: number }[], gaps: [] as number[] };
    Object.assign(globalThis, { found });
    new PerformanceObserver((list) => {
      for (const { startTime: start, duration } of list.getEntries()) found.long.push({ start, duration });
    }).observe({ type: 'longtask' });
    let last = performance.now();
    const frame = (now: number) => {
      found.gaps.push(now - last);
      last = now;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  const categories = ['toplevel', 'devtools.timeline', 'disabled-by-default-v8.cpu_profiler'];
  await browser.startTracing(page, { categories });
  await page.getByRole('button', { name: 'Start', exact: true }).click();
  await page.locator('.status.training').waitFor({ timeout: 120_000 });
  const begun = Number(await page.evaluate('performance.now()'));
  const load = loadavg()[0]?.toFixed(1);
  await page.waitForTimeout(1000 * Number(seconds));
  const { long, gaps } = await page.evaluate(() => (globalThis as unknown as { found: Found }).found);
  const told = await page.locator('.stat.progress').textContent();
  const trace = await browser.stopTracing();
  if (file !== undefined) writeFileSync(file, trace);

  const { traceEvents } = JSON.parse(trace.toString()) as { readonly traceEvents: readonly TraceEvent[] };
  const mains = traceEvents
    .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
    .map(({ pid, tid }) => `${pid}.${tid}`);
  const events = traceEvents.filter(({ pid, tid, ph }) => ph === 'X' && mains.includes(`${pid}.${tid}`));
  const tasks = events.filter(({ name }) => name.endsWith('RunTask'));
  const parts = events.filter(({ name }) => !name.endsWith('RunTask'));
  const print = (by: 'dur' | 'tdur') => {
    for (const task of tasks.toSorted((a, b) => (b[by] ?? 0) - (a[by] ?? 0)).slice(0, 8)) {
      const { ts, dur = 0, tdur } = task;
      const most = parts
        .filter((part) => part.ts >= ts && part.ts + (part.dur ?? 0) <= ts + dur)
        .toSorted((a, b) => (b[by] ?? 0) - (a[by] ?? 0))
        .slice(0, 6)
        .map((part) => `${part.name} ${ms(part[by])}`);
      console.log(`  ${ms(tdur)} ms of CPU time in ${ms(dur)} ms: ${most.join(', ')}`);
    }
  };
  console.log(`${seconds} s of ${settings}: ${told}`);
  console.log(`load average ${load} when training began, ${loadavg()[0]?.toFixed(1)} at the end`);
  console.log(`pauses between frames: ${spread(gaps)}`);
  const tasksOf = (some: typeof long) => spread(some.map(({ duration }) => duration));
  console.log(`long tasks before training began: ${tasksOf(long.filter(({ start }) => start < begun))}`);
  console.log(`long tasks since: ${tasksOf(long.filter(({ start }) => start >= begun))}`);
  console.log(`tasks by CPU time: ${spread(tasks.map(({ tdur = 0 }) => tdur / 1000))}`);
  console.log('the most by CPU time, and what is in them:');
  print('tdur');
  console.log('the longest, and what is in them:');
  print('dur');
  for (const [label, times] of submits) console.log(`submits of ${label}: ${spread(times)}`);
} finally {
  await browser.close();
  server.stop();
}
