import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { classNamesOf } from '../../src/cli/class-names.ts';
import { datasets } from '../../src/index.ts';
import { temporaryFolder } from './support.ts';

test('data sets know their classes', async () => {
  const { classes } = await datasets.synthetic('train', { limit: 1 });
  expect(await classNamesOf('synthetic', 10)).toEqual(classes);
  expect((await classNamesOf('kmnist', 10))?.[1]).toBe('ki');
  expect((await classNamesOf('mnist', 10))?.[1]).toBe('1 - one');
  expect(await classNamesOf('fashion-mnist', 9)).toBeUndefined();
});

test('a folder has a class for each folder in it, as long as it is there and has as many', async () => {
  const folder = temporaryFolder();
  for (const name of ['tulip', '.hidden', 'daisy'])
    mkdirSync(join(folder, 'train', name), { recursive: true });
  writeFileSync(join(folder, 'train', 'note.txt'), '');
  expect(await classNamesOf(folder, 2)).toEqual(['daisy', 'tulip']);
  expect(await classNamesOf(folder, 3)).toBeUndefined();
  expect(await classNamesOf(join(folder, 'gone'), 2)).toBeUndefined();
});
