// `heddle export`: files of a run's model that other programs read. Runs no GPU; the runs are made here.

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema } from 'onnx-buf';
import { describe, expect, test } from 'vitest';
import { pythonLines } from '../../src/cli/export-python.ts';
import { FASHION_MNIST_CLASSES } from '../../src/data/fashion-mnist.ts';
import { manualSeed } from '../../src/index.ts';
import { encodeCheckpoint } from '../../src/io/checkpoint.ts';
import { decodeSafetensors } from '../../src/io/safetensors.ts';
import { namedBuffers, namedParameters } from '../../src/nn/parameters.ts';
import { buildModel, type Shape } from '../../src/recipes/model.ts';
import { floats } from '../support/data.ts';
import { runOnnx } from '../support/onnx.ts';
import { runPython, torchPython } from '../support/python.ts';
import { heddle, temporaryFolder } from './support.ts';

const image = { input: [1, 28, 28], classes: 10 };
const tutorial: Shape = { ...image, model: 'mlp', hidden: [512, 512] };
const tiny: Shape = { input: [1, 3, 2], classes: 3, model: 'mlp', hidden: [4] };
const cnn: Shape = { ...image, model: 'cnn', hidden: [] };

/**
 * A run in `folder`/mine, its weights drawn with a seed; norms have statistics as after a training. `first` replaces the first
 * element of the last array.
 */
function makeRun(
  folder: string,
  shape: Shape,
  first?: number,
  dataset = 'fashion-mnist',
): Map<string, { shape: readonly number[]; data: Float32Array }> {
  manualSeed(4);
  const model = buildModel(shape);
  const weights = new Map([...namedParameters(model), ...namedBuffers(model)]);
  for (const [key, { name, data }] of weights) {
    if (name === 'running_mean') data.set(floats(data.length, key.length));
    if (name === 'running_var') data.set(floats(data.length, key.length, 0.5, 2));
    if (name === 'num_batches_tracked') data.set([1234]);
  }
  if (first !== undefined) [...weights.values()].at(-1)?.data.set([first]);
  const run = join(folder, 'mine');
  mkdirSync(run, { recursive: true });
  const { input, classes, model: name, hidden } = shape;
  const options = { model: name, dataset, batchSize: 64, hidden };
  writeFileSync(join(run, 'run.json'), JSON.stringify({ input, classes, options }));
  const slots = [...weights]
    .slice(0, 1)
    .map(([key, { shape: of, data }]) => [`${key}.exp_avg`, { shape: of, data }] as const);
  const state = { steps: 1, draws: 1, epochs: 0, seed: 4, optimizer: { kind: 'adam', groups: [] } };
  const file = encodeCheckpoint({ weights, optimizer: new Map(slots), state, notes: new Map() });
  writeFileSync(join(run, 'last.safetensors'), file);
  return weights;
}

const bytesIn = (...path: string[]) => new Uint8Array(readFileSync(join(...path)));

test('ONNX by default: RUN/model.onnx, which says what it takes and what the classes are; exported again, it is replaced', async () => {
  const cwd = temporaryFolder();
  makeRun(cwd, tutorial);
  writeFileSync(join(cwd, 'mine', 'model.onnx'), 'of yesterday');
  const { code, stdout, stderr } = await heddle(['export', 'mine'], { cwd });
  expect([code, stderr]).toEqual([0, '']);
  const path = join('mine', 'model.onnx');
  expect(stdout).toMatch(
    new RegExp(
      `^${path}: 2\\.6 MiB\ninput \\[batch, 1, 28, 28\\]: float32 .* divided by 255.*\nlogits \\[batch, 10\\]\n$`,
    ),
  );
  const { producerVersion, metadataProps } = fromBinary(ModelProtoSchema, bytesIn(cwd, path));
  expect(producerVersion).toMatch(/^\d+\.\d+\.\d+/);
  expect(metadataProps.find(({ key }) => key === 'classes')?.value).toBe(
    JSON.stringify(FASHION_MNIST_CLASSES),
  );
  expect(readdirSync(join(cwd, 'mine')).sort()).toEqual(['last.safetensors', 'model.onnx', 'run.json']);
});

test('safetensors: the weights alone, counters as PyTorch keeps them, and the lines that load them', async () => {
  const cwd = temporaryFolder();
  const weights = makeRun(cwd, cnn);
  const { code, stdout } = await heddle(
    ['export', 'mine', '--format', 'safetensors', '--output', 'w.safetensors'],
    { cwd },
  );
  expect(code).toBe(0);
  const [line, ...rest] = stdout.split('\n');
  expect(line).toBe('w.safetensors: 810 KiB');
  expect(rest.join('\n')).toBe(`In Python:\n\n${pythonLines(buildModel(cnn), 'w.safetensors', false)}`);
  const file = bytesIn(cwd, 'w.safetensors');
  const { tensors, metadata } = decodeSafetensors(file);
  expect([...metadata]).toEqual([['format', 'pt']]);
  expect([...tensors]).toEqual([...weights].map(([key, { shape, data }]) => [key, { shape, data }]));
  expect(Buffer.from(file).toString('latin1')).toContain(
    '"features.1.num_batches_tracked":{"dtype":"I64","shape":[]',
  );
});

