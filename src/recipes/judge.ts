// What a model makes of the test set, image by image: the worst mistakes, and the images of a cell of the confusion matrix.
// Pure functions on logits.

import { type ClassDataset, probabilities } from '../index.ts';
import type { Judged } from './protocol.ts';

/** Of each image the class that it is taken for, and how sure that is, 0…1. */
export interface Judgement {
  readonly predicted: Uint8Array;
  readonly probability: Float32Array;
}

/** `logits` are [rows, classes]; of equal ones the first counts, as in an evaluation. */
export function judge(logits: Float32Array, classes: number): Judgement {
  const rows = logits.length / classes;
  const [predicted, probability] = [new Uint8Array(rows), new Float32Array(rows)];
  for (let row = 0; row < rows; row++) {
    const all = probabilities(logits.subarray(row * classes, (row + 1) * classes));
    const best = all.reduce((found, one, i) => (one > (all[found] as number) ? i : found), 0);
    predicted[row] = best;
    probability[row] = all[best] as number;
  }
  return { predicted, probability };
}

/** An image of a data set as it is shown. */
export function pixelsOf({ inputs, length }: ClassDataset, image: number): Uint8Array {
  const size = inputs.length / length;
  const row = inputs.subarray(image * size, (image + 1) * size);
  return row instanceof Uint8Array ? row.slice() : Uint8Array.from(row, (value) => 255 * value);
}

/** The images that `wanted` takes, the surest first, at most so many. */
function surest(
  data: ClassDataset,
  { predicted, probability }: Judgement,
  most: number,
  wanted: (target: number, taken: number) => boolean,
): Judged[] {
  const found: number[] = [];
  for (let i = 0; i < predicted.length; i++)
    if (wanted(data.targets[i] as number, predicted[i] as number)) found.push(i);
  const sure = (i: number) => probability[i] as number;
  return found
    .sort((a, b) => sure(b) - sure(a) || a - b)
    .slice(0, most)
    .map((image) => ({
      image,
      target: data.targets[image] as number,
      predicted: predicted[image] as number,
      probability: sure(image),
      pixels: pixelsOf(data, image),
    }));
}

/** The surest of what is wrong. */
export const mistakesOf = (data: ClassDataset, judgement: Judgement, most = 36): Judged[] =>
  surest(data, judgement, most, (target, taken) => target !== taken);

/** Images of class `target` that were taken for `predicted`, the surest first. */
export const cellOf = (
  data: ClassDataset,
  judgement: Judgement,
  { target, predicted }: { readonly target: number; readonly predicted: number },
  most = 100,
): Judged[] => surest(data, judgement, most, (is, taken) => is === target && taken === predicted);
