import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseLines } from '../../src/cli/event-log.ts';
import { jsonLine } from '../../src/cli/format-json.ts';
import { metricsOf, metricsSink } from '../../src/cli/metrics-csv.ts';
import type { CliEvent } from '../../src/cli/sinks.ts';
import { HeddleError } from '../../src/errors.ts';
import { someEvents, temporaryFolder } from './support.ts';

const header = 'epoch,step,seconds,samples_per_second,lr,train_loss,validation_loss,validation_accuracy\r\n';
const [run] = someEvents.map((event) =>
  event.type === 'run' ? { ...event, options: { batchSize: 64 } } : event,
) as [CliEvent];
const step = (step: number, epoch: number, lr: number): CliEvent => ({
  ...{ type: 'step', epoch, step, samples: 64, loss: 2, lr },
});
const epoch = (epoch: number, loss: number, accuracy = 0.1): CliEvent => ({
  type: 'epoch',
  ...{ epoch, seconds: 0.1 + 0.2, samplesPerSecond: 1e21, train: { loss } },
  validation: { loss: 2 / 3, accuracy, confusion: [], ranks: [] },
});

test('a row an epoch, with all digits, and lines as RFC 4180 ends them', () => {
  const events = [
    run,
    step(1, 1, 0.1),
    step(901, 1, 0.05),
    epoch(1, 1 / 3),
    step(939, 2, 0.025),
    epoch(2, 0.25),
  ];
  expect(metricsOf(events)).toBe(
    `${header}1,938,0.30000000000000004,1e+21,0.05,0.3333333333333333,0.6666666666666666,0.1\r\n` +
      '2,1876,0.30000000000000004,1e+21,0.025,0.25,0.6666666666666666,0.1\r\n',
  );
});

test('what is unknown or not finite is empty, and what is no event is passed over', () => {
  const bare = { type: 'epoch', epoch: 1, seconds: 2, samplesPerSecond: 32, train: { loss: null } };
  expect(metricsOf([{}, { type: 'note' }, { type: 'epoch', epoch: 'x' }, bare])).toBe(
    `${header}1,,2,32,,,,\r\n`,
  );
  expect(metricsOf([])).toBe(header);
});

test('of what comes again, the last counts', () => {
  const before = [run, epoch(1, 1), epoch(2, 9), epoch(3, 9)];
  expect(metricsOf([...before, step(939, 2, 1)])).toBe(metricsOf([run, epoch(1, 1)]));
  expect(metricsOf([...before, epoch(2, 3)])).toBe(metricsOf([run, epoch(1, 1), epoch(2, 3)]));
});

test('the file says what the log says, through a death and a rewinding', () => {
  const folder = temporaryFolder();
  const [log, csv] = [join(folder, 'events.jsonl'), join(folder, 'metrics.csv')];
  const content = () => readFileSync(csv, 'utf8');
  const sink = metricsSink(folder);
  expect(content()).toBe(header);
  for (const event of [run, step(1, 1, 1), epoch(1, 0.5, Number.NaN), epoch(2, 0.25)]) {
    appendFileSync(log, jsonLine(event));
    sink.event(event);
  }
  sink.close();
  const whole = content();
  expect(whole).toBe(metricsOf(parseLines(readFileSync(log, 'utf8')).objects));
  expect(whole.split('\r\n')[1]).toMatch(/,$/); // no accuracy

  appendFileSync(log, '{"type":"epoch","epoch":3,"sec');
  const again = metricsSink(folder);
  expect(content()).toBe(whole);
  again.event(epoch(3, 0.125));
  expect(content().startsWith(whole)).toBe(true);
  writeFileSync(log, [run, step(1, 1, 1), epoch(1, 0.5, Number.NaN)].map(jsonLine).join(''));
  again.remake();
  expect(whole.startsWith(content())).toBe(true);
  expect(content().split('\r\n').length).toBe(3);
});

test('a folder that is not there is an error of its own kind', () => {
  expect(() => metricsSink(join(temporaryFolder(), 'gone'))).toThrow(HeddleError);
});

test('damaged lines are counted, but for a torn last one', () => {
  expect(parseLines('{"a":1}\n{"b"\n3\n\n{"c":2}\n{"d":')).toEqual({
    objects: [{ a: 1 }, { c: 2 }],
    damaged: 2,
  });
});
