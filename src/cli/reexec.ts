// A second try on Linux without a Vulkan driver: set-up may have left a software driver in the user's cache, which works
// only for a process that starts with its environment. So the same command runs again as a child.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants, homedir } from 'node:os';
import { join } from 'node:path';
import * as v from 'valibot';
import { cacheFolder } from '../platform/cache-folder.ts';

/** Where and as what this process runs; tests have their own. */
export interface Self {
  readonly platform: string;
  readonly env: NodeJS.ProcessEnv;
  readonly home: string;
  /** Node, its own arguments, the script and the script's arguments. */
  readonly command: readonly string[];
}

const driverFile = v.object({
  env: v.object({
    LD_LIBRARY_PATH: v.exactOptional(v.string()),
    VK_ICD_FILENAMES: v.exactOptional(v.string()),
  }),
});

/** This process, as it was started. */
export function thisProcess(): Self {
  return {
    platform: process.platform,
    env: process.env,
    home: homedir(),
    command: [process.execPath, ...process.execArgv, ...process.argv.slice(1)],
  };
}

/** The environment of a second try; undefined when there is none, or when this already is the second. */
export function driverEnvironment(self: Self = thisProcess()): NodeJS.ProcessEnv | undefined {
  if (self.platform !== 'linux' || self.env.HEDDLE_REEXEC !== undefined) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(join(cacheFolder(self), 'vulkan.json'), 'utf8'));
  } catch {
    return undefined;
  }
  const result = v.safeParse(driverFile, parsed);
  if (!result.success) return undefined;
  const { LD_LIBRARY_PATH: folder, ...driver } = result.output.env;
  const folders = [folder, self.env.LD_LIBRARY_PATH].filter((text) => text !== undefined && text !== '');
  const libraries = folders.length === 0 ? {} : { LD_LIBRARY_PATH: folders.join(':') };
  return { ...self.env, ...driver, ...libraries, HEDDLE_REEXEC: '1' };
}

/**
 * Forwards what reaches this process to the child, which has a session of its own: in our process group a Ctrl-C would
 * reach it from the terminal too, and count as the second one. Called before there is a child, so that no signal finds
 * nobody listening. Returns what takes the listeners away.
 */
function forward(child: () => ChildProcess): () => void {
  const pass = (signal: NodeJS.Signals) => child().kill(signal);
  const suspend = () => {
    child().kill('SIGSTOP');
    process.kill(process.pid, 'SIGSTOP');
  };
  const passed = ['SIGINT', 'SIGTERM', 'SIGWINCH', 'SIGCONT'] as const;
  for (const signal of passed) process.on(signal, pass);
  process.on('SIGTSTP', suspend);
  return () => {
    for (const signal of passed) process.off(signal, pass);
    process.off('SIGTSTP', suspend);
  };
}

/**
 * Runs this command again with the cached driver's environment and resolves to the exit code that it ended with;
 * to undefined, without having run anything, when there is no cached driver.
 */
export async function reexec(self: Self = thisProcess()): Promise<number | undefined> {
  const env = driverEnvironment(self);
  return env === undefined ? undefined : runAgain(self.command, env);
}

/** Runs a command in place of this process, as `reexec` does; resolves to undefined when it could not be started. */
export async function runAgain(
  [program, ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<number | undefined> {
  if (program === undefined) return undefined;
  const release = forward(() => child);
  // The channel carries no messages: its end tells the child that we are gone (see signals.ts).
  const child = spawn(program, args, {
    env,
    detached: true,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  try {
    return await new Promise((resolve) => {
      child.once('error', () => resolve(undefined));
      child.once('exit', (code, signal) => {
        resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
      });
    });
  } finally {
    release();
  }
}
