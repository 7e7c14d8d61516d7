// What the classes of a run's data are called, without loading the data.

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { FASHION_MNIST_CLASSES } from '../data/fashion-mnist.ts';
import { KMNIST_CLASSES, MNIST_CLASSES } from '../data/mnist.ts';
import { datasets } from '../index.ts';
import { isFolder } from './options.ts';

const known: Readonly<Record<string, readonly string[]>> = {
  'fashion-mnist': FASHION_MNIST_CLASSES,
  mnist: MNIST_CLASSES,
  kmnist: KMNIST_CLASSES,
};

function foldersIn(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => name)
      .sort();
  } catch {
    return []; // moved away since
  }
}

/** The names by index; undefined where they are not known any more, or are not `count`. */
export async function classNamesOf(dataset: string, count: number): Promise<readonly string[] | undefined> {
  const names = isFolder(dataset)
    ? foldersIn(join(dataset, 'train'))
    : dataset === 'synthetic'
      ? (await datasets.synthetic('test', { limit: 1 })).classes
      : known[dataset];
  return names?.length === count ? names : undefined;
}
