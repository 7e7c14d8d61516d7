// Data sets out of the caller's own IDX files. How a file is read is the platform's.

import { readSource } from '#platform';
import { HeddleError } from '../errors.ts';
import type { FileSource } from '../platform/sources.ts';
import type { ClassDataset } from './dataset.ts';
import { checkLimit, take } from './from-arrays.ts';
import { parseLabelledImages } from './idx.ts';

/** Options of `datasets.idx`. */
export interface IdxOptions {
  /** Unsigned bytes, [rows, height, width]; gzipped or not. */
  readonly images: FileSource;
  /** Unsigned bytes, [rows]; gzipped or not. */
  readonly labels: FileSource;
  /** Class names, or how many classes there are. Default: as many as the largest label asks for. */
  readonly classes?: number | readonly string[] | undefined;
  /** For messages and records. Default `idx`. */
  readonly name?: string | undefined;
  /** Only the first rows. */
  readonly limit?: number | undefined;
}

/**
 * Images and labels of the caller's own, in the format of MNIST, e.g. one of EMNIST's sets (whose images lie on their side,
 * here as in torchvision). Throws `data` with the file and the reason, `usage` for options that make no sense.
 */
export async function idx(options: IdxOptions): Promise<ClassDataset> {
  const { name = 'idx', classes, limit } = options;
  const known = typeof classes === 'number' ? classes : classes?.length;
  if (known !== undefined && !(Number.isInteger(known) && known >= 1)) {
    const found = typeof classes === 'number' ? String(classes) : 'an empty list';
    throw new HeddleError(
      'usage',
      `${name}: expected classes as names or as a positive integer, got ${found}.`,
    );
  }
  if (limit !== undefined) checkLimit(limit);
  const images = await readSource(`${name}: images`, options.images);
  const labels = await readSource(`${name}: labels`, options.labels);
  const parsed = parseLabelledImages(images, labels, known ?? 256);
  let count = known ?? 1;
  if (known === undefined) for (const label of parsed.labels) count = Math.max(count, label + 1);
  const dataset: ClassDataset = {
    name,
    length: parsed.length,
    inputs: parsed.images,
    inputShape: [1, parsed.height, parsed.width],
    targets: parsed.labels,
    classes: typeof classes === 'object' ? [...classes] : Array.from({ length: count }, (_, i) => String(i)),
    synthetic: false,
  };
  return limit === undefined ? dataset : take(dataset, limit);
}
