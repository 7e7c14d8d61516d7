// What an error means to the shell: its exit code and its one line on stderr. Prints nothing itself.

import { CommanderError } from 'commander';
import { type ErrorCode, HeddleError, messageOf } from '../errors.ts';

const codes: Partial<Record<ErrorCode, number>> = {
  usage: 2,
  'no-adapter': 3,
  data: 4,
  diverged: 5,
  'device-lost': 6,
};

/** The exit code of anything that was thrown: the contract's for a HeddleError and for commander's refusals, else 1. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof HeddleError) return codes[error.code] ?? 1;
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  return 1;
}

/**
 * What to print on stderr: `heddle train: …` in one line; with `debug` the stack and its causes below.
 * Errors that nobody meant to throw say so, since their message alone rarely helps.
 */
export function describeFailure(command: string | undefined, error: unknown, debug = false): string {
  const meant = error instanceof HeddleError || error instanceof CommanderError;
  const message = messageOf(error)
    .replace(/^error: /, '')
    .replace(/\s*[\r\n]+\s*/g, ' ')
    .trim();
  const hint = meant || debug ? '' : ' (unexpected; HEDDLE_DEBUG=1 shows where)';
  const line = `heddle${command === undefined ? '' : ` ${command}`}: ${message || 'failed'}${hint}\n`;
  if (!debug || !(error instanceof Error)) return line;
  const stacks: string[] = [];
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
    stacks.push(cause.stack ?? '');
  return `${line}${stacks.join('\ncaused by ')}\n`;
}
