// A download as a person sees it on stderr: a live bar on a terminal, one line a file elsewhere.

import type { DownloadProgress } from '../platform/files.ts';
import { progressBar } from './format-bar.ts';
import { eraseLine, type Output } from './sinks.ts';
import { cut } from './table.ts';

/** What shows downloads; `wipe` before anything else is written, and at the end. */
export interface DownloadLine {
  show(progress: DownloadProgress): void;
  wipe(): void;
}

const interval = 100;
const barRoom = 24;

/** Shows downloads on `stderr`. `now`: milliseconds from anywhere; tests have their own. */
export function downloadLine(stderr: Output, now = () => performance.now()): DownloadLine {
  let last = Number.NEGATIVE_INFINITY;
  let announced = '';
  let drawn = false;
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  return {
    show({ file, url, received, total }) {
      if (stderr.isTTY !== true) {
        if (announced === url) return;
        announced = url;
        const { host } = new URL(url);
        const begin = received === 0 ? `downloading ${file} from ${host}` : `resuming ${file} from ${host}`;
        stderr.write(received === 0 ? `${begin}\n` : `${begin}, behind ${megabytes(received)} MB\n`);
        return;
      }
      const time = now();
      if (time - last < interval && received !== total) return;
      last = time;
      drawn = true;
      const done =
        total === undefined
          ? `${megabytes(received)} MB`
          : `${progressBar(received / Math.max(1, total), barRoom)}  ${megabytes(received)} / ${megabytes(total)} MB`;
      stderr.write(`${eraseLine}${cut(`${file}  ${done}`, (stderr.columns || 80) - 1)}`);
    },
    wipe() {
      if (drawn) stderr.write(eraseLine);
      drawn = false;
    },
  };
}
