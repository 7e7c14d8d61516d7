// `heddle ui` and `heddle train --ui` as processes, and what they are made of where a process shows too little.

import { appendFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { build } from '../../scripts/setup/project.mjs';
import { tailOf } from '../../src/cli/tail.ts';
import { type TrainUi, withUi } from '../../src/cli/train-ui.ts';
import { watchFolder } from '../../src/cli/watch-folder.ts';
import { createWatched } from '../../src/cli/watched.ts';
import { HeddleError } from '../../src/errors.ts';
import type { Message } from '../../src/recipes/protocol.ts';
import { freePort, heddle, records, someEvents, temporaryFolder } from './support.ts';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

beforeAll(() => build()); // the page, unless it is what the sources say

const messagesIn = (text: string): Message[] =>
  text.split('\n').flatMap((line) => (line.startsWith('data: ') ? [JSON.parse(line.slice(6))] : []));

/** Listens to a run until `enough`, or until the server ends the stream. */
async function hear(url: string, enough: (heard: readonly Message[]) => boolean = () => false) {
  const control = new AbortController();
  const response = await fetch(url, { signal: control.signal });
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    const whole = messagesIn(text.slice(0, text.lastIndexOf('\n\n') + 2));
    if (enough(whole)) break;
  }
  control.abort();
  return messagesIn(text.slice(0, text.lastIndexOf('\n\n') + 2));
}

const statusesOf = (messages: readonly Message[]) =>
  messages.flatMap((message) => (message.type === 'status' ? [message.status] : []));
const pointsOf = (messages: readonly Message[]) =>
  messages.flatMap((message) => (message.type === 'steps' ? message.steps : []));

describe('heddle ui', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('serves the page until %s, and exits with %d', async (signal, code) => {
    let asked: Promise<number[]> | undefined;
    const ended = await heddle(['ui', '--port', '0'], {
      cwd: temporaryFolder(),
      onStdout(text, child) {
        const [url] = /^http:\/\/127\.0\.0\.1:\d+\/\n$/.exec(text) ?? ['nothing'];
        asked ??= Promise.all(
          [url, `${url}data/t10k-labels-idx1-ubyte.gz`, `${url}events`].map(
            async (address) => (await fetch(address.replace('\n', ''))).status,
          ),
        ).finally(() => child.kill(signal));
      },
    });
    expect(await asked).toEqual([200, 200, 404]);
    expect(ended).toMatchObject({ code, stderr: '' });
    expect(ended.lingered).toBeLessThan(5000);
  });

  test('--json tells the address as an object', async () => {
    const port = await freePort();
    const { code, stdout } = await heddle(['ui', '--json', '--port', String(port)], {
      cwd: temporaryFolder(),
      onStdout: (_, child) => child.kill('SIGINT'),
    });
    expect(code).toBe(130);
    expect(records(stdout)).toEqual([{ type: 'ui', url: `http://127.0.0.1:${port}/` }]);
  });

  test('a port that is taken: one line, exit 1', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ended = await heddle(['ui', '--port', String(port)], { cwd: temporaryFolder() });
    const train = await heddle(['train', '--ui', '--ui-port', String(port)], { cwd: temporaryFolder() });
    server.close();
    const reason = `port ${port} of 127.0.0.1 is taken; name another, or 0 for a free one`;
    expect(ended).toMatchObject({ code: 1, stdout: '', stderr: `heddle ui: --port: ${reason}\n` });
    expect(train).toMatchObject({ code: 1, stdout: '', stderr: `heddle train: --ui-port: ${reason}\n` });
  });

  test.each([
    [['ui', '--port', '65536'], "--port: found '65536', expected a port from 0 to 65535"],
    [['ui', '--port', 'http'], "--port: found 'http', expected a port"],
    [['ui', 'nowhere'], 'run.json does not exist; expected the folder of a run'],
    [['ui', 'a.safetensors'], 'is a file, expected the folder of a run'],
    [['train', '--ui-port', '1'], '--ui-port: expected together with --ui'],
    [['train', '--ui', '--ui-port', 'x'], "--ui-port: found 'x', expected a port"],
  ])('heddle %j: exit 2, one line, nothing created', async (args, message) => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'a.safetensors'), '');
    const { code, stdout, stderr } = await heddle(args, { cwd });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^[^\n]+\n$/);
    expect(readdirSync(cwd)).toEqual(['a.safetensors']);
  });
});

