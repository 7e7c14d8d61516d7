// What `heddle doctor` found out about kernels on an adapter, kept in the user's cache for the commands that train: one
// file an adapter, driver, version and set of kernels, with an entry for each model that has kernels which are wrong.

import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { type Device, HeddleError, type KernelChoice, withoutKernels } from '../index.ts';
import { allKernels } from '../ops/kernels.generated.ts';
import { cacheFolder } from '../platform/cache-folder.ts';
import { writeWhole } from './run-folder.ts';
import { adapterFacts, adapterText } from './sinks.ts';
import { versions } from './versions.ts';

/** What was found for one model. */
export interface Verdict {
  /** Names of wrong kernels. */
  readonly wrong: readonly string[];
  /** What to train with instead; absent when every way has a wrong kernel in it. */
  readonly choice?: KernelChoice | undefined;
}

const verdictFile = v.object({
  models: v.record(
    v.string(),
    v.object({
      checked: v.string(),
      wrong: v.array(v.string()),
      choice: v.optional(v.object({ avoid: v.array(v.string()), plain: v.boolean() })),
    }),
  ),
});
type Models = v.InferOutput<typeof verdictFile>['models'];

/** Where the verdicts on this adapter are kept. Another driver, version or shader is another file. */
function pathOf(device: Device): string {
  const hash = createHash('sha256').update(JSON.stringify(adapterFacts(device.info)));
  const { heddle, webgpu } = versions();
  hash.update(`${heddle} ${webgpu}`);
  for (const { source } of allKernels) hash.update(source);
  const { platform, env } = process;
  return join(
    cacheFolder({ platform, env, home: homedir() }),
    'kernels',
    `${hash.digest('hex').slice(0, 16)}.json`,
  );
}

function readModels(path: string): Models {
  try {
    const result = v.safeParse(verdictFile, JSON.parse(readFileSync(path, 'utf8')));
    return result.success ? result.output.models : {};
  } catch {
    return {}; // no verdict yet, or none that can be read
  }
}

/** Keeps what was found for a model; forgets what was found before. Throws `file` when the cache cannot be written. */
export function rememberVerdict(device: Device, model: string, { wrong, choice }: Verdict): void {
  const path = pathOf(device);
  const { [model]: _, ...models } = readModels(path);
  if (wrong.length > 0) {
    const checked = new Date().toISOString();
    models[model] = { checked, wrong: [...wrong], choice: choice && { ...choice, avoid: [...choice.avoid] } };
  }
  if (Object.keys(models).length === 0) {
    rmSync(path, { force: true });
    return;
  }
  try {
    mkdirSync(dirname(path), { recursive: true });
  } catch (cause) {
    throw new HeddleError('file', `${dirname(path)} could not be made`, { cause });
  }
  const adapter = adapterFacts(device.info);
  writeWhole(path, Buffer.from(`${JSON.stringify({ adapter, versions: versions(), models }, null, 2)}\n`));
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
 * The device as it may be trained on: without kernels that `heddle doctor` found wrong there for any model.
 * Throws a HeddleError `gpu` when it found no way that is right.
 */
export function applyVerdicts(device: Device): Sound {
  const verdicts = Object.values(readModels(pathOf(device)));
  const wrong = [...new Set(verdicts.flatMap((verdict) => verdict.wrong))].join(', ');
  const choices = verdicts.map(({ choice }) => {
    if (choice !== undefined) return choice;
    throw new HeddleError(
      'gpu',
      `on ${adapterText(device.info)} \`heddle doctor\` found no kernels that give right numbers (wrong: ${wrong}). Update the driver or take another adapter, then run \`heddle doctor\` again.`,
    );
  });
  const choice: KernelChoice = {
    avoid: [...new Set(choices.flatMap(({ avoid }) => avoid))],
    plain: choices.some(({ plain }) => plain),
  };
  const notice =
    verdicts.length === 0
      ? ''
      : `\`heddle doctor\` found ${wrong} wrong on this adapter: training ${choiceText(choice)}\n`;
  return { device: withoutKernels(device, choice.avoid), choice, notice };
}
