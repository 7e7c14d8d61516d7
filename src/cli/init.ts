// `--init`: weights to begin with, from a safetensors file of anybody's or from a run.

import { readFileSync, statSync } from 'node:fs';
import { HeddleError, messageOf } from '../errors.ts';
import type { Trainer } from '../index.ts';
import { decodeWeights } from '../io/checkpoint.ts';
import type { NamedTensor } from '../io/safetensors.ts';
import { codeOf } from '../platform/node-read.ts';
import { readRunWeights } from './run-record.ts';

/** The options that have to do with it. */
export interface InitOptions {
  readonly init?: string;
  readonly initPrefix?: string;
  readonly initPartial: boolean;
}

/** Throws `usage` for options that mean nothing without `--init`. */
export function checkInit({ init, initPrefix, initPartial }: InitOptions): void {
  if (init !== undefined) return;
  const alone = initPrefix !== undefined ? '--init-prefix' : initPartial ? '--init-partial' : undefined;
  if (alone !== undefined) throw new HeddleError('usage', `${alone}: found without --init, expected with it`);
}

/** Weights under the model's keys: of those whose keys begin with OLD of `OLD=NEW`, with NEW instead. */
export function renamed(weights: ReadonlyMap<string, NamedTensor>, prefix: string): Map<string, NamedTensor> {
  const [old = '', now = ''] = prefix.split(/=(.*)/s);
  return new Map(
    [...weights]
      .filter(([key]) => key.startsWith(old))
      .map(([key, tensor]) => [`${now}${key.slice(old.length)}`, tensor]),
  );
}

/** Reads the weights that the options mean. Throws `usage` where there are none, `file` for what cannot be read. */
export function readInit({ init, initPrefix }: InitOptions): Map<string, NamedTensor> | undefined {
  if (init === undefined) return undefined;
  const weights = readWeights(init);
  if (initPrefix === undefined) return weights;
  const found = renamed(weights, initPrefix);
  if (found.size > 0) return found;
  const keys = [...weights.keys()];
  throw new HeddleError(
    'usage',
    `--init-prefix ${initPrefix}: no key of ${init} begins so; it has ${keys.slice(0, 4).join(', ')}${keys.length > 4 ? ', …' : ''}`,
  );
}

function readWeights(path: string): Map<string, NamedTensor> {
  try {
    if (statSync(path).isDirectory()) return readRunWeights(path, 'last');
    return decodeWeights(new Uint8Array(readFileSync(path)));
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT')
      throw new HeddleError('usage', `--init: ${path} does not exist; expected a safetensors file or a run`, {
        cause,
      });
    const code = cause instanceof HeddleError ? cause.code : 'file';
    throw new HeddleError(code, `--init: ${path}: ${messageOf(cause)}`, { cause });
  }
}

/** Loads them; a notice of what was not, when `--init-partial` lets that pass. Throws `shape` with every difference. */
export async function loadInit(
  trainer: Trainer,
  weights: ReadonlyMap<string, NamedTensor>,
  { init, initPartial }: InitOptions,
): Promise<string> {
  try {
    const { loaded, differences } = await trainer.load(weights, { partial: initPartial });
    const rest = differences.map((difference) => `  not loaded: ${difference}\n`).join('');
    return `${loaded.length} tensors from ${init}\n${rest}`;
  } catch (cause) {
    if (!(cause instanceof HeddleError)) throw cause;
    throw new HeddleError(
      cause.code,
      `--init ${init}: ${cause.message} --init-partial takes what fits; --init-prefix OLD=NEW renames keys.`,
      { cause },
    );
  }
}
