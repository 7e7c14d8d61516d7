// What the program gives each command: the watch on signals, and a place for its exit code.

import type { SignalWatch } from './signals.ts';

/** One invocation of `heddle`. */
export interface Session {
  readonly watch: SignalWatch;
  /** What the process will exit with unless the command throws. */
  exitCode: number;
}
