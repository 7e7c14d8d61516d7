// Takes a command line as far as the program itself does before it acts: command, options, arguments, their values.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import type * as v from 'valibot';
import * as options from '../../src/cli/options.ts';
import type { Session } from '../../src/cli/session.ts';
import { root } from './pages.ts';
import type { Words } from './shell.ts';

type Register = (program: Command, session: Session) => void;

const folder = join(root, 'src', 'cli');
const registering = readdirSync(folder).filter((file) =>
  /^export function register[A-Z]\w*\(program/m.test(readFileSync(join(folder, file), 'utf8')),
);
const registers: Register[] = [];
for (const file of registering) {
  const module: Record<string, unknown> = await import(join(folder, file));
  for (const [name, value] of Object.entries(module))
    if (/^register[A-Z]/.test(name)) registers.push(value as Register);
}

const scripts: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
).scripts;

/** The program's own commands, which do nothing. */
function idleProgram(seen: (command: Command) => void): Command {
  const program = new Command('heddle')
    .version('0')
    .exitOverride()
    .configureOutput({ outputError: () => {}, writeOut: () => {} });
  const session = { watch: {}, exitCode: 0 } as unknown as Session;
  for (const register of registers) register(program, session);
  for (const command of program.commands) command.action(() => seen(command));
  return program;
}

const schemas = options as unknown as Readonly<Record<string, v.GenericSchema | undefined>>;

/**
 * Throws what the program would answer to `heddle ARGS` if it refused it. `values`: whether options' values count, and
 * missing arguments; prose may name a command alone.
 */
function parseHeddle(args: Words, values: boolean): void {
  try {
    idleProgram((command) => {
      const schema = schemas[`${command.name()}Options`];
      if (values && schema !== undefined) options.parseOptions(schema, command.opts());
      if (command.name() === 'sweep') parseHeddle(['train', ...command.args], false);
    }).parse([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return; // help
    if (!values && error instanceof CommanderError && error.code === 'commander.missingArgument') return;
    throw error;
  }
}

/** Checks a command of the documentation if it is one of ours. Throws what is wrong with it. */
export function parseCommand(words: Words, values = true): void {
  const [program, ...rest] = words;
  if (program === 'heddle') parseHeddle(rest, values);
  if (program === 'npx' && rest[0] === 'heddle') parseHeddle(rest.slice(1), values);
  if (program !== 'npm') return;
  const [verb, ...more] = rest;
  const script = verb === 'run' ? more[0] : verb === 'start' || verb === 'test' ? verb : undefined;
  if (script === undefined) return;
  if (!(script in scripts)) throw new Error(`npm run ${script}: package.json has no such script`);
  const at = rest.indexOf('--');
  const command = { start: 'train', bench: 'bench' }[script];
  if (at >= 0 && command !== undefined) parseHeddle([command, ...rest.slice(at + 1)], values);
}
