// What `heddle tune` measured, kept in the user's cache for the commands that use a GPU; and the device with all that is
// known of its kernels: doctor's verdicts, then the tuned variants or those of an earlier run.

import { readFileSync, rmSync } from 'node:fs';
import * as v from 'valibot';
import { messageOf } from '../errors.ts';
import { type Device, HeddleError, withoutKernels, withVariants } from '../index.ts';
import { codeOf } from '../platform/node-read.ts';
import { knownVariants as known } from '../recipes/variants.ts';
import { kernelCachePath, writeKernelCache } from './kernel-cache.ts';
import { readRunRecord } from './run-record.ts';
import { applyVerdicts, type Sound } from './verdicts.ts';

const tuningFile = v.object({ variants: v.record(v.string(), v.string()) });

/** The variants tuned for this adapter, by problem; none when nobody has tuned. Throws `file` for a damaged file. */
export function readTuning(device: Device): ReadonlyMap<string, string> {
  const path = kernelCachePath(device, '.tuned');
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return new Map();
    throw new HeddleError(
      'file',
      `${path}, what \`heddle tune\` found, cannot be read: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
  try {
    const { variants } = v.parse(tuningFile, JSON.parse(text));
    return new Map(Object.entries(variants).filter(([, name]) => known.has(name))); // some may have gone since
  } catch (cause) {
    const what = `${path}, what \`heddle tune\` found, is damaged: ${messageOf(cause)}`;
    throw new HeddleError('file', `${what}. Run \`heddle tune --forget\``, { cause });
  }
}

/** Keeps choices beside those kept before; the path where. Throws `file` when the cache cannot be written. */
export function rememberTuning(device: Device, choices: ReadonlyMap<string, string>): string {
  const path = kernelCachePath(device, '.tuned');
  const variants = Object.fromEntries([...readTuning(device), ...choices]);
  writeKernelCache(path, device, { measured: new Date().toISOString(), variants });
  return path;
}

/** Forgets all choices for this adapter; the path where they were. */
export function forgetTuning(device: Device): string {
  const path = kernelCachePath(device, '.tuned');
  try {
    rmSync(path, { force: true });
  } catch (cause) {
    throw new HeddleError('file', `${path} could not be removed: ${messageOf(cause)}`, { cause });
  }
  return path;
}

/** A line that says where recorded work could not follow the variants of `--kernels RUN`; empty where it did. */
export function variantNotice(
  { kernels }: { kernels?: string },
  { variants }: Device,
  used: Readonly<Record<string, string>>,
): string {
  if (kernels === undefined || kernels === untuned) return '';
  const all = Object.entries(used);
  const followed = all.filter(([problem, name]) => variants.get(problem) === name);
  if (followed.length === all.length) return '';
  return `--kernels ${kernels}: ${followed.length} of ${all.length} products use its variants; the others are of another size, or its variants cannot run here\n`;
}

/** The name that asks for the untuned choices. */
export const untuned = 'default';

/**
 * The device as it is to be used: without kernels that are wrong there, and with the variants that `kernels` asks for:
 * those of a run's folder, `default`, or when left out the tuned ones. A run's plan (plain or fused) comes with its kernels.
 */
export function prepareDevice(device: Device, options: { plain: boolean; kernels?: string }): Sound {
  const { kernels } = options;
  if (kernels !== undefined && kernels !== untuned) {
    const { kernels: used } = readRunRecord(kernels);
    if (used?.variants === undefined)
      throw new HeddleError(
        'usage',
        `--kernels ${kernels}: its run.json does not say which variants it used`,
      );
    for (const name of Object.values(used.variants)) {
      if (known.has(name)) continue;
      throw new HeddleError('usage', `--kernels ${kernels}: this version has no kernel variant '${name}'`);
    }
    const plain = options.plain || used.plain;
    const sound = applyVerdicts(withoutKernels(device, used.avoided), { plain });
    const avoid = [...new Set([...sound.choice.avoid, ...used.avoided])];
    return {
      ...sound,
      choice: { ...sound.choice, avoid },
      device: withVariants(sound.device, new Map(Object.entries(used.variants))),
    };
  }
  const sound = applyVerdicts(device, options);
  const tuned = kernels === untuned ? new Map<string, string>() : readTuning(device);
  return tuned.size === 0 ? sound : { ...sound, device: withVariants(sound.device, tuned) };
}
