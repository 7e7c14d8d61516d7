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
export const datasets = { fashionMnist, mnist, kmnist, synthetic, idx, imageFolder };
