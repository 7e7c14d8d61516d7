// What the setup steps share: the repository's root, one-line messages, errors with an exit code, running commands.
// Plain JavaScript without dependencies: node_modules may not exist yet.

import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root folder. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Prints one line about what setup does; results never go to stdout here. @param {string} line */
export function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

/** A reason to stop, worth one line and an exit code. */
export class SetupError extends Error {
  /** @param {string} message @param {number} [exitCode] */
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/**
 * @typedef {{ ok: boolean, stdout: string, output: string }} CommandResult
 * `output` is stdout and stderr together, for messages.
 */

/**
 * Runs a command to its end and never throws.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, timeout?: number, shell?: boolean }} [options]
 * @returns {Promise<CommandResult>}
 */
export function run(command, args, options = {}) {
  const settings = { cwd: root, maxBuffer: 64 * 1024 * 1024, ...options };
  return new Promise((done) => {
    execFile(command, args, settings, (error, stdout, stderr) => {
      const reason = error && stdout + stderr === '' ? error.message : '';
      done({ ok: error === null, stdout: String(stdout), output: `${stdout}${stderr}${reason}` });
    });
  });
}

/**
 * Runs npm: the one that runs us when there is one, else the one on the PATH.
 * @param {string[]} args
 * @param {string} [cwd]
 */
export function npm(args, cwd = root) {
  const running = process.env.npm_execpath ?? '';
  if (/npm-cli\.c?js$/.test(running)) return run(process.execPath, [running, ...args], { cwd });
  return run('npm', args, { cwd, shell: process.platform === 'win32' });
}

/** The most telling line of a failed command's output. @param {string} output */
export function reasonOf(output) {
  const lines = output
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const telling = lines.find((line) =>
    /^(E:|npm (error|ERR!) (?!code|errno|syscall|A complete log)|.*error TS\d+)/.test(line),
  );
  return (telling ?? lines.at(-1) ?? 'no output').replace(/^npm (error|ERR!) /, '');
}

/** Heddle's folder in the user's cache, on Linux; src/platform/cache-folder.ts says the same. @param {NodeJS.ProcessEnv} [env] */
export function cacheFolder(env = process.env) {
  const xdg = env.XDG_CACHE_HOME; // a relative one does not count
  return join(xdg && isAbsolute(xdg) ? xdg : join(homedir(), '.cache'), 'heddle');
}

/** Whether we may install packages. */
export function isRoot() {
  return process.getuid?.() === 0;
}

/** The full path of a program on the PATH, if it is there. @param {string} name */
export function which(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}
