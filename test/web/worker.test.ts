// The page's worker in a real Chromium, without the page: each command and what comes of it.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import type { Browser } from 'playwright';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { swiftshaderCandidates } from '../../scripts/setup/vulkan.mjs';
import { decodeCheckpoint, decodeSafetensors } from '../../src/index.ts';
import { bundle } from '../browser/bundle.ts';
import { startChromium } from '../browser/chromium.ts';
import { type Server, serve } from '../browser/serve.ts';
import { heddle, records, temporaryFolder } from '../cli/support.ts';
import { type Client, openClient, small } from './client.ts';

vi.setConfig({ hookTimeout: 240_000 });

const conditions = ['heddle-source', 'browser', 'module', 'import', 'default'];
const [swiftshader] = swiftshaderCandidates();
const env = swiftshader?.env ?? {};
/** `heddle train`'s options for the small settings. */
const recipe = ['--dataset', 'synthetic', '--hidden', '32', '--lr', '0.1', '--limit', '1280', '--seed', '0'];
/** How far the same driver may be apart in Chromium and in Node: they may choose other kernels. */
const tolerance = 1e-4;

let browser: Browser | undefined;
let server: Server | undefined;
const open: Client[] = [];

beforeAll(async () => {
  const [built, started] = await Promise.all([
    bundle(import.meta.dirname, 'index.html', conditions),
    startChromium(),
  ]);
  browser = started;
  server = await serve(built.files);
});
afterEach(async () => {
  for (const client of open.splice(0)) {
    const unhandled = client.all('unhandled');
    await client.close();
    expect(unhandled).toEqual([]);
  }
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

async function desk(): Promise<Client> {
  const client = await openClient(browser as Browser, (server as Server).origin);
  open.push(client);
  await client.until('status');
  return client;
}

const paused = (client: Client, since?: number) =>
  client.until('status', ({ status }) => status === 'paused', since);
const done = (client: Client, since?: number) =>
  client.until('status', ({ status }) => status === 'done', since);
const stepsOf = (client: Client) => client.all('steps').flatMap(({ steps }) => steps);
const file = async (client: Client, kind: string) => {
  const answer = await client.ask({ type: 'file', kind });
  if (answer.type !== 'file') throw new Error(JSON.stringify(answer));
  return answer;
};
const apart = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((value, i) => Math.abs(value - (b[i] as number))));
const stepLosses = (stdout: string) =>
  records(stdout)
    .filter(({ type }) => type === 'step')
    .map(({ loss }) => loss as number);

describe('a training', () => {
  test('tells what it is, every loss, epochs, mistakes, filters; answers what it is asked; keeps files', async () => {
    const client = await desk();
    await client.send({ type: 'start', settings: small });
    const { run } = await client.until('run');
    expect(run).toMatchObject({
      model: '784-32-10',
      train: 1280,
      test: 1000,
      synthetic: true,
      parameters: 25450,
    });
    await done(client);
    await client.until('filters');
    const steps = stepsOf(client);
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    expect(steps.at(-1)?.loss).toBeLessThan((steps[0]?.loss as number) / 2);
    const epochs = client.all('epoch');
    expect(epochs.map(({ epoch, step }) => [epoch, step])).toEqual([
      [1, 20],
      [2, 40],
    ]);
    const { validation } = epochs[1] as (typeof epochs)[number];
    const wrong = 1000 - Math.round(1000 * validation.accuracy);
    expect(client.all('mistakes').at(-1)?.mistakes).toHaveLength(Math.min(36, wrong));
    expect(client.all('filters').at(-1)?.filters).toMatchObject({ count: 32, height: 28, width: 28 });
    const told = client.all('status').map(({ status }) => status);
    expect(told.filter((status, i) => status !== told[i - 1])).toEqual([
      ...['idle', 'loading', 'compiling', 'training', 'evaluating', 'training', 'evaluating', 'done'],
    ]);

    // The confusion matrix's cells are those of the evaluation.
    for (const [target, predicted] of [
      [0, 0],
      [1, 2],
      [3, 3],
    ] as const) {
      const cell = await client.ask({ type: 'cell', target, predicted });
      if (cell.type !== 'cell') throw new Error(JSON.stringify(cell));
      expect(cell.images).toHaveLength(Math.min(100, validation.confusion[target]?.[predicted] as number));
    }
    const looked = await client.ask({ type: 'activations', image: 3 });
    if (looked.type !== 'activations') throw new Error(JSON.stringify(looked));
    expect(looked.layers.map(({ count, height, width }) => [count, height, width])).toEqual([
      ...[
        [1, 1, 784],
        [1, 1, 32],
        [1, 1, 32],
        [1, 1, 10],
      ],
    ]);
    const predicted = await client.ask({ type: 'predict', pixels: looked.judged.pixels });
    if (predicted.type !== 'prediction') throw new Error(JSON.stringify(predicted));
    expect(predicted.probabilities[looked.judged.predicted]).toBeCloseTo(looked.judged.probability, 6);
    expect(await client.ask({ type: 'activations', image: 1000 })).toMatchObject({ type: 'refused' });
    expect(await client.ask({ type: 'predict', pixels: new Uint8Array(3) })).toMatchObject({
      type: 'refused',
    });

    const weights = await file(client, 'safetensors');
    expect([...decodeSafetensors(weights.bytes).tensors.keys()]).toEqual([
      'linear_relu_stack.0.weight',
      'linear_relu_stack.0.bias',
      'linear_relu_stack.2.weight',
      'linear_relu_stack.2.bias',
    ]);
    const onnx = await file(client, 'onnx');
    expect(new TextDecoder('latin1').decode(onnx.bytes)).toContain('Gemm');
    const trace = JSON.parse(new TextDecoder().decode((await file(client, 'trace')).bytes));
    expect(
      trace.traceEvents.filter(({ name }: { name: string }) => name === 'submit').length,
    ).toBeGreaterThan(2);
    const kernels = await client.ask({ type: 'kernels' });
    if (kernels.type === 'kernels') expect(kernels.times).toHaveLength(run.dispatches);
    else expect(kernels).toMatchObject({ type: 'refused' });

    // Weights come back: another training begins with them.
    const from = client.said.length;
    await client.send({ type: 'start', settings: small, checkpoint: weights.bytes });
    await done(client, from);
    const again = client.said.slice(from).flatMap((one) => (one.type === 'steps' ? one.steps : []));
    expect(again[0]?.loss).toBeLessThan((steps[0]?.loss as number) / 2);
    await client.send({ type: 'reset' });
    await client.until('status', ({ status }) => status === 'idle', from);
    expect(await client.ask({ type: 'file', kind: 'onnx' })).toMatchObject({ type: 'refused' });
    expect(client.complaints).toEqual([]);
    expect(
      client.requests.every((url) => /^(data|blob):/.test(url) || url.startsWith((server as Server).origin)),
    ).toBe(true);
  });

  test('pauses at once, steps one by one, goes on exactly where it was, takes another rate, stops', async () => {
    const client = await desk();
    const settings = { ...small, limit: 6000, epochs: 1000, shuffle: true };
    await client.send({ type: 'start', settings });
    await client.until('steps');
    const asked = client.said.length;
    await client.send({ type: 'pause' });
    await paused(client, asked);
    await client.wait(400);
    const before = stepsOf(client).length;
    await client.wait(600);
    expect(stepsOf(client)).toHaveLength(before);
    for (let n = 1; n <= 2; n++) {
      const from = client.said.length;
      await client.send({ type: 'step' });
      await paused(client, from);
      expect(stepsOf(client)).toHaveLength(before + n);
    }
    // Asked for while it trains, they cost it nothing.
    await client.send({ type: 'continue' });
    expect((await client.ask({ type: 'predict', pixels: new Uint8Array(784) })).type).toBe('prediction');
    const midway = decodeCheckpoint((await file(client, 'checkpoint')).bytes).state;
    expect(midway.begun?.losses).toBe(midway.begun?.batches);
    await client.until('epoch');
    await client.send({ type: 'lr', lr: 0.025 });
    await client.until('steps', ({ steps }) => steps.some(({ lr }) => lr === 0.025));
    await client.send({ type: 'stop' });
    await client.until('status', ({ status }) => status === 'stopped');
    const steps = stepsOf(client);
    expect(steps.map(({ step }) => step)).toEqual(steps.map((_, i) => i + 1));
    expect(await client.ask({ type: 'predict', pixels: new Uint8Array(784) })).toMatchObject({
      type: 'prediction',
    });

    // The same steps as without any of this.
    const plain = await desk();
    await plain.send({ type: 'start', settings: { ...settings, epochs: 1 } });
    await done(plain);
    expect(stepsOf(plain).map(({ loss }) => loss)).toEqual(steps.slice(0, 94).map(({ loss }) => loss));
  });

  test.each(['lenet', 'cnn'] as const)(
    '%s learns, and says what its layers make of an image',
    async (model) => {
      const client = await desk();
      await client.send({ type: 'start', settings: { ...small, model, epochs: 2, limit: 320, lr: 0.02 } });
      await done(client);
      const losses = stepsOf(client).map(({ loss }) => loss);
      expect(losses).toHaveLength(10);
      expect(Math.min(...losses.slice(-3))).toBeLessThan(losses[0] as number);
      expect(client.all('epoch').map(({ step }) => step)).toEqual([5, 10]);
      expect(client.all('filters').at(-1)?.filters).toMatchObject({ height: model === 'cnn' ? 3 : 5 });
      const made = await client.ask({ type: 'activations', image: 3 });
      expect(made.type === 'activations' && made.layers.length).toBeGreaterThan(5);
      expect(client.all('error')).toEqual([]);
    },
  );

  test('tells of steps at most ten times a second, and a pause is taken within a chunk', async () => {
    const client = await desk();
    // More epochs than any machine gets done in the meantime.
    await client.send({ type: 'start', settings: { ...small, limit: 6000, hidden: [256], epochs: 400 } });
    await client.until('epoch');
    const waits: number[] = [];
    for (let i = 0; i < 3; i++) {
      const from = client.said.length;
      await client.send({ type: 'continue' });
      await client.until('steps', undefined, from);
      await client.send({ type: 'pause' });
      const { at } = await paused(client, from);
      waits.push(at - (client.all('sent').at(-1)?.at as number));
    }
    process.stdout.write(`  pauses were told after ${waits.map((ms) => Math.round(ms)).join(', ')} ms\n`);
    const within = (times: readonly { at: number }[], from: number) =>
      times.filter(({ at }) => at >= from && at < from + 1000).length;
    const steps = client.all('steps');
    // Ends of epochs and pauses tell what is left at once.
    const ends = [
      ...client.all('epoch'),
      ...client.all('status').filter(({ status }) => status === 'paused'),
    ];
    const perSecond = steps.map(({ at }) => within(steps, at) - within(ends, at));
    expect(Math.max(...perSecond)).toBeLessThanOrEqual(11);
  });
});

describe('the same numbers as in Node', () => {
  test('50 steps, and a checkpoint goes on there and here', async () => {
    const cwd = temporaryFolder();
    const run = async (...args: readonly string[]) => {
      const ended = await heddle(['train', ...args, '--json'], { cwd, env });
      expect(ended).toMatchObject({ code: 0 });
      return ended;
    };
    const options = [...recipe, '--shuffle', '--momentum', '0.9', '--log-every', '1'];
    const settings = { ...small, momentum: 0.9, shuffle: true, epochs: 3 };
    const whole = stepLosses((await run(...options, '--epochs', '3', '--out', 'whole')).stdout);
    expect(whole).toHaveLength(60);

    const client = await desk();
    await client.send({ type: 'start', settings: { ...settings, epochs: 1 } });
    await done(client);
    const made = await file(client, 'checkpoint');
    mkdirSync(join(cwd, 'from'), { recursive: true });
    writeFileSync(join(cwd, 'from', made.name), made.bytes);
    const resumed = stepLosses(
      (
        await run(
          '--resume',
          join('from', made.name),
          '--epochs',
          '3',
          '--log-every',
          '1',
          '--out',
          'resumed',
        )
      ).stdout,
    );
    const mixed = [...client.losses(), ...resumed];
    expect(mixed).toHaveLength(60);
    process.stdout.write(`  begun here, ended in Node: ${apart(mixed, whole).toExponential(1)} apart\n`);
    expect(apart(mixed, whole)).toBeLessThan(tolerance);

    // What a checkpoint says of its run is what Node says.
    const notes = (bytes: Uint8Array) => {
      const { notes: all, state } = decodeCheckpoint(bytes);
      const { kernels: _, adapter: __, ...record } = JSON.parse(all.get('heddle.record') as string);
      const { begun: ___, ...rest } = state;
      return { record, state: rest };
    };
    await run(...options, '--epochs', '1', '--out', 'one');
    const theirs = new Uint8Array(readFileSync(join(cwd, 'one', 'last.safetensors')));
    expect(notes(made.bytes)).toEqual(notes(theirs));

    const other = await desk();
    await other.send({ type: 'start', settings: { ...small, hidden: [8], epochs: 3 }, checkpoint: theirs });
    expect((await other.until('run')).run.settings).toMatchObject({ hidden: [32], momentum: 0.9, epochs: 3 });
    await done(other);
    const on = [...whole.slice(0, 20), ...other.losses()];
    expect(on).toHaveLength(60);
    process.stdout.write(`  begun in Node, ended here: ${apart(on, whole).toExponential(1)} apart\n`);
    expect(apart(on, whole)).toBeLessThan(tolerance);
    expect(other.all('epoch').map(({ epoch }) => epoch)).toEqual([2, 3]);
  });
});

describe('faults', () => {
  test('a lost device is opened again, and costs no number', async () => {
    const client = await desk();
    await client.send({ type: 'start', settings: small });
    await done(client);
    const expected = client.losses();
    const from = client.said.length;
    // Long enough not to be over before the fault gets there.
    await client.send({ type: 'start', settings: { ...small, epochs: 12 } });
    await client.until('epoch', ({ epoch }) => epoch === 1, from);
    await client.send({ type: 'faults', lose: [4] });
    await done(client, from);
    expect(
      client
        .all('notice')
        .map(({ text }) => text)
        .join(),
    ).toMatch(/lost.*opening it again/);
    const steps = client.said.slice(from).flatMap((one) => (one.type === 'steps' ? one.steps : []));
    expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 240 }, (_, i) => i + 1));
    expect(steps.slice(0, 40).map(({ loss }) => loss)).toEqual(expected);
  });

  test('three losses in a row end it, with the last weights to be had', async () => {
    const client = await desk();
    await client.send({ type: 'start', settings: { ...small, epochs: 50 } });
    await client.until('epoch');
    await client.send({ type: 'faults', lose: Array.from({ length: 300 }, (_, i) => i + 1) });
    expect(await client.until('error')).toMatchObject({ code: 'device-lost' });
    expect((await file(client, 'safetensors')).bytes.length).toBeGreaterThan(100_000);
    const from = client.said.length;
    await client.send({ type: 'faults' });
    await client.send({ type: 'start', settings: { ...small, epochs: 1 } });
    await client.until('epoch', undefined, from);
  });

  test('numbers that are not finite end it with what was found', async () => {
    const client = await desk();
    await client.send({ type: 'start', settings: { ...small, lr: 1e30 } });
    const error = await client.until('error');
    expect(error).toMatchObject({ code: 'diverged' });
    expect(error.message).toMatch(/step \d+ .*not finite.*\. .*(finite|gradients)/i);
    await client.until('status', ({ status }) => status === 'failed');
    expect((await client.ask({ type: 'predict', pixels: new Uint8Array(784) })).type).toBe('prediction');
  });

  test.each(['missing', 'null'] as const)('WebGPU %s', async (gpu) => {
    const client = await desk();
    await client.send({ type: 'faults', gpu });
    await client.send({ type: 'start', settings: small });
    expect(await client.until('error')).toMatchObject({ code: 'no-adapter' });
    expect(await client.ask({ type: 'predict', pixels: new Uint8Array(784) })).toMatchObject({
      type: 'refused',
    });
  });

  test.each([
    ['settings that cannot be', { ...small, batchSize: 0 }, undefined, 'usage'],
    ['a file that is no checkpoint', small, new Uint8Array(100), 'file'],
  ] as const)('%s', async (_, settings, checkpoint, code) => {
    const client = await desk();
    await client.send({ type: 'start', settings, ...(checkpoint && { checkpoint }) });
    expect(await client.until('error')).toMatchObject({ code });
    const from = client.said.length;
    await client.send({ type: 'start', settings: { ...small, epochs: 1 } });
    await client.until('epoch', undefined, from);
  });
});

