import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseOptions, trainOptions } from '../../src/cli/options.ts';
import { heddle, temporaryFolder } from './support.ts';

const valid = {
  dataset: 'fashion-mnist',
  epochs: '10',
  batchSize: '64',
  lr: '1e-3',
  optimizer: 'sgd',
  hidden: '512,512',
  seed: '0',
  logEvery: '100',
  format: 'auto',
};

test('the defaults are the tutorial’s settings', () => {
  expect(parseOptions(trainOptions, valid)).toEqual({
    ...valid,
    epochs: 10,
    batchSize: 64,
    lr: 0.001,
    hidden: [512, 512],
    seed: 0,
    logEvery: 100,
    shuffle: false,
    json: false,
    plain: false,
  });
});

test.each([
  ['epochs', '0', "--epochs: found '0', expected a whole number of at least 1"],
  ['epochs', '1.5', ''],
  ['epochs', '0x10', ''],
  ['epochs', ' 1', ''],
  ['epochs', '１', ''],
  ['batchSize', '-64', "--batch-size: found '-64', expected a whole number of at least 1"],
  ['batchSize', '9007199254740993', ''],
  ['seed', '-1', ''],
  ['seed', 'NaN', ''],
  ['lr', '0', ''],
  ['lr', '-1', ''],
  ['lr', 'NaN', ''],
  ['lr', 'Infinity', ''],
  ['lr', '1e400', ''],
  ['lr', '1e39', "--lr: found '1e39', expected a positive number that float32 can hold"],
  ['lr', '1e-50', ''],
  ['lr', '1e', ''],
  ['lr', '1,5', ''],
  ['hidden', '', ''],
  ['hidden', '512,', ''],
  ['hidden', '0', ''],
  ['hidden', '512;512', ''],
  ['hidden', '1e3', ''],
  ['limit', '0', ''],
  ['logEvery', '0', ''],
  ['optimizer', 'adam', "--optimizer: found 'adam', expected sgd"],
  ['dataset', 'mnist', "--dataset: found 'mnist', expected one of fashion-mnist, synthetic"],
  ['format', 'json', ''],
  ['adapter', '', ''],
  ['data', '', ''],
  ['out', '', ''],
])('%s: "%s" is refused', (name, value, message) => {
  expect(() => parseOptions(trainOptions, { ...valid, [name]: value })).toThrow(
    expect.objectContaining({ code: 'usage', message: expect.stringContaining(message) }),
  );
});

test.each([
  ['lr', '.5', 0.5],
  ['lr', '1E-3', 0.001],
  ['lr', '2.', 2],
  ['seed', '4294967296', 4294967296],
  ['hidden', '7', [7]],
])('%s: "%s" is taken', (name, value, expected) => {
  expect(parseOptions(trainOptions, { ...valid, [name]: value })).toMatchObject({ [name]: expected });
});

const refused: [string, RegExp][] = [
  ['train --epoch 1', /^heddle train: unknown option '--epoch' \(Did you mean --epochs\?\)$/],
  ['train --momentum 0.9', /^heddle train: unknown option '--momentum'/],
  ['train --epochs', /^heddle train: option '--epochs <n>' argument missing$/],
  ['train --epochs ten', /^heddle train: --epochs: found 'ten', expected a whole number of at least 1$/],
  ['train --epochs -1', /^heddle train: --epochs: found '-1'/],
  ['train --lr=0', /^heddle train: --lr: found '0'/],
  ['train --schedule step:size=0', /^heddle train: --schedule: found 'step:size=0', expected step’s size to/],
  ['train --json --format bar', /^heddle train: --json and --format exclude each other/],
  ['train --out used', /^heddle train: --out: used is not empty/],
  ['train extra', /^heddle train: too many arguments/],
  ['eval', /^heddle eval: missing required argument 'run'$/],
  ['eval nowhere', /^heddle eval: nowhere\/run.json does not exist; expected the folder of a run$/],
  ['eval used --dataset mnist', /^heddle eval: --dataset: found 'mnist'/],
  ['doctor --fast', /^heddle doctor: unknown option '--fast'/],
  ['plan --batch-size 0', /^heddle plan: --batch-size: found '0'/],
  ['trian', /^heddle: unknown command 'trian' \(Did you mean train\?\)$/],
  ['--help-me', /^heddle: unknown option '--help-me'/],
];

test.concurrent.for(refused)('heddle %s: exit 2, one line, nothing created', async ([line, message]) => {
  const cwd = temporaryFolder();
  mkdirSync(join(cwd, 'used'));
  writeFileSync(join(cwd, 'used', 'x'), '');
  const { code, stdout, stderr } = await heddle(line.split(' '), { cwd });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^[^\n]+\n$/);
  expect(stderr.trimEnd()).toMatch(message);
  expect(readdirSync(cwd, { recursive: true }).sort()).toEqual(['used', 'used/x']);
});

test('help and version go to stdout and exit with 0', async () => {
  const cwd = temporaryFolder();
  for (const line of [
    '',
    '--help',
    'train --help',
    'eval --help',
    'doctor --help',
    'plan --help',
    'help plan',
  ]) {
    const { code, stdout, stderr } = await heddle(line === '' ? [] : line.split(' '), { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^Usage: heddle/);
    if (line.includes('plan')) expect(stdout).toContain('Examples:\n  heddle plan');
  }
  expect((await heddle(['--version'], { cwd })).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