describe('heddle train --ui', () => {
  test('shows the run while it is trained, to early and late pages, and ends with it', async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/`;
    let early: Promise<Message[]> | undefined;
    let late: Promise<Message[]> | undefined;
    let page: Promise<string> | undefined;
    const args = ['train', '--dataset', 'synthetic', '--hidden', '16', '--epochs', '100000', '--json'];
    const ended = await heddle([...args, '--ui', '--ui-port', String(port)], {
      cwd: temporaryFolder(),
      onStdout(text, child) {
        early ??= hear(`${url}events`);
        page ??= fetch(url).then((response) => response.text());
        if (late !== undefined || (text.match(/"type":"epoch"/g)?.length ?? 0) < 3) return;
        late = hear(`${url}events`, (heard) => pointsOf(heard).length > 0).finally(() =>
          child.kill('SIGINT'),
        );
      },
    });
    expect(ended.code).toBe(130);
    expect(ended.lingered).toBeLessThan(5000);
    expect(ended.stderr).toContain(`the run’s page: ${url}\n`);
    expect(await page).toContain('<meta name="heddle-watch" content="events">');
    const events = records(ended.stdout);
    const [run] = events;
    expect(run?.options).toMatchObject({ ui: true, uiPort: port });

    const heard = (await early) ?? [];
    expect(heard.find(({ type }) => type === 'run')).toMatchObject({
      run: {
        settings: { dataset: 'synthetic', hidden: [16], batchSize: 64, lr: 0.001, epochs: 100000 },
        ...{ model: '784-16-10', parameters: 12730, synthetic: true, train: 6000, test: 1000 },
        ...{ folder: run?.run, dispatches: expect.any(Number), bytes: expect.any(Number) },
        classes: expect.arrayContaining([expect.any(String)]),
      },
    });
    // Every step, in its order, with the losses that the terminal has.
    const points = pointsOf(heard);
    expect(points.map(({ step }) => step)).toEqual(points.map((_, i) => i + 1));
    const printed = events.filter(({ type }) => type === 'step');
    for (const { step, epoch, loss, lr } of printed.slice(0, 5))
      expect(points[Number(step) - 1]).toEqual({ step, epoch, loss, lr });
    const [epoch] = heard.filter((message) => message.type === 'epoch');
    expect(epoch).toMatchObject({ epoch: 1, step: 94 });
    const counted = epoch?.validation.confusion.flat().reduce((a, b) => a + b, 0);
    expect(counted).toBe(1000);
    expect(statusesOf(heard)).toContain('evaluating');
    expect(statusesOf(heard).at(-1)).toBe('stopped');

    const caught = (await late) ?? [];
    expect(caught[0]).toEqual(heard.find(({ type }) => type === 'run'));
    expect(pointsOf(caught)[0]).toEqual(points[0]);
    expect(caught.filter(({ type }) => type === 'epoch').length).toBeGreaterThanOrEqual(3);
  });

  test('without a terminal it ends with the run, though a page listens, and a run that goes on shows its beginning', async () => {
    const cwd = temporaryFolder();
    const port = String(await freePort());
    const args = ['--dataset', 'synthetic', '--hidden', '16', '--out', 'run', '--json', '--log-every', '10'];
    const train = async (more: string[]) => {
      let heard: Promise<Message[]> | undefined;
      const ended = await heddle(['train', ...more, '--ui', '--ui-port', port], {
        cwd,
        onStdout: () => {
          heard ??= hear(`http://127.0.0.1:${port}/events`);
        },
      });
      expect(ended.code, ended.stderr).toBe(0);
      expect(ended.lingered).toBeLessThan(5000);
      return (await heard) ?? [];
    };
    const first = await train([...args, '--epochs', '30']);
    expect(statusesOf(first).at(-1)).toBe('done');
    const again = await train(['--resume', 'run', '--epochs', '60', '--json']);
    expect(pointsOf(again)[0]).toEqual(pointsOf(first)[0]);
    expect(pointsOf(again).at(-1)?.step).toBe(60 * 94);
    expect(again.filter(({ type }) => type === 'epoch')).toHaveLength(60);
    expect(statusesOf(again).at(-1)).toBe('done');

    // And the folder, looked at afterwards.
    let seen: Promise<Message[]> | undefined;
    const { code } = await heddle(['ui', 'run', '--port', port], {
      cwd,
      onStdout(_, child) {
        const ended = (heard: readonly Message[]) => statusesOf(heard).includes('done');
        seen ??= hear(`http://127.0.0.1:${port}/events`, ended).finally(() => child.kill('SIGINT'));
      },
    });
    expect(code).toBe(130);
    const replayed = (await seen) ?? [];
    expect(replayed.map(({ type }) => type).slice(0, 2)).toEqual(['run', 'steps']);
    const known = new Map(pointsOf(again).map((point) => [point.step, point]));
    expect(pointsOf(replayed).length).toBeGreaterThan(300);
    for (const point of pointsOf(replayed)) expect(known.get(point.step) ?? point).toEqual(point);
    expect(replayed.filter(({ type }) => type === 'epoch')).toHaveLength(60);
  });
});

