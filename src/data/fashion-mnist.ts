// FashionMNIST: which files it is made of, where they are, what they mean. How files are found is the platform's.

import type { FileSet } from '../platform/files.ts';
import type { ClassDataset } from './dataset.ts';
import { type FileSetOptions, loadLabelledImages, type Split } from './labelled-images.ts';

/** Class names, by index. */
export const FASHION_MNIST_CLASSES: readonly string[] = [
  'T-shirt/top',
  'Trouser',
  'Pullover',
  'Dress',
  'Coat',
  'Sandal',
  'Shirt',
  'Sneaker',
  'Bag',
  'Ankle boot',
];

/** The four files, by the SHA-256 of their unpacked bytes, and where they may be (Xiao, Rasul, Vollgraf 2017; MIT). */
export const FASHION_MNIST_FILES: FileSet = {
  name: 'fashion-mnist',
  files: [
    {
      name: 'train-images-idx3-ubyte',
      bytes: 47_040_016,
      sha256: 'c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888',
    },
    {
      name: 'train-labels-idx1-ubyte',
      bytes: 60_008,
      sha256: 'bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9',
    },
    {
      name: 't10k-images-idx3-ubyte',
      bytes: 7_840_016,
      sha256: '5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b',
    },
    {
      name: 't10k-labels-idx1-ubyte',
      bytes: 10_008,
      sha256: '0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34',
    },
  ],
  variable: 'FASHION_MNIST_DIR',
  torchvisionFolder: 'FashionMNIST/raw',
  // torchvision's own place, then Debian's package dataset-fashion-mnist.
  folders: ['data/FashionMNIST/raw', '/usr/share/datasets/fashion-mnist'],
  mirrors: [
    'https://fashion-mnist.s3.eu-central-1.amazonaws.com/',
    'https://storage.googleapis.com/tensorflow/tf-keras-datasets/',
    'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/',
    // Plain http, safe only because the bytes are verified.
    'http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/',
  ],
  advice:
    'Put the four FashionMNIST files (gzipped or not) into a folder and name it (--data DIR, FASHION_MNIST_DIR); ' +
    'Debian and Ubuntu have them as package dataset-fashion-mnist',
};

/**
 * FashionMNIST: 60,000 (`train`) or 10,000 (`test`) grey images of 28x28 bytes in 10 classes, in file order.
 * Found on this machine or downloaded; always verified. Throws `data` with the file and the reason, `usage` for
 * options that make no sense.
 */
export async function fashionMnist(split: Split, options: FileSetOptions = {}): Promise<ClassDataset> {
  return loadLabelledImages(FASHION_MNIST_FILES, FASHION_MNIST_CLASSES, split, options);
}
