import { expect, test } from 'vitest';
import { barLine, barSink, clock } from '../../src/cli/format-bar.ts';
import type { ProgressEvent } from '../../src/train/events.ts';
import { fakeOutput, someEvents } from './support.ts';

const progress = (batch: number, phase: 'train' | 'validate' = 'train'): ProgressEvent => ({
  type: 'progress',
  phase,
  epoch: 1,
  batch,
  batches: 100,
  loss: 2.25,
  samplesPerSecond: 640,
});
const size = { epochs: 2, rows: 6400, batchSize: 64 };

function sink(terminal: boolean, times: number[] = []) {
  const stdout = fakeOutput({ isTTY: terminal });
  const stderr = fakeOutput({ isTTY: terminal, columns: 100 });
  return { stdout, stderr, bar: barSink({ stdout, stderr, ...size, now: () => times.shift() ?? 0 }) };
}

test('the bar tells epoch, batch, loss, rate and the time that is left over all epochs', () => {
  const options = { ...size, stdout: fakeOutput(), stderr: fakeOutput() };
  const line = barLine(progress(50), options, 100);
  // 50 batches of 64 are left in this epoch and 100 in the next, at 10 batches a second.
  expect(line).toBe(
    `epoch 1/2  ${'━'.repeat(20)}${'─'.repeat(20)}   50/100  loss 2.2500  640 img/s  ETA 0:15`,
  );
});

test.each([200, 100, 80, 60, 40, 20, 5, 1])('no line is wider than %d columns', (width) => {
  const options = { ...size, stdout: fakeOutput(), stderr: fakeOutput() };
  for (const batch of [0, 1, 50, 100]) {
    expect(barLine(progress(batch), options, width).length).toBeLessThanOrEqual(width);
    expect(barLine(progress(batch, 'validate'), options, width).length).toBeLessThanOrEqual(width);
  }
});

test('it is redrawn at most ten times a second, on stderr only', () => {
  const { stdout, stderr, bar } = sink(true, [0, 50, 99, 100, 150, 230]);
  for (let i = 1; i <= 6; i++) bar.event(progress(i));
  expect(stderr.text.match(/epoch/g)).toHaveLength(3);
  expect(stdout.text).toBe('');
});

test('results go to stdout and the bar is wiped first and at the end', () => {
  const { stdout, stderr, bar } = sink(true);
  for (const event of someEvents) bar.event(event);
  bar.close();
  bar.close();
  expect(stdout.text).toBe(
    'epoch 1/2  train loss 2.240000  test loss 2.162512  accuracy 49.47 %  5.3 s  11,428 img/s\n' +
      '938 steps in 6.5 s, 5.50 ms a step → runs/x\n',
  );
  expect(stderr.text.endsWith('\r\x1b[K')).toBe(true);
});

test('a notice takes the bar’s place, on a line of its own', () => {
  const { stdout, stderr, bar } = sink(true);
  bar.event(progress(50));
  const drawn = stderr.text;
  bar.notice('the GPU device was lost');
  expect(stderr.text.slice(drawn.length)).toBe('\r\x1b[Kthe GPU device was lost\n');
  bar.notice('again');
  expect(stderr.text.endsWith('lost\nagain\n')).toBe(true);
  expect(stdout.text).toBe('');
});

test('without a terminal nothing is drawn', () => {
  const { stderr, bar } = sink(false);
  for (const event of someEvents) bar.event(event);
  bar.close();
  expect(stderr.text).toBe('');
});

test.each([
  [0, '0:00'],
  [7.4, '0:07'],
  [754, '12:34'],
  [3723, '1:02:03'],
])('%d seconds read %s', (seconds, text) => {
  expect(clock(seconds)).toBe(text);
});
