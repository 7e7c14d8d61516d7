// What `heddle doctor` found out about kernels on an adapter, kept in the user's cache for the commands that train: one
// file an adapter, driver, version and set of kernels, with an entry for each model that has kernels which are wrong.

import { readFileSync, rmSync } from 'node:fs';
import * as v from 'valibot';
import { messageOf } from '../errors.ts';
import { type Device, HeddleError, type KernelChoice, withoutKernels } from '../index.ts';
import { codeOf } from '../platform/node-read.ts';
import { kernelCachePath, writeKernelCache } from './kernel-cache.ts';
import { adapterText } from './sinks.ts';

/** What was found for one model. */
export interface Verdict {
  /** Names of wrong kernels. */
  readonly wrong: readonly string[];
  /** The ways to train in which all kernels are right, the fastest first. */
  readonly right: readonly KernelChoice[];
}

const verdictFile = v.object({
  models: v.record(
    v.string(),
    v.object({
      checked: v.string(),
      wrong: v.array(v.string()),
      right: v.array(v.object({ avoid: v.array(v.string()), plain: v.boolean() })),
    }),
  ),
});
type Models = v.InferOutput<typeof verdictFile>['models'];

function readModels(path: string): Models {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return {}; // nothing is wrong here
    throw new HeddleError(
      'file',
      `${path}, what \`heddle doctor\` found, cannot be read: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
  try {
    return v.parse(verdictFile, JSON.parse(text)).models;
  } catch (cause) {
    const what = `${path}, what \`heddle doctor\` found, is damaged: ${messageOf(cause)}`;
    throw new HeddleError('file', `${what}. Delete it and run \`heddle doctor\` again`, { cause });
  }
}

/** Keeps what was found for a model; forgets what was found before. Throws `file` when the cache cannot be written. */
export function rememberVerdict(device: Device, model: string, { wrong, right }: Verdict): void {
  const path = kernelCachePath(device, '');
  const { [model]: _, ...models } = readModels(path);
  if (wrong.length > 0) {
    const ways = right.map(({ avoid, plain }) => ({ avoid: [...avoid], plain }));
    models[model] = { checked: new Date().toISOString(), wrong: [...wrong], right: ways };
  }
  if (Object.keys(models).length === 0) {
    rmSync(path, { force: true });
    return;
  }
  writeKernelCache(path, device, { models });
}

/** A device with the verdicts on it applied. */
export interface Sound {
  readonly device: Device;
  readonly choice: KernelChoice;
  /** A line for the user when something is avoided, else empty. */
  readonly notice: string;
}

/** What a choice comes to, in words. */
export function choiceText({ avoid, plain }: KernelChoice): string {
  const parts = avoid.length === 0 ? [] : [`without ${avoid.join(' and ')}`];
  if (plain) parts.push('with the plain plan, one kernel per operation');
  return parts.length === 0 ? 'with the fast kernels' : parts.join(' and ');
}

/**
 * The device as it may be trained on: without kernels that `heddle doctor` found wrong there for any model, and by a way
 * that it found right for all of them. With `plain`, only the plain plan will do.
 * Throws a HeddleError `gpu` when there is no such way.
 */
export function applyVerdicts(device: Device, { plain }: { plain: boolean }): Sound {
  const path = kernelCachePath(device, '');
  const models = readModels(path);
  const verdicts = Object.values(models);
  const [first, ...others] = verdicts;
  if (first === undefined) return { device, choice: { avoid: [], plain }, notice: '' };
  const wrong = [...new Set(verdicts.flatMap((verdict) => verdict.wrong))].join(', ');
  const same = (a: KernelChoice, b: KernelChoice) => JSON.stringify(a) === JSON.stringify(b);
  const choice = first.right.find(
    (way) => (way.plain || !plain) && others.every(({ right }) => right.some((other) => same(other, way))),
  );
  if (choice === undefined) {
    const found = `\`heddle doctor\` found no ${plain ? 'plain ' : ''}kernels that give right numbers (wrong: ${wrong})`;
    const names = Object.keys(models).join('; ');
    throw new HeddleError(
      'gpu',
      `on ${adapterText(device.info)} ${found}. Update the driver or take another adapter; \`heddle doctor\` of the same model (${names}) lifts this, and so does deleting ${path}`,
    );
  }
  const notice = `\`heddle doctor\` found ${wrong} wrong on this adapter: training ${choiceText(choice)}\n`;
  return { device: withoutKernels(device, choice.avoid), choice, notice };
}
