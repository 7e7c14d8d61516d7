import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseOptions, trainOptions } from '../../src/cli/options.ts';
import { optimizerFor } from '../../src/recipes/optimizer.ts';
import { heddle, temporaryFolder } from './support.ts';

const valid = {
  model: 'mlp',
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
    initPartial: false,
    keep: 0,
    onNan: 'stop',
    epochs: 10,
    batchSize: 64,
    lr: 0.001,
    hidden: [512, 512],
    seed: 0,
    logEvery: 100,
    shuffle: false,
    json: false,
    plain: false,
    nesterov: false,
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
  ['model', 'resnet', "--model: found 'resnet', expected one of mlp, lenet, cnn"],
  [
    'dataset',
    'cifar',
    "--dataset: found 'cifar', expected one of fashion-mnist, mnist, kmnist, synthetic, or a folder, written with a slash, such as ./flowers",
  ],
  ['augment', 'rotate', "--augment: found 'rotate', expected flip, crop, or both separated by a comma"],
  ['augment', 'flip,flip', ''],
  ['augment', '', ''],
  ['optimizer', 'Adam', "--optimizer: found 'Adam', expected one of sgd, adam, adamw, rmsprop, adagrad"],
  ['momentum', '-0.1', "--momentum: found '-0.1', expected a number of at least 0"],
  ['momentum', '1e39', "--momentum: found '1e39', expected a number that float32 can hold"],
  ['weightDecay', 'x', "--weight-decay: found 'x', expected a number of at least 0"],
  [
    'betas',
    '0.9',
    "--betas: found '0.9', expected two numbers of at least 0 and below 1, separated by a comma",
  ],
  ['betas', '0.9,1', "--betas: found '0.9,1', expected two numbers"],
  ['betas', '0.9,0.99,0.999', ''],
  ['betas', '0.9,', ''],
  ['betas', '-0.1,0.9', ''],
  ['eps', '-1', ''],
  ['alpha', '-1', ''],
  ['dampening', '-1', ''],
  ['clipNorm', '0', "--clip-norm: found '0', expected a positive number"],
  ['clipValue', '-1', ''],
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
  ['dataset', 'kmnist', 'kmnist'],
  ['dataset', './flowers', './flowers'],
  ['augment', 'crop,flip', ['crop', 'flip']],
  ['momentum', '0', 0],
  ['betas', '0,0.999', [0, 0.999]],
  ['optimizer', 'adagrad', 'adagrad'],
])('%s: "%s" is taken', (name, value, expected) => {
  expect(parseOptions(trainOptions, { ...valid, [name]: value })).toMatchObject({ [name]: expected });
});

test('each optimizer takes its own options and its own learning rate', () => {
  const made = (raw: Record<string, unknown>) => {
    const { lr: _, ...rest } = valid;
    return optimizerFor(parseOptions(trainOptions, { ...rest, ...raw })).groups[0];
  };
  expect(made({})).toMatchObject({ lr: 1e-3, momentum: 0 });
  expect(made({ lr: '0.5', momentum: '0.9', nesterov: true, weightDecay: '0.1' })).toMatchObject({
    lr: 0.5,
    momentum: 0.9,
    nesterov: true,
    weightDecay: 0.1,
  });
  expect(made({ momentum: '0.9', dampening: '0.5' })).toMatchObject({ dampening: 0.5 });
  expect(made({ optimizer: 'adam', betas: '0.5,0.75' })).toMatchObject({ lr: 1e-3, betas: [0.5, 0.75] });
  expect(made({ optimizer: 'adamw', eps: '1e-6' })).toMatchObject({ weightDecay: 0.01, eps: 1e-6 });
  expect(made({ optimizer: 'rmsprop', alpha: '0.9', momentum: '0.5' })).toMatchObject({
    lr: 1e-2,
    alpha: 0.9,
    momentum: 0.5,
  });
  expect(made({ optimizer: 'adagrad', weightDecay: '0.1' })).toMatchObject({ lr: 1e-2, weightDecay: 0.1 });

  for (const [raw, message] of [
    [{ betas: '0.9,0.999' }, '--betas: found with the optimizer sgd, expected with adam or adamw'],
    [{ eps: '1' }, '--eps: found with the optimizer sgd, expected with adam or adamw or rmsprop or adagrad'],
    [{ alpha: '1' }, '--alpha: found with the optimizer sgd, expected with rmsprop'],
    [{ optimizer: 'adagrad', momentum: '0' }, '--momentum: found with the optimizer adagrad'],
    [
      { optimizer: 'rmsprop', nesterov: true },
      '--nesterov: found with the optimizer rmsprop, expected with sgd',
    ],
    [
      { nesterov: true },
      '--nesterov: found with momentum 0 and dampening 0, expected with --momentum above 0',
    ],
    [{ dampening: '0.1' }, '--dampening: found without momentum'],
    [
      { nesterov: true, momentum: '0.9', dampening: '0.1' },
      '--nesterov: found with momentum 0.9 and dampening 0.1',
    ],
  ] as const)
    expect(() => made(raw)).toThrow(
      expect.objectContaining({ code: 'usage', message: expect.stringContaining(message) }),
    );
});

const refused: [string, RegExp][] = [
  ['train --epoch 1', /^heddle train: unknown option '--epoch' \(Did you mean --epochs\?\)$/],
  [
    'train --optimizer adam --momentum 0.9',
    /^heddle train: --momentum: found with the optimizer adam, expected with sgd or rmsprop$/,
  ],
  ['train --betas 0.9,1', /^heddle train: --betas: found '0.9,1', expected two numbers/],
  ['train --clip-norm 1 --clip-value 1', /^heddle train: --clip-norm and --clip-value exclude each other/],
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
  ['eval used --dataset cifar', /^heddle eval: --dataset: found 'cifar'/],
  ['doctor --fast', /^heddle doctor: unknown option '--fast'/],
  [
    'bench --model cnn --sizes',
    /^heddle bench: --sizes and --model cnn exclude each other: expected the mlp$/,
  ],
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
