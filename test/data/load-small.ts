// A process of its own for the tests of file access: loads files of the set in a JSON file as `heddle` would, and tells what
// became of it. Its argument: the path of a JSON file with `set`, `names` and `options`.

import { readFileSync } from 'node:fs';
import { resourceUsage, stdout } from 'node:process';
import { loadFiles } from '../../src/platform/node-files.ts';

const { set, names, options } = JSON.parse(readFileSync(process.argv[2]!, 'utf8'));
const notices: string[] = [];
const report = await loadFiles(set, names, {
  ...options,
  onNotice: (line) => notices.push(line),
  onProgress: ({ received }) => {
    if (received > 0) process.send?.(received);
  },
}).then(
  (files) => ({ from: files.map(({ from }) => from) }),
  ({ code, message }: { code: string; message: string }) => ({ code, message }),
);
// In KiB, whatever the system.
stdout.write(JSON.stringify({ ...report, notices, peakBytes: 1024 * resourceUsage().maxRSS }));
process.disconnect?.();