test('JSON on stdout, and nothing else there', async () => {
  const cwd = temporaryFolder();
  const weights = makeRun(cwd, tiny, undefined, 'synthetic');
  const { code, stdout, stderr } = await heddle(['export', 'mine', '--format', 'json', '--output', '-'], {
    cwd,
  });
  expect([code, stderr]).toEqual([0, '']);
  const { tensors, ...facts } = JSON.parse(stdout);
  expect(facts).toEqual({
    format: 'heddle-weights',
    version: 1,
    model: '6-4-3',
    inputShape: [1, 3, 2],
    classes: 3,
  });
  const read = Object.entries(tensors as Record<string, { shape: number[]; data: number[] }>);
  expect(read.map(([key, { shape, data }]) => [key, shape, Float32Array.from(data)])).toEqual(
    [...weights].map(([key, { shape, data }]) => [key, shape, data]),
  );
  expect(readdirSync(join(cwd, 'mine')).sort()).toEqual(['last.safetensors', 'run.json']);
});

test('a large file comes whole through a pipe', async () => {
  const cwd = temporaryFolder();
  makeRun(cwd, tutorial);
  const { code, stdout } = await heddle(['export', 'mine', '--format', 'json', '--output', '-'], { cwd });
  expect(code).toBe(0);
  const { tensors, classNames } = JSON.parse(stdout);
  expect(tensors['linear_relu_stack.2.weight'].data).toHaveLength(512 * 512);
  expect(classNames).toEqual(FASHION_MNIST_CLASSES);
});

describe('a file that is there', () => {
  test('is replaced where --force says so, and else left alone', async () => {
    const cwd = temporaryFolder();
    makeRun(cwd, tiny);
    writeFileSync(join(cwd, 'own'), 'precious');
    const args = ['export', 'mine', '--output', 'own', '--format', 'json'];
    const refused = await heddle(args, { cwd });
    expect([refused.code, refused.stdout]).toEqual([2, '']);
    expect(refused.stderr).toBe(
      'heddle export: --output: own is there already; name another file, or give --force\n',
    );
    expect(readFileSync(join(cwd, 'own'), 'utf8')).toBe('precious');
    const forced = await heddle([...args, '--force'], { cwd });
    expect([forced.code, forced.stdout]).toEqual([0, `own: ${statSync(join(cwd, 'own')).size} B\n`]);
    expect(JSON.parse(readFileSync(join(cwd, 'own'), 'utf8'))).toMatchObject({ model: '6-4-3' });
  });

  test('is never one of the run’s own', async () => {
    const cwd = temporaryFolder();
    makeRun(cwd, tiny);
    const before = bytesIn(cwd, 'mine', 'last.safetensors');
    const output = ['--output', join('mine', '..', 'mine', 'last.safetensors'), '--force'];
    const { code, stderr } = await heddle(['export', 'mine', '--format', 'safetensors', ...output], { cwd });
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/last\.safetensors is a file of the run itself; name another\n$/),
    ]);
    expect(bytesIn(cwd, 'mine', 'last.safetensors')).toEqual(before);
  });
});

test.each([
  [['--format', 'tflite'], "--format: found 'tflite', expected one of onnx, safetensors, json"],
  [['--weights', 'first'], "--weights: found 'first', expected one of last, best"],
  [
    ['--weights', 'best'],
    'mine/best.safetensors does not exist; this run has kept no best weights; use --weights last',
  ],
  [['--output', ''], "--output: found '', expected a file, or - for stdout"],
  [['--output', 'mine'], '--output: mine is a folder, expected a file'],
  [
    ['--output', join('nowhere', 'x')],
    `--output: ${join('nowhere', 'x')} cannot be written: nowhere is no folder`,
  ],
])('%j is refused in one line, and nothing is created', async (args, message) => {
  const cwd = temporaryFolder();
  makeRun(cwd, tiny);
  const { code, stdout, stderr } = await heddle(['export', 'mine', ...args], { cwd });
  expect([code, stdout, stderr]).toEqual([2, '', `heddle export: ${message}\n`]);
  expect([readdirSync(cwd), readdirSync(join(cwd, 'mine')).sort()]).toEqual([
    ['mine'],
    ['last.safetensors', 'run.json'],
  ]);
});

