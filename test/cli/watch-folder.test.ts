// A run's folder as another process watches it.

import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { tailOf } from '../../src/cli/tail.ts';
import { watchFolder } from '../../src/cli/watch-folder.ts';
import { createWatched } from '../../src/cli/watched.ts';
import type { Message } from '../../src/recipes/protocol.ts';
import { pointsOf, statusesOf } from './listen.ts';
import { someEvents, temporaryFolder } from './support.ts';

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
