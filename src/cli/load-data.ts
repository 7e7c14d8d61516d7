// Brings a data set in for a command: by name, with the progress of a download on stderr, or from a folder of pictures.

import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { FASHION_MNIST_CLASSES, FASHION_MNIST_FILES } from '../data/fashion-mnist.ts';
import { KMNIST_CLASSES, KMNIST_FILES, MNIST_CLASSES, MNIST_FILES } from '../data/mnist.ts';
import { SYNTHETIC_CLASSES } from '../data/synthetic.ts';
import { type ClassDataset, type Dataset, datasets, HeddleError } from '../index.ts';
import { downloadLine } from './download-line.ts';
import { fileSetNames, isFolder } from './options.ts';
import type { Output } from './sinks.ts';

/** Data sets that are files under known names. */
export const fileSets = {
  'fashion-mnist': {
    load: datasets.fashionMnist,
    files: FASHION_MNIST_FILES,
    classes: FASHION_MNIST_CLASSES,
  },
  mnist: { load: datasets.mnist, files: MNIST_FILES, classes: MNIST_CLASSES },
  kmnist: { load: datasets.kmnist, files: KMNIST_FILES, classes: KMNIST_CLASSES },
} satisfies Record<(typeof fileSetNames)[number], object>;

/** Where data comes from, as options say it. */
export interface DataOptions {
  /** The name of a data set, or a folder with the folders `train` and `test`. */
  readonly dataset: string;
  readonly data?: string;
}

const fileSetOf = (dataset: string) =>
  fileSets[fileSetNames.find((name) => name === dataset) ?? 'fashion-mnist'];

/** The class names of a data set, without loading it; undefined for a folder of pictures, and for what we do not know. */
export function knownClasses(dataset: string): readonly string[] | undefined {
  if (dataset === 'synthetic') return SYNTHETIC_CLASSES;
  const name = fileSetNames.find((known) => known === dataset);
  return name && fileSets[name].classes;
}

/**
 * Whether loading may take a download. Where not, it goes before opening the device, so that a wrong folder is told at
 * once; else after it, so that nobody waits for data that no GPU is there for.
 */
export function mayDownload({ dataset, data }: DataOptions): boolean {
  if (dataset === 'synthetic' || isFolder(dataset)) return false;
  return data === undefined && !process.env[fileSetOf(dataset).files.variable];
}

/** Loads one half of a data set. Throws `data` when it cannot be had. */
export async function loadSplit(
  split: 'train' | 'test',
  { dataset, data }: DataOptions,
  stderr: Output = process.stderr,
): Promise<ClassDataset> {
  if (dataset === 'synthetic') return datasets.synthetic(split);
  if (isFolder(dataset)) return loadFolder(split, dataset, data);
  const line = downloadLine(stderr);
  try {
    return await fileSetOf(dataset).load(split, {
      data,
      onProgress: line.show,
      onNotice: (notice) => {
        line.wipe();
        stderr.write(`${notice}\n`);
      },
    });
  } finally {
    line.wipe();
  }
}

async function loadFolder(
  split: 'train' | 'test',
  dataset: string,
  data: string | undefined,
): Promise<ClassDataset> {
  if (data !== undefined) {
    throw new HeddleError('usage', `--data and the folder --dataset ${dataset} exclude each other`);
  }
  const folder = join(dataset, split);
  if (!existsSync(folder)) {
    const expected = `${join(dataset, 'train')} and ${join(dataset, 'test')}, in each a folder of PNG images for each class`;
    throw new HeddleError('data', `--dataset ${dataset}: ${folder} does not exist; expected ${expected}`);
  }
  return datasets.imageFolder(folder, { name: `${basename(resolve(dataset))}/${split}` });
}

/** Loads both halves. Throws `data` when one cannot be had, or they are not of one kind. */
export async function loadBoth(options: DataOptions): Promise<{ train: ClassDataset; test: ClassDataset }> {
  const train = await loadSplit('train', options);
  const test = await loadSplit('test', options);
  for (const [what, of] of [
    ['classes', ({ classes }: Dataset) => classes.join(', ')],
    ['rows of shape', ({ inputShape }: Dataset) => `[${inputShape.join(', ')}]`],
  ] as const) {
    if (of(train) !== of(test)) {
      const found = `${train.name} has ${what} ${of(train)}, ${test.name} has ${of(test)}`;
      throw new HeddleError('data', `${found}: expected the same`);
    }
  }
  return { train, test };
}

/** What a user should know who takes pictures as they lie in their folders; empty for other data. */
export function orderNotice({ dataset, shuffle }: { dataset: string; shuffle: boolean }): string {
  if (!isFolder(dataset) || shuffle) return '';
  return `the images of ${dataset} come class by class: give --shuffle to mix them\n`;
}

/** What a user must not miss about a data set that no camera has seen; empty for real data. */
export function syntheticNotice(dataset: Dataset): string {
  if (!dataset.synthetic) return '';
  return 'SYNTHETIC data: drawn by a program. Its numbers say nothing about real images.\n';
}
