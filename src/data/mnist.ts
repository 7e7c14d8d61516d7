// MNIST and KMNIST: which files they are made of, where they are, what they mean.

import type { FileSet } from '../platform/files.ts';
import type { ClassDataset } from './dataset.ts';
import { type FileSetOptions, loadLabelledImages, type Split } from './labelled-images.ts';

/** Class names, by index, as torchvision has them. */
export const MNIST_CLASSES: readonly string[] = [
  '0 - zero',
  '1 - one',
  '2 - two',
  '3 - three',
  '4 - four',
  '5 - five',
  '6 - six',
  '7 - seven',
  '8 - eight',
  '9 - nine',
];

/** Class names, by index: hiragana, one for each row of the table. */
export const KMNIST_CLASSES: readonly string[] = ['o', 'ki', 'su', 'tsu', 'na', 'ha', 'ma', 'ya', 're', 'wo'];

/** The four files, by the SHA-256 of their unpacked bytes (LeCun, Cortes, Burges 1998). */
export const MNIST_FILES: FileSet = {
  name: 'mnist',
  files: [
    {
      name: 'train-images-idx3-ubyte',
      bytes: 47_040_016,
      sha256: 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
    },
    {
      name: 'train-labels-idx1-ubyte',
      bytes: 60_008,
      sha256: '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
    },
    {
      name: 't10k-images-idx3-ubyte',
      bytes: 7_840_016,
      sha256: '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
    },
    {
      name: 't10k-labels-idx1-ubyte',
      bytes: 10_008,
      sha256: 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
    },
  ],
  variable: 'MNIST_DIR',
  torchvisionFolder: 'MNIST/raw',
  folders: ['data/MNIST/raw'],
  mirrors: [
    'https://ossci-datasets.s3.amazonaws.com/mnist/',
    'https://storage.googleapis.com/cvdf-datasets/mnist/',
    // Plain http, safe only because the bytes are verified.
    'http://yann.lecun.com/exdb/mnist/',
  ],
  advice: 'Put the four MNIST files (gzipped or not) into a folder and name it (--data DIR, MNIST_DIR)',
};

/**
 * The four files, by the SHA-256 of the packed ones (Clanuwat and others 2018; CC BY-SA 4.0), as TensorFlow Datasets and
 * others list them. Unpacked ones on this machine are known by their length alone.
 */
export const KMNIST_FILES: FileSet = {
  name: 'kmnist',
  files: [
    {
      name: 'train-images-idx3-ubyte',
      bytes: 47_040_016,
      packedSha256: '51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4',
    },
    {
      name: 'train-labels-idx1-ubyte',
      bytes: 60_008,
      packedSha256: 'e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17',
    },
    {
      name: 't10k-images-idx3-ubyte',
      bytes: 7_840_016,
      packedSha256: 'edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5',
    },
    {
      name: 't10k-labels-idx1-ubyte',
      bytes: 10_008,
      packedSha256: '20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c',
    },
  ],
  variable: 'KMNIST_DIR',
  torchvisionFolder: 'KMNIST/raw',
  folders: ['data/KMNIST/raw'],
  mirrors: [
    'https://codh.rois.ac.jp/kmnist/dataset/kmnist/',
    // Plain http, safe only because the bytes are verified.
    'http://codh.rois.ac.jp/kmnist/dataset/kmnist/',
  ],
  advice:
    'Put the four KMNIST files (as they come, or unpacked) into a folder and name it (--data DIR, KMNIST_DIR)',
};

/**
 * MNIST: 60,000 (`train`) or 10,000 (`test`) handwritten digits of 28x28 grey bytes, in file order.
 * Found on this machine or downloaded; always verified. Throws `data` with the file and the reason, `usage` for
 * options that make no sense.
 */
export async function mnist(split: Split, options: FileSetOptions = {}): Promise<ClassDataset> {
  return loadLabelledImages(MNIST_FILES, MNIST_CLASSES, split, options);
}

/** KMNIST: 60,000 (`train`) or 10,000 (`test`) cursive hiragana in ten classes; the rest as with `mnist`. */
export async function kmnist(split: Split, options: FileSetOptions = {}): Promise<ClassDataset> {
  return loadLabelledImages(KMNIST_FILES, KMNIST_CLASSES, split, options);
}
