// What a download shows: a bar that goes on from where it was, one line a file where nobody can see bars.

import { expect, test } from 'vitest';
import { downloadLine } from '../../src/cli/download-line.ts';
import { fakeOutput } from './support.ts';

const url = 'https://a.example/data/images.gz';
const at = (received: number, total: number | undefined = 20e6) => ({ file: 'images', url, received, total });

test('a terminal gets a bar, redrawn ten times a second at most, and wiped', () => {
  const terminal = fakeOutput({ isTTY: true, columns: 80 });
  let time = 0;
  const line = downloadLine(terminal, () => time);
  for (const [ms, received] of [
    [0, 5e6],
    [50, 6e6],
    [120, 10e6],
    [130, 20e6],
  ] as const) {
    time = ms;
    line.show(at(received));
  }
  line.wipe();
  line.wipe();
  expect(terminal.text.split('\r\x1b[K')).toEqual([
    '',
    'images  ━━━━━━──────────────────  5.0 / 20.0 MB',
    'images  ━━━━━━━━━━━━────────────  10.0 / 20.0 MB',
    'images  ━━━━━━━━━━━━━━━━━━━━━━━━  20.0 / 20.0 MB',
    '',
  ]);
});

test('nothing is wider than the terminal, and an unknown length has no bar', () => {
  const terminal = fakeOutput({ isTTY: true, columns: 30 });
  downloadLine(terminal, () => 0).show(at(5e6));
  expect(terminal.text.slice('\r\x1b[K'.length)).toHaveLength(29);
  const other = fakeOutput({ isTTY: true });
  downloadLine(other, () => 0).show({ ...at(5e6), total: undefined });
  expect(other.text).toBe('\r\x1b[Kimages  5.0 MB');
});

test('elsewhere there is one line an address, which says when it is not the beginning', () => {
  const file = fakeOutput();
  const line = downloadLine(file);
  line.show(at(0));
  line.show(at(7e6));
  line.show({ ...at(3.2e6), url: 'https://b.example/images.gz' });
  line.wipe();
  expect(file.text).toBe(
    'downloading images from a.example\nresuming images from b.example, behind 3.2 MB\n',
  );
});
