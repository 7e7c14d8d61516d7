// The data sets that Heddle knows how to get, by name.

import { fashionMnist } from './fashion-mnist.ts';
import { idx } from './idx-files.ts';
import { imageFolder } from './image-folder.ts';
import { kmnist, mnist } from './mnist.ts';
import { synthetic } from './synthetic.ts';

/**
 * Data sets: `fashionMnist`, `mnist`, `kmnist` and `synthetic` take a split (`train` or `test`) and options; `idx` and
 * `imageFolder` take files of the caller's own.
 */
export const datasets = {
  /** Zalando's photographs of clothes, 60,000 + 10,000 of [1, 28, 28] bytes in ten classes: found or downloaded, verified. */
  fashionMnist,
  /** Handwritten digits, in the same sizes. */
  mnist,
  /** Handwritten hiragana, in the same sizes. */
  kmnist,
  /** Shapes drawn by a program, for trials without data or network. */
  synthetic,
  /** IDX files of the caller's own: paths, bytes or Blobs. */
  idx,
  /** A folder of PNG images, with a folder for each class. */
  imageFolder,
};
