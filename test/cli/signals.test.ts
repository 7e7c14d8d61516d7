import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { watchSignals } from '../../src/cli/signals.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function fakeHost() {
  const exits: number[] = [];
  const said: string[] = [];
  const host = {
    process: new EventEmitter(),
    stdout: new EventEmitter(),
    stderr: new EventEmitter(),
    exit: (code: number) => void exits.push(code),
    say: (line: string) => void said.push(line),
    now: () => Date.now(),
  };
  return { ...host, exits, said, watch: watchSignals(host) };
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s before there is anything to save exits with %d at once', (signal, code) => {
  const { process, exits, watch } = fakeHost();
  process.emit(signal);
  expect(exits).toEqual([code]);
  expect(watch.signal.aborted).toBe(false);
});

test('the first signal of a run asks it to stop, the second one exits', () => {
  const { process, exits, watch } = fakeHost();
  watch.graceful();
  process.emit('SIGINT');
  expect(watch.signal.aborted).toBe(true);
  expect(watch.reason).toEqual({ name: 'SIGINT', code: 130 });
  expect(exits).toEqual([]);
  vi.advanceTimersByTime(400);
  process.emit('SIGINT');
  expect(exits).toEqual([130]);
});

test('one Ctrl-C that npm or timeout delivers twice is one', () => {
  const { process, exits, watch } = fakeHost();
  watch.graceful();
  process.emit('SIGINT');
  vi.advanceTimersByTime(20);
  process.emit('SIGINT');
  expect(exits).toEqual([]);
});

test('a run that does not stop is ended before 5 s, with a word', () => {
  const { process, exits, said, watch } = fakeHost();
  watch.graceful();
  process.emit('SIGTERM');
  vi.advanceTimersByTime(4000);
  expect(said).toEqual([]);
  vi.advanceTimersByTime(999);
  expect(exits).toEqual([143]);
  expect(said).toEqual([
    'heddle: SIGTERM came 4.5 s ago, and the run has not saved yet: its last checkpoint stands',
  ]);
});

test.each(['EPIPE', 'ENOSPC'])(
  'a stdout that answers %s leaves the run the time it takes to save',
  (code) => {
    const { process, stdout, exits, watch } = fakeHost();
    watch.graceful();
    stdout.emit('error', Object.assign(new Error(`write ${code}`), { code }));
    expect(watch.signal.aborted).toBe(true);
    vi.advanceTimersByTime(60_000);
    expect(exits).toEqual([]);
    process.emit('SIGINT');
    expect(exits).toEqual([130]);
  },
);

test('a run that has stopped is left alone', () => {
  const { process, exits, watch } = fakeHost();
  watch.graceful();
  process.emit('SIGINT');
  watch.dispose();
  vi.advanceTimersByTime(10_000);
  process.emit('SIGINT');
  expect(exits).toEqual([]);
});

test('a reader that has gone stops the run quietly, however often it shows', () => {
  const { stdout, stderr, exits, watch } = fakeHost();
  watch.graceful();
  const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
  stdout.emit('error', broken);
  stdout.emit('error', Object.assign(new Error('destroyed'), { code: 'ERR_STREAM_DESTROYED' }));
  stderr.emit('error', broken);
  expect(watch.reason?.code).toBe(0);
  expect(watch.signal.aborted).toBe(true);
  expect(exits).toEqual([]);
});

test('a full disk behind stdout is an error; of a run, a reason to save and stop', () => {
  const { stdout, exits, watch } = fakeHost();
  const full = Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' });
  expect(() => stdout.emit('error', full)).toThrow('stdout cannot be written: ENOSPC');
  watch.graceful();
  stdout.emit('error', full);
  vi.advanceTimersByTime(400);
  stdout.emit('error', full);
  expect(watch.reason).toEqual({ name: 'a full disk behind stdout', code: 1 });
  expect(watch.signal.aborted).toBe(true);
  expect(exits).toEqual([]);
});

test('the end of the process that re-executed us ends us', () => {
  const { process, watch } = fakeHost();
  watch.graceful();
  process.emit('disconnect');
  expect(watch.reason?.code).toBe(143);
});
