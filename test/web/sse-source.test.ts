// A run in Node as the page's source, with a stream that the test speaks for.

import { expect, test } from 'vitest';
import type { Message } from '../../src/recipes/protocol.ts';
import { type Stream, sseSource } from '../../src/web/sse-source.ts';

function scene() {
  let closed = false;
  const stream: Stream & { readyState: number } = {
    readyState: 0,
    onmessage: null,
    onerror: null,
    close: () => {
      closed = true;
    },
  };
  const source = sseSource('events', () => stream);
  const told: Message[] = [];
  const leave = source.listen((message) => told.push(message));
  return {
    ...{ source, stream, told, leave },
    say: (data: unknown) =>
      stream.onmessage?.(
        new MessageEvent('message', { data: typeof data === 'string' ? data : JSON.stringify(data) }),
      ),
    breakOff: () => stream.onerror?.(new Event('error')),
    isClosed: () => closed,
  };
}

const status = (word: string) => ({ type: 'status', status: word, text: word });

test('messages come as they were, losses that are not finite too', () => {
  const { source, say, told, leave } = scene();
  expect(source.commands).toBe(false);
  source.send({ type: 'pause' });
  const rates = { batch: 1, batches: 2, samplesPerSecond: 1, secondsPerStep: 1 };
  const point = { step: 1, epoch: 1, loss: Number.NaN, lr: 0.1 };
  const validation = { loss: Number.NaN, accuracy: 0.1, confusion: [[1]], ranks: [1] };
  const epoch = {
    type: 'epoch',
    epoch: 1,
    step: 1,
    trainLoss: Number.POSITIVE_INFINITY,
    seconds: 1,
    validation,
  };
  say({ type: 'steps', steps: [point, { ...point, step: 2, loss: 0.5 }], ...rates });
  say(epoch);
  say('{"type":"st');
  const filters = { label: '1.weight', count: 1, height: 1, width: 2 };
  say({ type: 'filters', filters: { ...filters, values: [0.5, -1] } });
  const mistake = { image: 3, target: 1, predicted: 2, probability: 0.5 };
  say({ type: 'mistakes', mistakes: [{ ...mistake, pixels: [0, 255] }] });
  expect(told).toEqual([
    { type: 'steps', steps: [point, { ...point, step: 2, loss: 0.5 }], ...rates },
    { ...epoch, trainLoss: Number.NaN },
    { type: 'filters', filters: { ...filters, values: Float32Array.of(0.5, -1) } },
    { type: 'mistakes', mistakes: [{ ...mistake, pixels: Uint8Array.of(0, 255) }] },
  ]);
  leave();
  say(status('training'));
  expect(told).toHaveLength(4);
});

test('a run that falls silent is told of once, until it is heard again', () => {
  const { say, breakOff, told, isClosed } = scene();
  say(status('training'));
  breakOff();
  breakOff();
  expect(told).toHaveLength(2);
  expect(told[1]).toMatchObject({
    status: 'stopped',
    text: expect.stringContaining('process is gone. Trying'),
  });
  expect(isClosed()).toBe(false);
  say(status('training'));
  breakOff();
  expect(told).toHaveLength(4);
});

test('a server that refuses for good is said to', () => {
  const { stream, breakOff, told } = scene();
  stream.readyState = 2;
  breakOff();
  expect(told).toMatchObject([{ status: 'stopped', text: expect.stringContaining('Reload the page') }]);
});

test.each(['done', 'stopped', 'failed'])('after a run is %s nothing is asked any more', (word) => {
  const { say, breakOff, told, isClosed } = scene();
  say(status(word));
  breakOff();
  expect(told).toHaveLength(1);
  expect(isClosed()).toBe(true);
});
