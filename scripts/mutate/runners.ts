// Runs mutants in processes of their own, two at a time: starts and ends the processes, and gives up on one that hangs.

import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { Driver } from '../setup/vulkan.mjs';
import type { Reply, Request } from './runner.mjs';

/** A process that answers one request at a time. */
export interface Runner {
  /** Resolves with undefined when there was no answer in time; the process is then ended and started anew. */
  ask(request: Request, milliseconds: number): Promise<Reply | undefined>;
  close(): void;
}

/** The test projects that mutants are tried in, in this order: one a driver, and lavapipe's other number of lanes. */
export function projectsOf(drivers: readonly Driver[]): string[] {
  const names = drivers.map(({ name }) => name);
  return names.includes('lavapipe') ? [...names, 'lavapipe-16-lanes'] : names;
}

function start(drivers: readonly Driver[]): ChildProcess {
  const env = { ...process.env, HEDDLE_TEST_DRIVERS: JSON.stringify(drivers) };
  const script = join(import.meta.dirname, 'runner.mjs');
  // A group of its own, so that a hanging worker can be ended with the process that forked it.
  return fork(script, projectsOf(drivers), {
    env,
    execArgv: [],
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

/** The next message, or undefined when the time is over. Rejects when the process ends first. */
function answer(child: ChildProcess, milliseconds: number): Promise<unknown> {
  return new Promise((done, fail) => {
    const finish = (message?: unknown) => {
      clearTimeout(timer);
      child.off('message', finish);
      child.off('exit', end);
      done(message);
    };
    const end = () => fail(new Error('the test runner has ended'));
    const timer = setTimeout(finish, milliseconds);
    child.once('message', finish);
    child.once('exit', end);
  });
}

function endGroup(child: ChildProcess): void {
  try {
    process.kill(-(child.pid as number), 'SIGKILL');
  } catch {
    // it has ended by itself
  }
}

/** Starts a process for tests on these drivers. Throws when it does not come up. */
export async function openRunner(drivers: readonly Driver[]): Promise<Runner> {
  let child: ChildProcess;
  const begin = async () => {
    child = start(drivers);
    let said = '';
    child.stderr?.on('data', (data) => {
      said = `${said}${data}`.slice(-2000);
    });
    if ((await answer(child, 120_000)) === undefined)
      throw new Error(`the test runner did not start: ${said}`);
  };
  await begin();
  const close = () => endGroup(child);
  process.on('exit', close);
  return {
    async ask(request, milliseconds) {
      child.send(request);
      const reply = await answer(child, milliseconds);
      if (reply === undefined) {
        endGroup(child);
        await begin();
      }
      return reply as Reply | undefined;
    },
    close,
  };
}
