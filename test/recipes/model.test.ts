// The networks of `--model`: their sizes and names, and that the commands train, evaluate and check them.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { namedParameters } from '../../src/nn/parameters.ts';
import { buildModel, countParameters, modelNames, modelText, type Shape } from '../../src/recipes/model.ts';
import { heddle, records, temporaryFolder, withCache } from '../cli/support.ts';

const shapeOf = (model: Shape['model'], classes: number, input: readonly number[] = [1, 28, 28]): Shape => ({
  model,
  input,
  hidden: [16],
  classes,
});

test.each(modelNames)('%s has as many parameters as it is said to have, and tells classes apart', (name) => {
  for (const [classes, input] of [
    [10, [1, 28, 28]],
    [3, [3, 33, 20]],
  ] as const) {
    const model = buildModel(shapeOf(name, classes, input));
    const sizes = namedParameters(model).map(([, { data }]) => data.length);
    expect(countParameters(shapeOf(name, classes, input))).toBe(sizes.reduce((a, b) => a + b, 0));
    expect(model.outputShape(input)).toEqual([classes]);
  }
});

test('a convolutional network refuses rows that are no images, or too small', () => {
  for (const input of [[784], [1, 11, 28]])
    expect(() => buildModel(shapeOf('cnn', 10, input))).toThrow(/^--model cnn: rows are \[.*expected images/);
});

test('names and texts are those of PyTorch’s tutorials', () => {
  const keys = (name: Shape['model']) => namedParameters(buildModel(shapeOf(name, 10))).map(([key]) => key);
  const both = (name: string) => [`${name}.weight`, `${name}.bias`];
  expect(keys('lenet')).toEqual(['conv1', 'conv2', 'fc1', 'fc2', 'fc3'].flatMap(both));
  expect(keys('cnn')).toEqual([
    'features.0.weight',
    ...both('features.1'),
    'features.4.weight',
    ...['features.5', 'classifier.0', 'classifier.2'].flatMap(both),
  ]);
  expect(modelNames.map((name) => modelText(shapeOf(name, 10)))).toEqual(['784-16-10', 'lenet', 'cnn']);
});

describe.each(['lenet', 'cnn'])('--model %s', (name) => {
  test('trains; eval finds its accuracy again, plan and doctor know it', async () => {
    const cwd = temporaryFolder();
    const machine = { cwd, env: withCache(join(cwd, 'cache')) };
    const train = [
      'train',
      '--model',
      name,
      '--dataset',
      'synthetic',
      '--limit',
      '640',
      '--lr',
      '0.1',
      '--json',
    ];
    const trained = await heddle([...train, '--epochs', '3', '--log-every', '1', '--out', 'mine'], machine);
    expect(trained.code, trained.stderr).toBe(0);
    const events = records(trained.stdout);
    const losses = events.flatMap(({ type, loss }) => (type === 'step' ? [Number(loss)] : []));
    expect(losses).toHaveLength(30);
    expect(losses.at(-1)).toBeLessThan(losses[0] as number);
    expect(JSON.parse(readFileSync(join(cwd, 'mine', 'run.json'), 'utf8'))).toMatchObject({
      model: name,
      options: { model: name },
    });

    const evaluated = await heddle(['eval', 'mine', '--json'], machine);
    expect(evaluated.code, evaluated.stderr).toBe(0);
    const [evaluation] = records(evaluated.stdout);
    const last = events.filter(({ type }) => type === 'epoch').at(-1)?.validation as { accuracy: number };
    expect(evaluation?.accuracy).toBe(last.accuracy);

    const planned = await heddle(['plan', '--model', name, '--json'], machine);
    expect(records(planned.stdout)[0]).toMatchObject({ type: 'plan', model: name });
    const checked = await heddle(['doctor', '--model', 'mine', '--json'], machine);
    expect(checked.code, checked.stderr).toBe(0);
    expect(records(checked.stdout)[0]).toMatchObject({ ok: true, model: `${name}, batch 64`, wrong: [] });
  });
});
