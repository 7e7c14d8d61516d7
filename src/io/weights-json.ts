// Weights as JSON that people and small programs can read. Written piece by piece: one text would outgrow a string.

import { HeddleError } from '../errors.ts';
import type { NamedTensor } from './safetensors.ts';

/** What stands before the tensors. */
export interface WeightsFacts {
  /** In a few words, such as `784-512-512-10`. */
  readonly model: string;
  /** Of a row. */
  readonly inputShape: readonly number[];
  readonly classes: number;
  /** By index, where they are known. */
  readonly classNames?: readonly string[] | undefined;
}

/** Numbers in a piece of text. */
const together = 8192;
/** Below it float32s have fewer digits. */
const smallestNormal = 2 ** -126;

/** The shortest decimal that is read as the same float32; no number with 6 digits needs looking for one with fewer. */
export function float32Text(value: number): string {
  if (Object.is(value, -0)) return '-0';
  for (let digits = Math.abs(value) < smallestNormal ? 1 : 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(Number(value.toPrecision(9))); // always enough
}

/**
 * The pieces of `{ format, version, model, inputShape, classes, classNames?, tensors: { KEY: { shape, data } } }`, data row-major.
 * Numbers are read back as the same float32s. Throws a HeddleError `usage` for what JSON has no number for.
 */
export function* weightsJson(
  tensors: ReadonlyMap<string, NamedTensor>,
  facts: WeightsFacts,
): Generator<string, void, void> {
  const { model, inputShape, classes, classNames } = facts;
  const head = { format: 'heddle-weights', version: 1, model, inputShape, classes, classNames };
  yield `${JSON.stringify(head).slice(0, -1)},"tensors":{`;
  let separator = '\n';
  for (const [key, { shape, data }] of tensors) {
    yield `${separator}${JSON.stringify(key)}:{"shape":${JSON.stringify(shape)},"data":[`;
    for (let at = 0; at < data.length; at += together) {
      const piece = data.subarray(at, at + together);
      const broken = piece.findIndex((value) => !Number.isFinite(value));
      if (broken >= 0) {
        const found = `${key}: element ${at + broken} is ${piece[broken]}`;
        throw new HeddleError('usage', `JSON: ${found}, expected finite numbers. Write safetensors`);
      }
      yield `${at === 0 ? '' : ','}${Array.from(piece, float32Text).join(',')}`;
    }
    yield ']}';
    separator = ',\n';
  }
  yield '}}\n';
}
