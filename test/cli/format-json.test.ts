import { expect, test } from 'vitest';
import { jsonLine } from '../../src/cli/format-json.ts';
import { someEvents } from './support.ts';

const lines = someEvents.map(jsonLine);

test('events are lines of exactly the contract’s fields', () => {
  expect(lines.slice(1)).toEqual([
    '{"type":"step","epoch":1,"step":1,"samples":64,"loss":2.305311441421509,"lr":0.001}\n',
    '',
    '{"type":"step","epoch":1,"step":101,"samples":6464,"loss":2.298351287841797,"lr":0.001}\n',
    '',
    '{"type":"epoch","epoch":1,"seconds":5.25,"samplesPerSecond":11428,"train":{"loss":2.24},"validation":{"loss":2.162511728371784,"accuracy":0.4947}}\n',
    '{"type":"done","steps":938,"seconds":6.5,"secondsPerStep":0.0055,"run":"runs/x"}\n',
  ]);
});

test('the first line says what the run is', () => {
  expect(JSON.parse(lines[0] ?? '')).toEqual(someEvents[0]);
  expect(lines[0]).toMatch(/^\{"type":"run",.*\}\n$/);
});

test('an epoch without validation has no such field', () => {
  const line = jsonLine({ type: 'epoch', epoch: 2, seconds: 1, samplesPerSecond: 2, train: { loss: 3 } });
  expect(line).toBe('{"type":"epoch","epoch":2,"seconds":1,"samplesPerSecond":2,"train":{"loss":3}}\n');
});
