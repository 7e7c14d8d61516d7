// Data sets as the command line names them: those with known files, and folders of pictures.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { loadBoth, loadSplit, mayDownload, orderNotice } from '../../src/cli/load-data.ts';
import { dataLoader, fromArrays } from '../../src/index.ts';
import { augmentation } from '../../src/recipes/augment.ts';
import { pngFile } from '../data/png-file.ts';
import { heddle, records, temporaryFolder } from './support.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

/** A folder with pictures of `height` x 4 pixels: `dark` and `light` ones. */
function pictures(halves: Record<string, readonly string[]>, height = 5): string {
  const root = join(temporaryFolder(), 'shades');
  for (const [half, classes] of Object.entries(halves))
    for (const [label, name] of classes.entries())
      for (let i = 0; i < 6; i++) {
        const path = join(root, half, name, `${i}.png`);
        mkdirSync(dirname(path), { recursive: true });
        const samples = new Array(height * 4).fill(60 * label + 5 * i);
        writeFileSync(path, pngFile({ width: 4, height, colours: 0, samples }));
      }
  return root;
}
const shades = ['dark', 'light'];

test('a folder of pictures has a folder for each half, and the name of its last part', async () => {
  const root = pictures({ train: shades, test: shades });
  const { train, test } = await loadBoth({ dataset: root });
  expect(train).toMatchObject({ name: 'shades/train', length: 12, inputShape: [3, 5, 4], classes: shades });
  expect(test.name).toBe('shades/test');
  expect(mayDownload({ dataset: root })).toBe(false);
  expect(orderNotice({ dataset: root, shuffle: true })).toBe('');
  expect(orderNotice({ dataset: 'mnist', shuffle: false })).toBe('');
  expect(orderNotice({ dataset: root, shuffle: false })).toMatch(/come class by class: give --shuffle/);
});

test('what is missing or does not fit is refused, with both sides named', async () => {
  const root = pictures({ train: shades });
  await expect(loadBoth({ dataset: root })).rejects.toMatchObject({
    code: 'data',
    message: expect.stringContaining(`${root}/test does not exist; expected ${root}/train and ${root}/test`),
  });
  await expect(loadSplit('train', { dataset: root, data: 'x' })).rejects.toMatchObject({ code: 'usage' });
  const other = pictures({ train: shades, test: ['dark', 'grey'] });
  await expect(loadBoth({ dataset: other })).rejects.toThrow(
    'shades/train has classes dark, light, shades/test has dark, grey: expected the same',
  );
});

test('known data sets may be downloaded, unless somebody said where they are', () => {
  for (const [dataset, variable] of [
    ['fashion-mnist', 'FASHION_MNIST_DIR'],
    ['mnist', 'MNIST_DIR'],
    ['kmnist', 'KMNIST_DIR'],
  ] as const) {
    vi.stubEnv(variable, undefined);
    expect(mayDownload({ dataset })).toBe(true);
    expect(mayDownload({ dataset, data: 'x' })).toBe(false);
    vi.stubEnv(variable, '/somewhere');
    expect(mayDownload({ dataset })).toBe(false);
  }
  expect(mayDownload({ dataset: 'synthetic' })).toBe(false);
});

test('--augment keeps the shape of images, and bytes bytes', () => {
  const inputs = Uint8Array.from({ length: 12 * 16 * 8 }, (_, i) => i);
  const dataset = fromArrays({ inputs, inputShape: [3, 8, 16], targets: [0, 1, 2, 3] });
  const transforms = augmentation(['flip', 'crop'], dataset);
  expect(transforms.map(({ name }) => name)).toEqual(['randomHorizontalFlip', 'randomCrop']);
  const { kind } = dataLoader(dataset, { batchSize: 2, transforms });
  expect(kind).toEqual({ shape: [3, 8, 16], dtype: 'u8' });
  expect(augmentation(undefined, dataset)).toEqual([]);
});

test('train and eval take a folder; augmentation changes the training, not the evaluation', async () => {
  const cwd = dirname(pictures({ train: shades, test: shades }));
  const args = ['train', '--dataset', './shades', '--hidden', '8', '--epochs', '2', '--shuffle', '--json'];
  const [plain, augmented] = [
    await heddle([...args, '--out', 'plain'], { cwd }),
    await heddle([...args, '--out', 'augmented', '--augment', 'flip,crop'], { cwd }),
  ];
  expect([plain.code, augmented.code]).toEqual([0, 0]);
  expect(augmented.stderr).toContain('shades: 12 + 12 images · 60-8-2: 506 parameters');
  const losses = ({ stdout }: { stdout: string }) =>
    records(stdout).flatMap(({ type, loss }) => (type === 'step' ? [loss] : []));
  expect(losses(augmented)).not.toEqual(losses(plain));
  expect(JSON.parse(readFileSync(join(cwd, 'augmented/run.json'), 'utf8'))).toMatchObject({
    model: '60-8-2',
    options: { dataset: './shades', augment: ['flip', 'crop'] },
  });
  const evaluated = await heddle(['eval', 'augmented', '--json'], { cwd });
  expect(evaluated.code).toBe(0);
  const [result] = records(evaluated.stdout);
  const loss = expect.closeTo(result?.loss as number, 6);
  expect(records(augmented.stdout).at(-2)).toMatchObject({ type: 'epoch', validation: { loss } });
});
