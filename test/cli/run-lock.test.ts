import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { lockOwner, lockRun } from '../../src/cli/run-lock.ts';
import { nodeArguments, temporaryFolder } from './support.ts';

const racer = fileURLToPath(new URL('../support/lock-race.ts', import.meta.url));

/** The lock of a process that is gone. */
const stale = JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), began: '1' });

test('of three processes that take a lock at the same moment, one gets it, be it free or left by a dead one', async () => {
  const folder = temporaryFolder();
  const children = Array.from({ length: 3 }, () =>
    fork(racer, [folder], { execArgv: nodeArguments, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] }),
  );
  try {
    await Promise.all(children.map((child) => once(child, 'message')));
    let held = 0;
    for (let round = 0; round < 100; round++) {
      if (round % 2 === 1) writeFileSync(join(folder, 'lock.json'), stale);
      const said = children.map(async (child) => (await once(child, 'message'))[0]);
      const at = Date.now() + 10;
      for (const child of children) child.send(at);
      const outcomes: string[] = await Promise.all(said);
      expect(outcomes.filter((outcome) => outcome.startsWith('broken'))).toEqual([]);
      held += outcomes.filter((outcome) => outcome === 'held').length;
    }
    // One a round, and more where the others came too late to meet it: never none, which would be a lock that nobody gets.
    expect(held).toBeGreaterThanOrEqual(100);
  } finally {
    for (const child of children) child.kill();
  }
  expect(readdirSync(folder)).toEqual([]);
});

test('a lock says who has it, and is gone when given back', () => {
  const folder = temporaryFolder();
  const unlock = lockRun(folder);
  expect(readdirSync(folder)).toEqual(['lock.json']);
  unlock();
  unlock();
  expect(readdirSync(folder)).toEqual([]);
  writeFileSync(join(folder, 'lock.json'), stale);
  expect(lockOwner(folder)).toBeUndefined();
});
