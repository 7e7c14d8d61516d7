import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createRunFolder } from '../../src/cli/run-folder.ts';
import { openKeepers } from '../../src/cli/run-keepers.ts';
import { encodeSafetensors } from '../../src/io/safetensors.ts';
import { readRecords } from '../support/tfevents.ts';
import { someEvents, temporaryFolder } from './support.ts';

test('log, table and TensorBoard’s file go on and go back together', () => {
  const folder = createRunFolder({ out: join(temporaryFolder(), 'run'), kind: 'mlp' });
  const keepers = openKeepers(folder, 0);
  const events = someEvents.map((event) =>
    event.type === 'run' ? { ...event, options: { batchSize: 64 } } : event,
  );
  for (const event of events) for (const sink of keepers.sinks) sink.event(event);
  const weights = encodeSafetensors(new Map([['0.bias', { shape: [2], data: Float32Array.of(1, 2) }]]));
  keepers.weights(weights, 938);
  const rows = () => readFileSync(join(folder.path, 'metrics.csv'), 'utf8').split('\r\n').length - 2;
  expect(rows()).toBe(1);
  folder.rewind({ steps: 50, epochs: 0 });
  keepers.rewind(50);
  expect(rows()).toBe(0);
  for (const sink of keepers.sinks) sink.close();
  const board = readdirSync(folder.path).find((name) => name.includes('tfevents')) ?? '';
  const records = readRecords(readFileSync(join(folder.path, board)));
  expect(records.filter(({ start }) => start).map(({ step }) => step)).toEqual([1, 51]);
  expect(records.at(-2)).toMatchObject({ step: 938, tag: 'weights/0.bias', histogram: { num: 2, sum: 3 } });
});
