import { CommanderError } from 'commander';
import { expect, test } from 'vitest';
import { describeFailure, exitCodeOf } from '../../src/cli/failure.ts';
import { type ErrorCode, HeddleError } from '../../src/errors.ts';

test.each<[ErrorCode, number]>([
  ['usage', 2],
  ['no-adapter', 3],
  ['data', 4],
  ['diverged', 5],
  ['device-lost', 6],
  ['shape', 1],
  ['limit', 1],
  ['gpu', 1],
  ['file', 1],
  ['destroyed', 1],
])('%s exits with %d', (code, exit) => {
  expect(exitCodeOf(new HeddleError(code, 'x'))).toBe(exit);
});

test('what nobody meant to throw exits with 1 and says so', () => {
  expect(exitCodeOf(new TypeError('x'))).toBe(1);
  expect(exitCodeOf('x')).toBe(1);
  expect(describeFailure('train', new TypeError('x'))).toBe(
    'heddle train: x (unexpected; HEDDLE_DEBUG=1 shows where)\n',
  );
});

test('commander’s refusals are usage errors, in one line', () => {
  const error = new CommanderError(
    1,
    'commander.unknownOption',
    'error: unknown option\n(Did you mean --x?)',
  );
  expect(exitCodeOf(error)).toBe(2);
  expect(describeFailure(undefined, error)).toBe('heddle: unknown option (Did you mean --x?)\n');
});

test('the stack and its causes are shown on request only', () => {
  const error = new HeddleError('data', 'a\n  b', { cause: new Error('the cause') });
  expect(describeFailure('train', error)).toBe('heddle train: a b\n');
  const debug = describeFailure('train', error, true);
  expect(debug).toMatch(/^heddle train: a b\n/);
  expect(debug).toMatch(/caused by Error: the cause\n\s+at /);
});
