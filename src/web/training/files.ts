// What can be kept of a run: its weights, its model for other runtimes, a checkpoint that training goes on from here and in
// Node, and a timeline of what the worker did.

import { canProfile, encodeOnnx, encodeSafetensors, type Span } from '../../index.ts';
import type { NamedTensor } from '../../io/safetensors.ts';
import type { FileKind } from '../../recipes/protocol.ts';
import { recordNote } from '../../recipes/record.ts';
import { notesOf, type Standing } from '../../recipes/standing.ts';
import { traceOf } from '../../recipes/trace.ts';
import { recordTextOf, type Setup } from './setup.ts';

/** A file for the user. */
export interface MadeFile {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** A run, as files are made of it. */
export interface Kept {
  readonly setup: Setup;
  readonly standing: Pick<Standing, 'best'>;
  /** Its weights as they are now. */
  weights(): Promise<ReadonlyMap<string, NamedTensor>>;
  /** What the host did lately: a list for each stretch of training. */
  readonly spans: readonly (readonly Span[])[];
}

/** The checkpoint's notes: what Node goes on by. */
export async function notesFor(setup: Setup, standing: Pick<Standing, 'best'>): Promise<Map<string, string>> {
  return new Map([[recordNote, await recordTextOf(setup)], ...notesOf(standing)]);
}

/** Whether a kind needs the trainer at rest; the others can be made while it trains. */
export const needsRest = (kind: FileKind): boolean => kind === 'checkpoint' || kind === 'trace';

/** Makes a file. What is thrown is for the asker. */
export async function makeFile(kind: FileKind, { setup, standing, weights, spans }: Kept): Promise<MadeFile> {
  const { trainer, device, data, model, plan } = setup;
  const stem = `heddle-${plan.options.model}-${plan.options.dataset}-step-${trainer.steps}`;
  switch (kind) {
    case 'safetensors':
      return { name: `${stem}.safetensors`, bytes: encodeSafetensors(await weights()) };
    case 'onnx': {
      const { inputShape, classes } = data.train;
      return {
        name: `${stem}.onnx`,
        bytes: await encodeOnnx(model, await weights(), { inputShape, classes }),
      };
    }
    case 'checkpoint': {
      const bytes = await trainer.checkpoint(await notesFor(setup, standing));
      return { name: `${stem}.checkpoint.safetensors`, bytes };
    }
    case 'trace': {
      const kernels = canProfile(device) ? await trainer.profile() : null;
      const text = JSON.stringify(traceOf(spans, kernels));
      return { name: `${stem}.trace.json`, bytes: new TextEncoder().encode(text) };
    }
  }
}
