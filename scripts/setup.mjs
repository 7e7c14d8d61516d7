// Gets this checkout ready to run: Node's version, npm's packages, the build, a WebGPU adapter, the data set.
// Says one line on stderr for each thing it does; a machine that is ready hears nothing, in about 0.4 s.

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureAdapter, ensureTestDrivers } from './setup/adapter.mjs';
import { SetupError } from './setup/common.mjs';
import { ensureData } from './setup/data.mjs';
import { build, checkNode, installPackages } from './setup/project.mjs';

/**
 * Does all the set-up that is missing. Throws a SetupError, with an exit code, when something cannot be done.
 * @param {{ tests?: boolean, data?: boolean }} [options] tests: also what the tests need; data: false for runs that
 *   do not read FashionMNIST
 */
export async function setup({ tests = false, data = true } = {}) {
  checkNode();
  await installPackages();
  await build();
  if (tests) await ensureTestDrivers();
  await ensureAdapter();
  if (data) await ensureData({ tests });
}

/** Prints why setup stopped, and gives the exit code. @param {unknown} error */
export function reportFailure(error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`setup: ${error.message}\n`);
  return error.exitCode;
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const unknown = args.find((arg) => !['--tests', '--no-data'].includes(arg));
  if (unknown) {
    process.stderr.write(`setup: unknown option ${unknown} (there are --tests and --no-data)\n`);
    process.exitCode = 2;
  } else {
    await setup({ tests: args.includes('--tests'), data: !args.includes('--no-data') }).catch((error) => {
      process.exitCode = reportFailure(error);
    });
  }
}
