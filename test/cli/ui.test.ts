// `heddle ui` and `heddle train --ui` as processes.

import { readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { build } from '../../scripts/setup/project.mjs';
import type { Message } from '../../src/recipes/protocol.ts';
import { hear, pointsOf, statusesOf } from './listen.ts';
import { freePort, heddle, records, temporaryFolder } from './support.ts';

vi.setConfig({ hookTimeout: 240_000 });

beforeAll(() => build()); // the page, unless it is what the sources say

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
        late = hear(`${url}events`, (heard) => statusesOf(heard).length > 0).finally(() =>
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
    const pictures = heard.filter((message) => message.type === 'filters');
    expect(pictures[0]?.filters).toMatchObject({
      ...{ label: 'linear_relu_stack.0.weight', count: 16, height: 28, width: 28 },
      values: { length: 16 * 784 },
    });
    const mistakes = heard.filter((message) => message.type === 'mistakes');
    expect(mistakes.length).toBeGreaterThanOrEqual(1);
    for (const { target, predicted, probability, pixels } of mistakes[0]?.mistakes ?? []) {
      expect(predicted).not.toBe(target);
      expect(probability).toBeGreaterThan(0);
      expect(pixels).toHaveLength(784);
    }
    expect(mistakes[0]?.mistakes.length).toBe(36);
    expect(statusesOf(heard)).toContain('evaluating');
    expect(statusesOf(heard).at(-1)).toBe('stopped');

    const caught = (await late) ?? [];
    expect(caught[0]).toEqual(heard.find(({ type }) => type === 'run'));
    expect(pointsOf(caught)[0]).toEqual(points[0]);
    expect(caught.some(({ type }) => type === 'filters')).toBe(true);
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