test('weights that are damaged, or of another model, are no export', async () => {
  const cwd = temporaryFolder();
  makeRun(cwd, tiny);
  const path = join(cwd, 'mine', 'run.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace('"hidden":[4]', '"hidden":[5]'));
  const other = await heddle(['export', 'mine'], { cwd });
  expect([other.code, other.stdout]).toEqual([1, '']);
  expect(other.stderr).toMatch(
    /^heddle export: these weights do not fit the model: .*0\.weight is \[4, 6\], expected \[5, 6\]/,
  );
  writeFileSync(path, readFileSync(path, 'utf8').replace('"hidden":[5]', '"hidden":[1000000000]'));
  const absurd = await heddle(['export', 'mine'], { cwd });
  expect([absurd.code, absurd.stdout]).toEqual([1, '']);
  expect(absurd.stderr).toMatch(
    /^heddle export: mine: its record tells of [\d-]+, [\d,]+ parameters; its weights are \d+ numbers\n$/,
  );
  writeFileSync(join(cwd, 'mine', 'last.safetensors'), 'x'.repeat(20));
  const damaged = await heddle(['export', 'mine'], { cwd });
  expect([damaged.code, damaged.stderr]).toEqual([
    1,
    expect.stringMatching(/last\.safetensors: safetensors: the header claims/),
  ]);
  expect(existsSync(join(cwd, 'mine', 'model.onnx'))).toBe(false);
});

test('a number that JSON has not leaves the file of an earlier export as it is', async () => {
  const cwd = temporaryFolder();
  const weights = makeRun(cwd, tiny, Number.NaN);
  writeFileSync(join(cwd, 'mine', 'model.json'), '{}');
  const { code, stdout, stderr } = await heddle(['export', 'mine', '--format', 'json'], { cwd });
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toBe(
    `heddle export: JSON: ${[...weights.keys()].at(-1)}: element 0 is NaN, expected finite numbers. Write safetensors\n`,
  );
  expect(readFileSync(join(cwd, 'mine', 'model.json'), 'utf8')).toBe('{}');
  expect(readdirSync(join(cwd, 'mine')).sort()).toEqual(['last.safetensors', 'model.json', 'run.json']);
});

/** The class of PyTorch's quickstart tutorial, in its names. */
const tutorialClass = `
class NeuralNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.flatten = nn.Flatten()
        layers = [nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10)]
        self.linear_relu_stack = nn.Sequential(*layers)

    def forward(self, x):
        return self.linear_relu_stack(self.flatten(x))

model = NeuralNetwork()
`;
const python = torchPython();

describe('in PyTorch', () => {
  const printed = (shape: Shape) => pythonLines(buildModel(shape), 'model.safetensors', shape === tutorial);
  const ownClass = (lines: string) => lines.replace(/^model = [\s\S]*\n(?=model\.load)/m, tutorialClass);

  test('the lines are as a user would write them', () => {
    expect(printed({ ...tiny, input: [6] })).toBe(`from collections import OrderedDict
from safetensors.torch import load_file
from torch import nn

model = nn.Sequential(OrderedDict([
    ("flatten", nn.Flatten()),
    ("linear_relu_stack", nn.Sequential(
        nn.Linear(6, 4),
        nn.ReLU(),
        nn.Linear(4, 3),
    )),
]))
model.load_state_dict(load_file("model.safetensors"))
model.eval()  # takes images as ToTensor makes them
`);
    expect(printed(tutorial)).toContain(
      '# or, with the class of PyTorch’s quickstart tutorial: model = NeuralNetwork()\n',
    );
  });

  test.for<[string, Shape, (lines: string) => string]>([
    ['the tutorial’s class', tutorial, ownClass],
    ['the mlp', tutorial, (lines) => lines],
    ['lenet', { ...image, model: 'lenet', hidden: [] }, (lines) => lines],
    ['the cnn', cnn, (lines) => lines],
  ])('%s has the logits of the ONNX file', async ([, shape, edited], context) => {
    if (python === undefined)
      return context.skip('no Python that imports torch: HEDDLE_PYTHON, python3 and /usr/bin/python3 do not');
    const cwd = temporaryFolder();
    makeRun(cwd, shape);
    const { stdout, stderr } = await heddle(['export', 'mine', '--format', 'safetensors'], { cwd });
    expect(stderr).toBe('');
    const lines = edited(stdout.slice(stdout.indexOf('from collections')));
    const ask = `
import json, torch
x = torch.arange(3 * 784).remainder(17).reshape(3, 1, 28, 28) / 16
counters = [v.item() for k, v in model.state_dict().items() if "num_batches_tracked" in k]
print(json.dumps({"logits": model(x).flatten().tolist(), "counters": counters}))
`;
    const { logits, counters } = JSON.parse(runPython(python, lines + ask, cwd));
    expect(counters).toEqual(shape === cnn ? [1234, 1234] : []);
    expect((await heddle(['export', 'mine', '--format', 'onnx'], { cwd })).code).toBe(0);
    const x = Float32Array.from({ length: 3 * 784 }, (_, i) => (i % 17) / 16);
    const found = await runOnnx(bytesIn(cwd, 'mine', 'model.onnx'), x, [3, 1, 28, 28]);
    expect(found.shape).toEqual([3, 10]);
    const spread = Math.max(...logits) - Math.min(...logits);
    expect(spread).toBeGreaterThan(0.05); // they are numbers that tell models apart
    const worst = Math.max(...Array.from(found.data, (value, i) => Math.abs(value - logits[i])));
    expect(worst).toBeLessThan(1e-5 * Math.max(1, spread));
  });
});
