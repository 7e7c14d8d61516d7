// Data sets of four IDX files under MNIST's names: images and labels to train with and to test with.

import { loadFiles } from '#platform';
import { HeddleError } from '../errors.ts';
import type { FileSet, LoadFilesOptions } from '../platform/files.ts';
import type { ClassDataset } from './dataset.ts';
import { checkLimit, take } from './from-arrays.ts';
import { parseLabelledImages } from './idx.ts';

/** Which half of a data set. */
export type Split = 'train' | 'test';

/** Options of `datasets.fashionMnist` and the like: where to look, what to report, and how much of it. */
export interface FileSetOptions extends LoadFilesOptions {
  /** Only the first rows. */
  readonly limit?: number | undefined;
}

/** One half of such a set, in file order. Throws `data` with the file and the reason, `usage` for bad options. */
export async function loadLabelledImages(
  set: FileSet,
  classes: readonly string[],
  split: Split,
  options: FileSetOptions,
): Promise<ClassDataset> {
  const { limit, ...where } = options;
  const prefix = filePrefix(set.name, split);
  if (limit !== undefined) checkLimit(limit);
  const names = [`${prefix}-images-idx3-ubyte`, `${prefix}-labels-idx1-ubyte`];
  const files = await loadFiles(set, names, where);
  const [images, labels] = files.map(({ from, bytes }) => ({ name: from, bytes }));
  const parsed = parseLabelledImages(images!, labels!, classes.length);
  const dataset: ClassDataset = {
    name: `${set.name}/${split}`,
    length: parsed.length,
    inputs: parsed.images,
    inputShape: [1, parsed.height, parsed.width],
    targets: parsed.labels,
    classes,
    synthetic: false,
  };
  return limit === undefined ? dataset : take(dataset, limit);
}

function filePrefix(name: string, split: Split): string {
  if (split === 'train') return 'train';
  if (split === 'test') return 't10k';
  throw new HeddleError('usage', `${name}: expected the split train or test, got ${String(split)}.`);
}
