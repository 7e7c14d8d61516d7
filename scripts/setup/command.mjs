// Set-up, then a command of `heddle` with the user's arguments, in this same process, so that signals and exit codes are
// the command's own.

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { reportFailure, setup } from '../setup.mjs';
import { root } from './common.mjs';

/** Sets up what is missing and runs `heddle COMMAND`. @param {'train' | 'bench'} command */
export async function setUpAndRun(command) {
  const args = process.argv.slice(2);
  const ownData = args.some((arg) => /^--data(=|$)/.test(arg));
  const at = args.indexOf('--dataset');
  const named = at >= 0 ? args[at + 1] : args.find((arg) => arg.startsWith('--dataset='))?.split('=')[1];
  const otherData = named !== undefined && named !== 'fashion-mnist';
  try {
    await setup({ data: !ownData && !otherData });
  } catch (error) {
    process.exit(reportFailure(error));
  }

  // Some shells (dash) pass no signal on: `kill` ends npm and its shell, and would leave the command behind.
  const parent = process.ppid;
  if (process.env.npm_lifecycle_event !== undefined) {
    const watch = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(watch);
      process.kill(process.pid, 'SIGTERM');
    }, 500);
    watch.unref();
  }

  const main = join(root, 'dist', 'cli', 'main.js');
  process.argv = [process.execPath, main, command, ...args];
  await import(pathToFileURL(main).href);
}
