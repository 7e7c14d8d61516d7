// What `npm test` runs: setup with what the tests need, then vitest once over all projects, with the user's arguments.
// The last line of output is always `N passed, N failed`; the exit code is vitest's, or setup's.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './setup/common.mjs';
import { testDrivers } from './setup/vulkan.mjs';
import { reportFailure, setup } from './setup.mjs';

const folder = mkdtempSync(join(tmpdir(), 'heddle-test-'));
const counts = join(folder, 'counts.json');

/** Runs vitest and gives its exit code. @param {string[]} args @returns {Promise<number>} */
async function vitest(args) {
  const drivers = await testDrivers();
  process.stderr.write(`GPU tests run on: ${drivers.map((driver) => driver.name).join(', ')}\n`);
  const reporters = args.some((arg) => /^--reporters?(=|$)/.test(arg)) ? [] : ['--reporter=default'];
  const all = [
    join(root, 'node_modules', 'vitest', 'vitest.mjs'),
    'run',
    ...reporters,
    `--reporter=${join(root, 'test', 'support', 'summary-reporter.ts')}`,
    ...args,
  ];
  const env = { ...process.env, HEDDLE_TEST_DRIVERS: JSON.stringify(drivers), HEDDLE_TEST_COUNTS: counts };
  const child = spawn(process.execPath, all, { cwd: root, env, stdio: 'inherit' });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM']))
    process.on(signal, () => child.kill(signal));
  return new Promise((done) => {
    child.on('exit', (code, signal) => done(code ?? (signal === 'SIGINT' ? 130 : 143)));
  });
}

/** What the reporter counted. @param {number} code vitest's @returns {{ passed: number, failed: number }} */
function readCounts(code) {
  try {
    const { passed, failed } = JSON.parse(readFileSync(counts, 'utf8'));
    return { passed, failed: code === 0 ? failed : Math.max(failed, 1) }; // no test found is a failure too
  } catch {
    return { passed: 0, failed: 1 }; // setup or vitest stopped before the end
  }
}

let code;
try {
  await setup({ tests: true });
  code = await vitest(process.argv.slice(2));
} catch (error) {
  code = reportFailure(error);
}
const { passed, failed } = readCounts(code);
rmSync(folder, { recursive: true, force: true });
process.exitCode = code || (failed > 0 ? 1 : 0);
console.log(`${passed} passed, ${failed} failed`);