describe('withUi', () => {
  /** A session that nobody has stopped, and what stops it. */
  function sessionOf() {
    const abort = new AbortController();
    return { abort, session: { watch: { signal: abort.signal } as never } };
  }
  const addressOf = (page: TrainUi | undefined) => /http\S+/.exec(page?.address ?? '')?.[0] ?? '';
  const options = { ui: true, uiPort: 0 };
  const [run] = someEvents;
  if (run?.type !== 'run') throw new Error('the run comes first');
  const begin = (page: TrainUi | undefined) => page?.begin(run, { classes: ['a'], dispatches: 1, bytes: 1 });

  test('on a terminal the page stays while somebody looks at it', async () => {
    const { session } = sessionOf();
    const said: string[] = [];
    let heard: Promise<Message[]> | undefined;
    const control = new AbortController();
    const started = performance.now();
    const code = await withUi(
      options,
      session,
      async (page) => {
        begin(page);
        for (const event of someEvents.slice(1)) page?.event(event);
        heard = hear(`${addressOf(page)}events`, (all) => statusesOf(all).includes('done'));
        const stays = fetch(`${addressOf(page)}events`, { signal: control.signal });
        await stays;
        setTimeout(() => control.abort(), 200);
        return 0;
      },
      { terminal: true, say: (line) => said.push(line) },
    );
    expect(code).toBe(0);
    expect(said).toHaveLength(1);
    expect(said[0]).toMatch(/^the page stays at http:\S+ until it is closed; Ctrl-C ends it\n$/);
    expect(performance.now() - started).toBeGreaterThan(3000); // it might have been reloaded
    expect((await heard)?.map(({ type }) => type)).toEqual(['run', 'epoch', 'status']);
  });

  test.each([
    ['nobody looks at it', true, false],
    ['there is no terminal', false, true],
  ])('it ends with the run when %s', async (_, terminal, looks) => {
    const { session } = sessionOf();
    let heard: Promise<unknown> | undefined;
    const code = await withUi(
      options,
      session,
      async (page) => {
        if (looks) {
          const response = await fetch(`${addressOf(page)}events`);
          heard = response.text();
        }
        return 0;
      },
      { terminal, say: () => expect.unreachable() },
    );
    expect(code).toBe(0);
    await heard;
  });

  test('Ctrl-C ends a page that stays, and leaves the exit code as it was', async () => {
    const { session, abort } = sessionOf();
    let heard: Promise<string> | undefined;
    const code = await withUi(
      options,
      session,
      async (page) => {
        const response = await fetch(`${addressOf(page)}events`);
        heard = response.text();
        return 0;
      },
      { terminal: true, say: () => abort.abort() },
    );
    expect(code).toBe(0);
    expect(await heard).toContain('"type":"status"');
  });

  test('a run that fails says so on its page, which ends', async () => {
    const { session } = sessionOf();
    let heard: Promise<string> | undefined;
    const failing = withUi(
      options,
      session,
      async (page) => {
        begin(page);
        const response = await fetch(`${addressOf(page)}events`);
        heard = response.text();
        throw new HeddleError('diverged', 'the loss of step 3 is NaN');
      },
      { terminal: true },
    );
    await expect(failing).rejects.toThrow('the loss of step 3 is NaN');
    const messages = messagesIn((await heard) ?? '');
    expect(messages.at(-2)).toEqual({
      ...{ type: 'error', code: 'diverged', message: 'the loss of step 3 is NaN' },
      todo: 'A smaller learning rate may help; runs/x has the last good checkpoint.',
    });
    expect(messages.at(-1)).toMatchObject({ status: 'failed' });
  });
});

