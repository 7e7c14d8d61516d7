// What a training can be set to: defaults, limits and texts of each setting. Controls and share links both read them here.

import { optimizerNames } from '../recipes/optimizer.ts';
import type { Settings } from '../recipes/protocol.ts';

/** The tutorial's. */
export const defaults: Settings = {
  dataset: 'fashion-mnist',
  model: 'mlp',
  hidden: [512, 512],
  optimizer: 'sgd',
  lr: 1e-3,
  momentum: 0,
  weightDecay: 0,
  batchSize: 64,
  epochs: 10,
  seed: 0,
  shuffle: false,
};

/** Whether a training is the tutorial's, however long: its numbers may be held against PyTorch's. */
export const isTutorial = (settings: Settings): boolean => {
  const { epochs: _, ...own } = settings;
  const { epochs: __, ...tutorial } = defaults;
  return (
    own.limit === undefined &&
    (Object.keys(tutorial) as (keyof typeof tutorial)[]).every(
      (key) => JSON.stringify(own[key]) === JSON.stringify(tutorial[key]),
    )
  );
};

export const datasetTitles: Readonly<Record<Settings['dataset'], string>> = {
  'fashion-mnist': 'FashionMNIST',
  mnist: 'MNIST',
  kmnist: 'KMNIST',
  synthetic: 'synthetic shapes',
};

export const modelTitles: Readonly<Record<Settings['model'], string>> = {
  mlp: 'perceptron',
  lenet: 'LeNet-5',
  cnn: 'CNN, batch norm',
};

export const optimizerTitles: Readonly<Record<Settings['optimizer'], string>> = {
  sgd: 'SGD',
  adam: 'Adam',
  adamw: 'AdamW',
  rmsprop: 'RMSprop',
  adagrad: 'Adagrad',
};

/** PyTorch's; of SGD, which has none there, the tutorial's. */
export const usualLr: Readonly<Record<Settings['optimizer'], number>> = {
  sgd: 1e-3,
  adam: 1e-3,
  adamw: 1e-3,
  rmsprop: 1e-2,
  adagrad: 1e-2,
};

export const takesMomentum = ({ optimizer }: Settings) => optimizer === 'sgd' || optimizer === 'rmsprop';

/** Settings worth starting from, by what they are for. */
export const presets: readonly (readonly [string, Partial<Settings>])[] = [
  ['PyTorch’s tutorial', {}],
  ['Quick and good', { hidden: [128], optimizer: 'adam', batchSize: 128, epochs: 5, shuffle: true }],
  ['LeNet-5', { model: 'lenet', optimizer: 'adam', epochs: 5, shuffle: true }],
  ['Without a download', { dataset: 'synthetic', hidden: [64], optimizer: 'adam', epochs: 5, shuffle: true }],
];

/** What a text means, or in a few words what was expected. */
export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly expected: string };

type Reader<T> = (text: string) => Read<T>;

const number = /^\d+(\.\d*)?(e[+-]?\d+)?$|^\.\d+(e[+-]?\d+)?$/i;
const integer = /^\d{1,16}$/;

const oneOf =
  <T extends string>(names: readonly T[]): Reader<T> =>
  (text) => {
    const value = names.find((name) => name === text);
    return value === undefined ? { ok: false, expected: `one of ${names.join(', ')}` } : { ok: true, value };
  };

const reals =
  (expected: string, fits: (value: number) => boolean): Reader<number> =>
  (text) => {
    const value = number.test(text) ? Number(text) : Number.NaN;
    return Number.isFinite(value) && fits(value) ? { ok: true, value } : { ok: false, expected };
  };

const whole =
  (least: number, most: number): Reader<number> =>
  (text) => {
    const value = integer.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most
      ? { ok: true, value }
      : { ok: false, expected: `a whole number from ${least} to ${most}` };
  };

const sizes: Reader<readonly number[]> = (text) => {
  if (text === '') return { ok: true, value: [] };
  const read = text.split(/\s*,\s*/).map(whole(1, 8192));
  const value = read.flatMap((one) => (one.ok ? [one.value] : []));
  return value.length === read.length && value.length <= 8
    ? { ok: true, value }
    : { ok: false, expected: 'up to 8 sizes like 512,512' };
};

const yes: Reader<boolean> = (text) =>
  text === 'true' || text === 'false'
    ? { ok: true, value: text === 'true' }
    : { ok: false, expected: 'true or false' };

/** How each setting is read from a text; `limit` has no default. */
export const readers: { readonly [K in keyof Settings]-?: Reader<Exclude<Settings[K], undefined>> } = {
  dataset: oneOf(Object.keys(datasetTitles) as Settings['dataset'][]),
  model: oneOf(Object.keys(modelTitles) as Settings['model'][]),
  hidden: sizes,
  optimizer: oneOf(optimizerNames),
  lr: reals('a number above 0, at most 100', (value) => value > 0 && value <= 100),
  momentum: reals('a number from 0 to below 1', (value) => value < 1),
  weightDecay: reals('a number from 0 to 10', (value) => value <= 10),
  batchSize: whole(1, 8192),
  epochs: whole(1, 10_000),
  seed: whole(0, Number.MAX_SAFE_INTEGER),
  shuffle: yes,
  limit: whole(1, 1_000_000),
};

/** A setting as its reader takes it. */
export const textOf = (value: Settings[keyof Settings]) => (value === undefined ? '' : String(value));
