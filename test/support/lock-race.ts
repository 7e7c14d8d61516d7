// Run by a test as a process of its own: takes a run's lock again and again, at moments that its parent gives to others
// too, and says each time whether it got it. While it has it, it says so in a file that nobody else may have made.

import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { lockRun } from '../../src/cli/run-lock.ts';

const [, , folder = ''] = process.argv;
const held = join(folder, 'held');

async function attempt(at: number): Promise<string> {
  while (Date.now() < at - 2) await wait(1);
  while (Date.now() < at); // all at the same millisecond
  let unlock: () => void;
  try {
    unlock = lockRun(folder);
  } catch {
    return 'refused';
  }
  try {
    writeFileSync(held, '', { flag: 'wx' }); // throws when another process has it too
    await wait(5);
    rmSync(held);
    return 'held';
  } catch (error) {
    return `broken: ${error}`;
  } finally {
    unlock();
  }
}

process.on('message', async (at: number) => process.send?.(await attempt(at)));
process.send?.('ready');
