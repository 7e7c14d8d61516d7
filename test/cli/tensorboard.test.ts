import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createTensorboardWriter, tensorboardSink } from '../../src/cli/tensorboard.ts';
import { HeddleError } from '../../src/errors.ts';
import { type ReadEvent, readRecords } from '../support/tfevents.ts';
import { someEvents, temporaryFolder } from './support.ts';

const now = () => 1_700_000_000_250;
const seconds = now() / 1000;
const eventFiles = (folder: string) => readdirSync(folder).filter((name) => name.includes('tfevents'));
const readOne = (folder: string, name = eventFiles(folder)[0] as string) =>
  readRecords(readFileSync(join(folder, name)));

/** Curves by tag, as [step, value]. */
function curves(events: readonly ReadEvent[]): Record<string, [number, number][]> {
  const found: Record<string, [number, number][]> = {};
  for (const { tag, value, step } of events) {
    if (tag === undefined || value === undefined) continue;
    found[tag] ??= [];
    found[tag].push([step, value]);
  }
  return found;
}

test('a file begins with its version and a session, and each record is in it at once', () => {
  const folder = temporaryFolder();
  const writer = createTensorboardWriter(folder, { now, firstStep: 301 });
  expect(eventFiles(folder)[0]).toMatch(/^events\.out\.tfevents\.1700000000\.[\w.-]+\.\d+\.\d+$/);
  const opening = [
    { seconds, step: 0, version: 'brain.Event:2' },
    { seconds, step: 301, start: true },
  ];
  expect(readOne(folder)).toEqual(opening);
  writer.scalar('a', Number.NaN, 301);
  writer.scalar('a', Number.NEGATIVE_INFINITY, 302);
  writer.text('b', '**c**', 0);
  writer.histogram('weights/1.weight', Float32Array.of(Number.NaN), 303);
  writer.histogram('weights/1.weight', Float32Array.of(0.5, Number.POSITIVE_INFINITY), 304);
  writer.restart(302);
  const read = readOne(folder);
  expect(read.slice(2, 5)).toEqual([
    { seconds, step: 301, tag: 'a', value: Number.NaN },
    { seconds, step: 302, tag: 'a', value: Number.NEGATIVE_INFINITY },
    { seconds, step: 0, tag: 'b', text: '**c**' },
  ]);
  expect(read[5]).toMatchObject({ step: 304, tag: 'weights/1.weight', histogram: { num: 1, max: 0.5 } });
  expect(read[6]).toEqual({ seconds, step: 302, start: true });
  expect(read.length).toBe(7);
  writer.close();
  writer.close();
  writer.scalar('a', 1, 305);
  expect(readOne(folder).length).toBe(7);
});

test('a later file sorts behind earlier ones, though the clock has not moved or was set back', () => {
  const folder = temporaryFolder();
  const made: string[] = [];
  for (const time of [now(), now(), 1e9]) {
    createTensorboardWriter(folder, { now: () => time }).close();
    made.push(eventFiles(folder).find((name) => !made.includes(name)) as string);
  }
  expect(made.length).toBe(3);
  expect(made).toEqual(made.toSorted());
});

test('a folder that is none is refused in one line', () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'file'), '');
  for (const name of ['missing', 'file']) {
    const create = () => createTensorboardWriter(join(folder, name));
    expect(create).toThrow(HeddleError);
    expect(create).toThrow(/^no TensorBoard event file could be made in .*(ENOENT|ENOTDIR)/);
  }
});

test('a run’s events become curves over its steps', () => {
  const folder = temporaryFolder();
  const sink = tensorboardSink(createTensorboardWriter(folder, { now }));
  const events = someEvents.map((event) =>
    event.type === 'run' ? { ...event, options: { batchSize: 64, dataset: 'a|b' } } : event,
  );
  for (const event of events) sink.event(event);
  sink.close();
  const read = readOne(folder);
  const { fround } = Math;
  expect(curves(read)).toEqual({
    'train/loss': [
      [1, fround(2.305311441421509)],
      [101, fround(2.298351287841797)],
    ],
    lr: [
      [1, fround(0.001)],
      [101, fround(0.001)],
    ],
    'epoch/train_loss': [[938, fround(2.24)]],
    'validation/loss': [[938, fround(2.162511728371784)]],
    'validation/accuracy': [[938, fround(0.4947)]],
    'speed/images_per_second': [[938, 11428]],
  });
  const { text } = read.find((event) => event.tag === 'run') ?? {};
  expect(text).toMatch(/^\| option \| value \|\n\|---\|---\|\n/);
  expect(text).toContain('| dataset | a\\|b |\n');
});

test('without the run’s facts an epoch is put at the last step that was logged', () => {
  const folder = join(temporaryFolder(), 'run');
  mkdirSync(folder);
  const sink = tensorboardSink(createTensorboardWriter(folder, { now }));
  for (const event of someEvents) if (event.type !== 'run') sink.event(event);
  sink.close();
  expect(curves(readOne(folder))['validation/accuracy']).toEqual([[101, Math.fround(0.4947)]]);
});
