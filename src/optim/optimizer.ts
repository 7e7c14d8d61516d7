// What an optimizer is: a value that records how parameters are updated from their gradients, group by group, and writes
// each step's hyper-parameters. Knows arenas as plain tensors, and nothing of models.

import { HeddleError } from '../errors.ts';
import type { Recorder } from '../gpu/plan.ts';
import type { UpdateTensors } from '../ops/update.ts';

export type { UpdateTensors } from '../ops/update.ts';

/**
 * Chooses parameters by key: a pattern, keys or the beginnings of keys (`0.weight`, `features.`), or a function. `Key` says
 * which keys there are, `Listed` what a list may hold, where types know them.
 */
export type KeySelector<Key extends string = string, Listed extends string = Key> =
  | RegExp
  | readonly Listed[]
  | ((key: Key) => boolean);

/** Whether a selector means a key. A string of a list means the key itself, or, when it ends in a dot, all that begin so. */
export function selects(selector: KeySelector, key: string): boolean {
  if (typeof selector === 'function') return selector(key);
  if (selector instanceof RegExp) return key.search(selector) >= 0; // whatever its lastIndex
  return selector.some((one) => key === one || (one.endsWith('.') && key.startsWith(one)));
}

/** Parameters that share their hyper-parameters. These may be changed between steps; the next step that is submitted uses them. */
export interface ParameterGroup {
  /** Learning rate. */
  lr: number;
  /** Which parameters; undefined for the first group, which has those that no other group selects. */
  readonly parameters?: KeySelector | undefined;
}

/** An optimizer over whole arenas: one dispatch a group, however many parameters there are. */
export interface Optimizer {
  /** `sgd`, `adam`, … */
  readonly kind: string;
  /** Whether a step is value -= lr · gradient and nothing else: a kernel that makes a gradient may then take it itself. */
  readonly plainStep: boolean;
  /** The first group's learning rate. */
  lr: number;
  /** The first has the parameters that no other selects; of the others, the first that selects a parameter has it. */
  readonly groups: readonly ParameterGroup[];
  /** What is kept for every element of the parameters, by PyTorch's name, and what it holds at first. */
  readonly state: Readonly<Record<string, number>>;
  /** Writes a group's hyper-parameters for optimizer step `number` (from 1) at a byte offset; at most `hyperBytes`. */
  writeHyper(view: DataView, offset: number, group: number, number: number): void;
  /** Records the update of one group. */
  record(recorder: Recorder, group: number, tensors: UpdateTensors): void;
}

/** Room for a group's hyper-parameters. */
export const hyperBytes = 64;

/** Checks a hyper-parameter: finite, at least `least`, and below `below` where that is given. Throws a HeddleError `usage`. */
export function checkHyper(
  what: string,
  value: number,
  { least = 0, below = Number.POSITIVE_INFINITY }: { least?: number; below?: number } = {},
): void {
  if (Number.isFinite(value) && value >= least && value < below) return;
  const range = below === Number.POSITIVE_INFINITY ? `≥ ${least}` : `≥ ${least} and < ${below}`;
  throw new HeddleError('usage', `${what} ${value}: expected a finite number ${range}`);
}

/** Throws a HeddleError `usage` for momentum in a group of an optimizer that was made without, and so keeps no buffer for it. */
export function refuseLateMomentum(what: string, momentum: number, kept: boolean): void {
  if (momentum === 0 || kept) return;
  throw new HeddleError(
    'usage',
    `${what}: momentum ${momentum} in an optimizer that was made without; give it some when making it`,
  );
}