describe('data', () => {
  const folder = '/usr/share/datasets/fashion-mnist';
  const read = (name: string) => new Uint8Array(readFileSync(join(folder, `${name}.gz`)));
  const names = [
    't10k-images-idx3-ubyte',
    't10k-labels-idx1-ubyte',
    'train-images-idx3-ubyte',
    'train-labels-idx1-ubyte',
  ];
  const settings = { ...small, dataset: 'fashion-mnist', epochs: 1, batchSize: 256 } as const;

  test('where there is none, says what to do; dropped files do, packed or not; a wrong one is told', async () => {
    const client = await desk();
    await client.send({ type: 'start', settings });
    const error = await client.until('error');
    expect(error).toMatchObject({ code: 'data', todo: expect.stringContaining('Drop') });
    const dataset = 'fashion-mnist';
    let from = client.said.length;
    const labels = gunzipSync(read('t10k-labels-idx1-ubyte'));
    const broken = Uint8Array.from(labels);
    broken[100] = (broken[100] as number) ^ 1;
    for (const [name, bytes, reason] of [
      ['me.png', new Uint8Array([137, 80, 78, 71]), /IDX/],
      ['labels', broken, /SHA-256/],
      ['cut.gz', read('t10k-labels-idx1-ubyte').subarray(0, 1000), /gzip/],
    ] as const) {
      from = client.said.length;
      await client.send({ type: 'files', dataset, files: [{ name, bytes }] });
      const refused = await client.until('error', undefined, from);
      expect(refused.code).toBe('data');
      expect(refused.message).toMatch(reason);
    }
    from = client.said.length;
    await client.send({
      type: 'files',
      dataset,
      files: names.slice(1).map((name, i) => ({
        name: `${i}`,
        bytes: name.includes('t10k') ? new Uint8Array(labels) : read(name),
      })),
    });
    expect((await client.until('notice', undefined, from)).text).toContain('3 of 4 files');
    from = client.said.length;
    await client.send({ type: 'files', dataset, files: [{ name: 'x', bytes: read(names[0] as string) }] });
    expect((await client.until('notice', undefined, from)).text).toContain('all 4 files');
    from = client.said.length;
    await client.send({ type: 'start', settings });
    expect((await client.until('run', undefined, from)).run).toMatchObject({
      train: 1280,
      test: 10000,
      synthetic: false,
    });
    await client.until('epoch', undefined, from);
  });

  test('comes no further when the training is stopped; another start begins anew', async () => {
    const built = await bundle(import.meta.dirname, 'index.html', conditions);
    let stuck = true;
    let closed = 0;
    const own = await serve(built.files, (path, response) => {
      const name = names.find((one) => path === `data/fashion-mnist/${one}.gz`);
      if (name === undefined) return response.writeHead(404).end();
      const content = gzipSync(gunzipSync(read(name)), { level: 1 });
      response.writeHead(200, { 'content-length': content.length });
      if (!stuck) return response.end(content);
      response.on('close', () => closed++);
      return response.write(content.subarray(0, 1000)); // and no more
    });
    const client = await openClient(browser as Browser, own.origin);
    open.push(client);
    await client.send({ type: 'start', settings });
    await client.until('download');
    expect(closed).toBe(0);
    await client.send({ type: 'stop' });
    await client.until('status', ({ status }) => status === 'stopped');
    await vi.waitFor(() => expect(closed).toBe(1), 30_000);
    stuck = false;
    const from = client.said.length;
    await client.send({ type: 'start', settings });
    await client.until('epoch', undefined, from);
    expect(client.all('error')).toEqual([]);
    await own.close();
  });

  test('comes from the page’s own server, is kept for the next visit, and is had without storage too', async () => {
    const built = await bundle(import.meta.dirname, 'index.html', conditions);
    const zipped = names.map(
      (name) => [`data/fashion-mnist/${name}.gz`, gzipSync(gunzipSync(read(name)), { level: 1 })] as const,
    );
    const own = await serve(new Map([...built.files, ...zipped]));
    const context = await openClient(browser as Browser, own.origin);
    open.push(context);
    await context.send({ type: 'start', settings });
    await context.until('epoch');
    expect(context.all('download').map(({ file: name }) => name)).toContain('train-images-idx3-ubyte');
    expect(context.all('notice')).toEqual([]);
    const asked = context.requests.filter((url) => url.includes('/data/')).length;
    const from = context.said.length;
    await context.reload();
    await context.send({ type: 'start', settings });
    await context.until('epoch', undefined, from);
    expect(context.requests.filter((url) => url.includes('/data/'))).toHaveLength(asked);

    const without = await openClient(browser as Browser, own.origin);
    open.push(without);
    await without.send({ type: 'faults', storage: 'refused' });
    await without.send({ type: 'start', settings });
    await without.until('epoch');
    expect(without.all('notice').map(({ text }) => text)).toEqual([
      expect.stringContaining('fashion-mnist is not kept for the next visit'),
    ]);
    await own.close();
  });
});
