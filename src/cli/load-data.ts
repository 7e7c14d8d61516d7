// Brings a data set in for a command: by name, with the progress of a download on stderr.

import { FASHION_MNIST_FILES } from '../data/fashion-mnist.ts';
import { type Dataset, datasets } from '../index.ts';
import type { Output } from './sinks.ts';

/** Where data comes from, as options say it. */
export interface DataOptions {
  readonly dataset: 'fashion-mnist' | 'synthetic';
  readonly data?: string;
}

const interval = 100;
const eraseLine = '\r\x1b[K';

interface Progress {
  readonly file: string;
  readonly url: string;
  readonly received: number;
  readonly total: number | undefined;
}

/** Shows a download: a live line on a terminal, one line a file elsewhere. */
function downloadLine(stderr: Output) {
  let last = Number.NEGATIVE_INFINITY;
  let announced = '';
  let drawn = false;
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  return {
    show({ file, url, received, total }: Progress) {
      if (stderr.isTTY !== true) {
        if (announced !== url) stderr.write(`downloading ${file} from ${new URL(url).host}\n`);
        announced = url;
        return;
      }
      const now = performance.now();
      if (now - last < interval) return;
      last = now;
      drawn = true;
      const of = total === undefined ? '' : ` / ${megabytes(total)}`;
      const line = `downloading ${file}  ${megabytes(received)}${of} MB`;
      stderr.write(`${eraseLine}${line.slice(0, (stderr.columns || 80) - 1)}`);
    },
    wipe() {
      if (drawn) stderr.write(eraseLine);
      drawn = false;
    },
  };
}

/**
 * Whether loading may take a download. Where not, it goes before opening the device, so that a wrong folder is told at
 * once; else after it, so that nobody waits for data that no GPU is there for.
 */
export function mayDownload({ dataset, data }: DataOptions): boolean {
  return dataset !== 'synthetic' && data === undefined && !process.env[FASHION_MNIST_FILES.variable];
}

/** Loads one half of a data set. Throws `data` when it cannot be had. */
export async function loadSplit(
  split: 'train' | 'test',
  { dataset, data }: DataOptions,
  stderr: Output = process.stderr,
): Promise<Dataset> {
  if (dataset === 'synthetic') return datasets.synthetic(split);
  const line = downloadLine(stderr);
  try {
    return await datasets.fashionMnist(split, {
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

/** What a user must not miss about a data set that no camera has seen; empty for real data. */
export function syntheticNotice(dataset: Dataset): string {
  if (!dataset.synthetic) return '';
  return 'SYNTHETIC data: drawn by a program. Its numbers say nothing about real images.\n';
}
