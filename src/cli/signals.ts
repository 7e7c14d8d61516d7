// Ctrl-C and `kill` during a run: the first one lets the run stop at its next step and save, the second one ends it.
// Also ends quietly when the reader of stdout has gone, and saves when there is no room for what it writes there. Knows
// nothing of training.

import { HeddleError } from '../errors.ts';

/** Why a run is asked to stop, and the exit code that goes with it. */
export interface StopReason {
  readonly name: 'SIGINT' | 'SIGTERM' | 'EPIPE' | 'a full disk behind stdout';
  readonly code: number;
}

/** What `watchSignals` listens to and ends; tests have their own. */
export interface Host {
  readonly process: NodeJS.EventEmitter;
  readonly stdout: NodeJS.EventEmitter;
  readonly stderr: NodeJS.EventEmitter;
  exit(code: number): void;
  say(line: string): void;
  now(): number;
}

/** A watch on signals, for as long as a command runs. */
export interface SignalWatch {
  /** Aborted by the first signal, or a stdout that takes no more, once `graceful` was called. */
  readonly signal: AbortSignal;
  /** Why the run is to stop; undefined while nobody asked. */
  readonly reason: StopReason | undefined;
  /** From here on the first signal aborts `signal`; before, there is nothing to save and it exits at once. */
  graceful(): void;
  /** Stops watching signals. A closed stdout ends the process quietly all the same. */
  dispose(): void;
}

const reasons: Record<StopReason['name'], StopReason> = {
  SIGINT: { name: 'SIGINT', code: 130 },
  SIGTERM: { name: 'SIGTERM', code: 143 },
  EPIPE: { name: 'EPIPE', code: 0 },
  'a full disk behind stdout': { name: 'a full disk behind stdout', code: 1 },
};

/** What writing answers when nobody reads any more: a closed pipe, a closed terminal, and each write after that. */
const gone = new Set(['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED']);
const full = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
/** One Ctrl-C can arrive twice (from the terminal, and again from npm or `timeout`), this close together in ms. */
const echo = 300;
/** How long a run that a signal stops has for saving, in ms; the contract allows 5 s. Nobody waits at a closed stdout. */
const patience = 4500;

const thisProcess: Host = {
  process,
  stdout: process.stdout,
  stderr: process.stderr,
  exit: (code) => process.exit(code),
  say: (line) => void process.stderr.write(`${line}\n`),
  now: () => performance.now(),
};

/** Watches SIGINT, SIGTERM and a closed stdout. */
export function watchSignals(host: Host = thisProcess): SignalWatch {
  const abort = new AbortController();
  let saving = false;
  let reason: StopReason | undefined;
  let first = 0;
  let timer: NodeJS.Timeout | undefined;

  const stop = (next: StopReason) => {
    if (reason !== undefined) return;
    reason = next;
    first = host.now();
    if (!saving) return host.exit(next.code);
    abort.abort();
  };
  const signalled = (next: StopReason) => {
    if (reason === undefined) {
      stop(next);
      timer = setTimeout(() => {
        host.say(
          `heddle: ${next.name} came ${patience / 1000} s ago, and the run has not saved yet: its last checkpoint stands`,
        );
        host.exit(next.code);
      }, patience);
    } else if (host.now() - first > echo) host.exit(next.code);
  };
  const interrupt = () => signalled(reasons.SIGINT);
  const terminate = () => signalled(reasons.SIGTERM);
  const broken = (error: NodeJS.ErrnoException) => {
    if (gone.has(error.code ?? '')) stop(reasons.EPIPE);
    else if (saving && full.has(error.code ?? '')) stop(reasons['a full disk behind stdout']);
    else throw new HeddleError('file', `stdout cannot be written: ${error.message}`, { cause: error });
  };
  /** Progress that nobody can read is no reason to stop. */
  const unread = () => {};

  host.process.on('SIGINT', interrupt);
  host.process.on('SIGTERM', terminate);
  host.process.on('disconnect', terminate); // re-executed by reexec.ts, whose process has died
  host.stdout.on('error', broken);
  host.stderr.on('error', unread);
  return {
    signal: abort.signal,
    get reason() {
      return reason;
    },
    graceful() {
      saving = true;
    },
    dispose() {
      clearTimeout(timer);
      host.process.off('SIGINT', interrupt);
      host.process.off('SIGTERM', terminate);
      host.process.off('disconnect', terminate);
    },
  };
}

/** Resolves when a signal is aborted, or has been. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
