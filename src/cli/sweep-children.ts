// The runs of a sweep as processes of their own, so many at a time: `heddle train --json`, listened to.

import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { messageOf } from '../errors.ts';
import { thisProcess } from './reexec.ts';

/** The part of an `epoch` event that is shown while a run goes on. */
export interface EpochNews {
  readonly epoch: number;
  readonly validation?: { readonly accuracy: number };
}

/** How a run's process ended: its exit code (null when a signal or the system ended it) and the last thing it said. */
export interface ChildEnd {
  readonly code: number | null;
  readonly said: string;
}

/** Has the process a group of its own? Then a terminal's Ctrl-C reaches only us, who pass it on once. */
const ownGroup = process.platform !== 'win32';

/** `heddle` as this process was started, without the command and its options. */
function program(): [string, ...string[]] {
  const { command } = thisProcess();
  const [node, ...rest] = command.slice(0, 2 + process.execArgv.length);
  return [node ?? process.execPath, ...rest];
}

function start(args: readonly string[]): ChildProcess {
  const [node, ...before] = program();
  return spawn(node, [...before, ...args], {
    detached: ownGroup,
    windowsHide: true,
    // The channel carries no messages: its end tells the run that we are gone (see signals.ts).
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
}

/** Runs `heddle` with arguments to its end. What aborts `signal` is passed on by the name that `reason` gives it. */
export function runChild(
  args: readonly string[],
  stop: { readonly signal: AbortSignal; readonly name: () => NodeJS.Signals },
  onEpoch: (news: EpochNews) => void,
): Promise<ChildEnd> {
  const child = start(args);
  const pass = () => {
    if (ownGroup) child.kill(stop.name());
  };
  stop.signal.addEventListener('abort', pass, { once: true });
  let said = '';
  if (child.stdout !== null)
    createInterface(child.stdout).on('line', (line) => {
      // A whole one: the last line of a process that was killed may be torn.
      if (/^\{"type":"epoch".*\}\}$/.test(line)) onEpoch(JSON.parse(line));
    });
  if (child.stderr !== null)
    createInterface(child.stderr).on('line', (line) => {
      // Drivers write to stderr too; what `heddle` itself says last tells why it stopped.
      if (line.startsWith('heddle ') || (line !== '' && !said.startsWith('heddle '))) said = line;
    });
  const ended = new Promise<ChildEnd>((resolve) => {
    child.once('error', (error) => resolve({ code: null, said: messageOf(error) }));
    child.once('close', (code, signal) =>
      resolve({ code, said: signal === null ? said : `ended by ${signal}` }),
    );
  });
  return ended.finally(() => stop.signal.removeEventListener('abort', pass));
}

/** Does `work` for each item, `jobs` of them at a time, until there are none left or `signal` is aborted. */
export async function inParallel<T>(
  items: readonly T[],
  jobs: number,
  signal: AbortSignal,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = items.values(); // shared: each takes the next one
  const worker = async () => {
    for (const item of queue) {
      if (signal.aborted) return;
      await work(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, items.length) }, worker));
}