describe('a folder that is watched', () => {
  const line = (event: object) => `${JSON.stringify(event)}\n`;
  const step = (n: number, loss: number | null = 1 / n) =>
    line({ type: 'step', epoch: 1, step: n, samples: 64 * n, loss, lr: 0.1 });

  function folder() {
    const run = join(temporaryFolder(), 'run');
    mkdirSync(run);
    const options = { model: 'mlp', dataset: 'synthetic', batchSize: 64, hidden: [16], epochs: 2, seed: 0 };
    const record = (status: string, error?: string) =>
      writeFileSync(join(run, 'run.json'), JSON.stringify({ status, error, classes: 10, options }));
    const own = (pid: number) =>
      writeFileSync(join(run, 'lock.json'), JSON.stringify({ pid, host: 'elsewhere' }));
    record('running');
    const log = join(run, 'events.jsonl');
    writeFileSync(log, line({ ...someEvents[0], options }));
    return { run, log, record, own };
  }

  test('is told as it grows, torn and strange lines left out', async () => {
    const { run, log, record, own } = folder();
    own(1);
    appendFileSync(
      log,
      `${step(1)}{"type":"step"}\nnonsense\n${line({ type: 'other' })}${step(2, null)}{"type":"st`,
    );
    const watched = createWatched();
    const stop = watchFolder(run, watched);
    const told: Message[] = [];
    watched.listen((message) => told.push(message));
    const before = watched.backlog();
    expect(before.map(({ type }) => type)).toEqual(['run', 'steps', 'status']);
    expect(before[0]).toMatchObject({
      run: { folder: run, classes: { length: 10 }, model: '784-512-512-10' },
    });
    expect(pointsOf(before)).toEqual([
      { step: 1, epoch: 1, loss: 1, lr: 0.1 },
      { step: 2, epoch: 1, loss: Number.NaN, lr: 0.1 },
    ]);
    expect(statusesOf(before)).toEqual(['training']);
    appendFileSync(log, `ep"}\n${step(3)}`);
    const validation = { loss: 2, accuracy: 0.5 };
    const epoch = { type: 'epoch', epoch: 1, seconds: 1, samplesPerSecond: 1, train: { loss: 2 } };
    appendFileSync(log, line({ ...epoch, validation }));
    record('interrupted');
    await vi.waitFor(() => expect(statusesOf(told)).toEqual(['stopped']), { timeout: 5000 });
    expect(pointsOf(told).map((point) => point.step)).toEqual([3]);
    expect(told.find(({ type }) => type === 'epoch')).toMatchObject({
      validation: { ...validation, confusion: [], ranks: [] },
    });
    stop();
  });

  test.each([
    ['done', undefined, 'done', ''],
    ['interrupted', undefined, 'stopped', 'goes on'],
    ['failed', 'the disk is full', 'failed', 'the disk is full'],
    ['running', undefined, 'stopped', 'process is gone'],
  ])('of a run that is %s (%s) says so', (status, error, found, text) => {
    const { run, record } = folder();
    record(status, error);
    const watched = createWatched();
    watchFolder(run, watched)();
    expect(watched.backlog().at(-1)).toEqual({
      ...{ type: 'status', status: found },
      text: expect.stringContaining(text),
    });
  });

  test('a file’s lines come once, and anew when another takes its place', () => {
    const path = join(temporaryFolder(), 'log');
    const lines = tailOf(path);
    const next = () => [...lines()];
    expect(next()).toEqual([]);
    writeFileSync(path, 'one\ntwo\nthr');
    expect(next()).toEqual(['one', 'two']);
    expect(next()).toEqual([]);
    appendFileSync(path, 'é'.slice(0, 1));
    appendFileSync(path, '\n\nfour\n');
    expect(next()).toEqual(['thré', '', 'four']);
    writeFileSync(path, 'new\n');
    expect(next()).toEqual(['new']);
    const long = 'x'.repeat(3 << 20);
    appendFileSync(path, `${'short\n'.repeat(500_000)}${long}`);
    expect(next()).toHaveLength(500_000);
    appendFileSync(path, '\nafter\n');
    expect(next().at(-1)).toBe('after');
  });
});
