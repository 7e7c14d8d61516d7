// What a run says of itself, in run.json and in its checkpoints: as much as going on with it needs, be it in Node or in the
// page. Pure: knows no files.

import * as v from 'valibot';
import { HeddleError, messageOf } from '../errors.ts';
import type { AdapterInfo } from '../index.ts';
import { augmentations } from './augment.ts';
import { modelNames } from './model.ts';
import { optimizerNames } from './optimizer.ts';

const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const positive = v.pipe(whole, v.minValue(1));
/** What becomes of a run that meets a loss, gradient or parameter that is not finite. */
export const nonFiniteWays = ['stop', 'restore', 'ignore'] as const;

const runRecord = v.looseObject({
  status: v.optional(v.string(), 'unknown'),
  /** Of the error that it failed with. */
  code: v.exactOptional(v.string()),
  started: v.optional(v.string(), ''),
  // The tutorial's, where an older record does not say.
  input: v.optional(v.array(positive), [1, 28, 28]),
  classes: v.optional(positive, 10),
  classNames: v.exactOptional(v.array(v.string())),
  options: v.object({
    model: v.optional(v.picklist(modelNames), 'mlp'), // the only one there was at first
    dataset: v.string(),
    data: v.exactOptional(v.string()),
    epochs: v.exactOptional(positive),
    batchSize: positive,
    hidden: v.array(positive),
    optimizer: v.optional(v.picklist(optimizerNames), 'sgd'),
    lr: v.exactOptional(v.number()),
    momentum: v.exactOptional(v.number()),
    nesterov: v.optional(v.boolean(), false),
    dampening: v.exactOptional(v.number()),
    weightDecay: v.exactOptional(v.number()),
    betas: v.exactOptional(v.tuple([v.number(), v.number()])),
    alpha: v.exactOptional(v.number()),
    eps: v.exactOptional(v.number()),
    clipNorm: v.exactOptional(v.number()),
    clipValue: v.exactOptional(v.number()),
    schedule: v.exactOptional(v.string()),
    seed: v.optional(whole, 0),
    shuffle: v.optional(v.boolean(), false),
    augment: v.exactOptional(v.array(v.picklist(augmentations))),
    limit: v.exactOptional(positive),
    logEvery: v.optional(positive, 100),
    plain: v.optional(v.boolean(), false),
    kernels: v.exactOptional(v.string()),
    keep: v.optional(whole, 0),
    checkpointEvery: v.exactOptional(positive),
    patience: v.exactOptional(positive),
    onNan: v.optional(v.picklist(nonFiniteWays), 'stop'),
  }),
  adapter: v.exactOptional(v.looseObject({ description: v.string(), device: v.string() })),
  dataset: v.exactOptional(
    v.looseObject({ sha256: v.exactOptional(v.string()), testSha256: v.exactOptional(v.string()) }),
  ),
  resumed: v.optional(
    v.array(v.object({ at: v.string(), run: v.exactOptional(v.string()), step: whole })),
    [],
  ),
  kernels: v.exactOptional(
    v.object({
      plain: v.boolean(),
      avoided: v.array(v.string()),
      variants: v.exactOptional(v.record(v.string(), v.string())),
    }),
  ),
});

/** The part of a record that says what was trained. */
export type RunRecord = v.InferOutput<typeof runRecord>;

/** Under this name a checkpoint keeps the record beside its state. */
export const recordNote = 'heddle.record';

/** Reads a record; `where` it comes from begins the message of the `file` error for other content. */
export function parseRecord(where: string, text: string): RunRecord {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new HeddleError('file', `${where} is not JSON: ${messageOf(cause)}`, { cause });
  }
  const result = v.safeParse(runRecord, parsed);
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new HeddleError('file', `${where}: ${v.getDotPath(issue) ?? 'content'}: ${issue.message}`);
}

/** Options that a resumed run may have others of: what training makes of the others does not depend on them. */
export const freeOptions: ReadonlySet<string> = new Set([
  ...['epochs', 'maxTime', 'patience', 'resume', 'out', 'data', 'adapter', 'kernels', 'onNan'],
  ...['json', 'format', 'logEvery', 'checkpointEvery', 'keep', 'ui', 'uiPort'],
]);

/** The adapter, as far as a run needs to remember it. */
export type AdapterFacts = Omit<AdapterInfo, 'subgroupSize'>;

/** The facts worth remembering of all that a device says about its adapter. */
export function adapterFacts(info: AdapterFacts): AdapterFacts {
  const { vendor, architecture, device, description, backend, software } = info;
  return { vendor, architecture, device, description, backend, software };
}

/** What a record is made of: what was trained, on what, with which options of `heddle train`. */
export interface Recorded {
  readonly input: readonly number[];
  readonly classes: number;
  readonly kernels: object;
  readonly adapter: AdapterFacts;
  readonly dataset: object;
  readonly options: Readonly<Record<string, unknown>>;
}

/** SHA-256 of what a run trains and tests on, in hex: of the inputs, then the targets. */
export interface DataSums {
  readonly sha256: string;
  readonly testSha256: string;
}

/** Throws `data` when a run would go on with other data than its record says it began with; `run` and `todo` are for the user. */
export function refuseOtherData(
  { dataset }: Pick<RunRecord, 'dataset'>,
  found: DataSums,
  { run, todo }: { readonly run: string; readonly todo: string },
): void {
  for (const [name, kind] of [
    ['sha256', 'training'],
    ['testSha256', 'test'],
  ] as const) {
    const began = dataset?.[name];
    if (began === undefined || began === found[name]) continue;
    throw new HeddleError(
      'data',
      `${run} began with other ${kind} data: their SHA-256 is ${found[name]}, expected ${began}. ${todo}`,
    );
  }
}

/** What going on with a run needs to know of it; the same to the byte, however often it was interrupted. */
export function recordOf(
  { input, classes, kernels, adapter, dataset, options }: Recorded,
  classNames: readonly string[],
  sums: DataSums,
): object {
  // Epochs are free, but schedules are made for as many as there are.
  const own = Object.entries(options).filter(
    ([name]) => name === 'epochs' || !(freeOptions.has(name) || name.startsWith('init')),
  );
  return {
    ...{ input, classes, classNames, kernels, adapter },
    dataset: { ...dataset, ...sums },
    options: Object.fromEntries(own.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
