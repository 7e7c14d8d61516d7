// `heddle train` and its companions with the real engine, on whatever adapter this process was given.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { decodeSafetensors } from '../../src/io/safetensors.ts';
import { heddle, noDriver, records, type StartOptions, temporaryFolder } from './support.ts';

const quick = ['train', '--dataset', 'synthetic', '--limit', '150', '--hidden', '16'];
const endless = ['train', '--dataset', 'synthetic', '--epochs', '100000', '--hidden', '16', '--json'];
test('without a terminal the tutorial’s text comes, and a folder of the run', async () => {
  const cwd = temporaryFolder();
  const args = [...quick, '--epochs', '2', '--log-every', '2', '--seed', '3'];
  const { code, stdout, stderr, lingered } = await heddle(args, { cwd });
  expect(code).toBe(0);
  const loss = '\\d\\.\\d{6}';
  const epoch = (n: number) =>
    `Epoch ${n}\n-{31}\nloss: ${loss}  \\[   64/  150\\]\nloss: ${loss}  \\[  150/  150\\]\n` +
    `Test Error: \n Accuracy: \\d+\\.\\d%, Avg loss: ${loss} \n\n`;
  expect(stdout).toMatch(new RegExp(`^${epoch(1)}${epoch(2)}Done!\n$`));
  expect(stderr).toMatch(/^SYNTHETIC data/);
  expect(stderr).toContain('synthetic: 150 + 1,000 images · 784-16-10: 12,730 parameters');
  expect(lingered).toBeLessThan(5000);

  const [name] = readdirSync(join(cwd, 'runs'));
  expect(name).toMatch(/^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-mlp$/);
  const run = join(cwd, 'runs', name ?? '');
  expect(readdirSync(run).sort()).toEqual([
    ...['best.safetensors', 'events.jsonl', expect.stringMatching(/^events\.out\.tfevents\./)],
    ...['last.safetensors', 'metrics.csv', 'run.json'],
  ]);
  expect(JSON.parse(readFileSync(join(run, 'run.json'), 'utf8'))).toMatchObject({
    status: 'done',
    model: '784-16-10',
    parameters: 12730,
    seed: 3,
    dataset: {
      name: 'synthetic',
      synthetic: true,
      train: 150,
      test: 1000,
      sha256: expect.any(String),
      testSha256: expect.any(String),
    },
    options: { epochs: 2, hidden: [16], lr: 0.001, batchSize: 64 },
    versions: { node: process.versions.node },
  });
  const { tensors } = decodeSafetensors(new Uint8Array(readFileSync(join(run, 'last.safetensors'))));
  expect([...tensors].map(([key, { shape }]) => [key, shape])).toEqual([
    ['linear_relu_stack.0.weight', [16, 784]],
    ['linear_relu_stack.0.bias', [16]],
    ['linear_relu_stack.2.weight', [10, 16]],
    ['linear_relu_stack.2.bias', [10]],
  ]);
});

test('another optimizer trains with its own learning rate, which the run remembers', async () => {
  const cwd = temporaryFolder();
  const args = [
    ...quick,
    '--epochs',
    '1',
    '--json',
    '--optimizer',
    'rmsprop',
    '--momentum',
    '0.5',
    '--clip-norm',
    '1',
  ];
  const { code, stdout } = await heddle(args, { cwd });
  expect(code).toBe(0);
  const [run, step] = records(stdout);
  expect(run?.options).toMatchObject({ optimizer: 'rmsprop', lr: 0.01, momentum: 0.5, clipNorm: 1 });
  expect(run?.kernels).toMatchObject({
    used: expect.arrayContaining(['sum_squares', 'clip_gradient', 'rmsprop']),
  });
  expect(step).toMatchObject({ step: 1, lr: 0.01 });
});

test('--json writes the contract’s events and nothing else, and eval, doctor and plan agree with them', async () => {
  const cwd = temporaryFolder();
  const { code, stdout } = await heddle([...quick, '--epochs', '1', '--out', 'mine', '--json', '--plain'], {
    cwd,
  });
  expect(code).toBe(0);
  const events = records(stdout);
  expect(events.map(({ type }) => type)).toEqual(['run', 'step', 'epoch', 'done']);
  const [run, step, epoch, done] = events;
  for (const key of ['adapter', 'model', 'parameters', 'seed', 'options']) expect(run).toHaveProperty(key);
  expect(Object.keys(step ?? {})).toEqual(['type', 'epoch', 'step', 'samples', 'loss', 'lr']);
  expect(step).toMatchObject({ epoch: 1, step: 1, samples: 64, lr: 0.001 });
  expect(Object.keys(epoch ?? {})).toEqual([
    'type',
    'epoch',
    'seconds',
    'samplesPerSecond',
    'train',
    'validation',
  ]);
  expect(Object.keys(epoch?.validation ?? {})).toEqual(['loss', 'accuracy']);
  expect(done).toEqual({
    type: 'done',
    steps: 3,
    seconds: expect.any(Number),
    secondsPerStep: expect.any(Number),
    run: 'mine',
  });
  expect(readFileSync(join(cwd, 'mine', 'events.jsonl'), 'utf8')).toBe(stdout);

  const evaluated = await heddle(['eval', 'mine', '--json'], { cwd });
  expect(evaluated.code).toBe(0);
  const [evaluation] = records(evaluated.stdout);
  const validation = epoch?.validation as { accuracy: number; loss: number };
  expect(evaluation).toMatchObject({ rows: 1000, synthetic: true, accuracy: validation.accuracy });
  expect(evaluation?.loss).toBeCloseTo(validation.loss, 5);
  expect((await heddle(['eval', 'mine'], { cwd })).stdout).toMatch(/^SYNTHETIC data[^\n]*\nAccuracy: /);
});

test('--schedule sets each step’s rate, and run.json keeps its text', async () => {
  const cwd = temporaryFolder();
  const spec = 'warmup:steps=4,from=0.5/exponential:gamma=0.5';
  const args = [...quick, '--epochs', '2', '--log-every', '1', '--lr', '0.5', '--schedule', spec];
  const { code, stdout } = await heddle([...args, '--out', 'mine', '--json'], { cwd });
  expect(code).toBe(0);
  const rates = records(stdout).filter(({ type }) => type === 'step');
  expect(rates.map(({ lr }) => lr)).toEqual([0.25, 0.3125, 0.375, 0.4375, 0.5, 0.25]);
  expect(JSON.parse(readFileSync(join(cwd, 'mine', 'run.json'), 'utf8'))).toMatchObject({
    options: { lr: 0.5, schedule: spec },
  });
});

test('a schedule that ends before the run: exit 2, and nothing created', async () => {
  const cwd = temporaryFolder();
  const { code, stdout, stderr } = await heddle([...quick, '--schedule', 'one-cycle:for=5'], { cwd });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/\nheddle train: [^\n]*as long as the run: 30 steps, 10 epochs\n$/);
  expect(readdirSync(cwd)).toEqual([]);
});

test('the same seed gives the same bytes, another seed other ones', async () => {
  const cwd = temporaryFolder();
  const model = async (out: string, seed: string) => {
    const args = [...quick, '--epochs', '2', '--shuffle', '--seed', seed, '--out', out];
    expect((await heddle(args, { cwd })).code).toBe(0);
    return readFileSync(join(cwd, out, 'last.safetensors')).toString('base64');
  };
  const first = await model('a', '7');
  expect(await model('b', '7')).toBe(first);
  expect(await model('c', '8')).not.toBe(first);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s keeps the weights and exits with %d within 5 s', async (signal, code) => {
  const cwd = temporaryFolder();
  let sent = 0;
  const ended = await heddle([...endless, '--out', 'run'], {
    cwd,
    onStdout(text, child) {
      if (sent > 0 || !text.includes('"step"')) return;
      sent = performance.now();
      child.kill(signal);
    },
  });
  expect(performance.now() - sent).toBeLessThan(5000);
  expect(ended.code).toBe(code);
  expect(ended.stderr).toMatch(
    new RegExp(`heddle train: stopped by ${signal} after \\d+ steps; heddle train --resume run goes on\n$`),
  );
  expect(records(ended.stdout).at(-1)?.type).not.toBe('done');
  expect(JSON.parse(readFileSync(join(cwd, 'run', 'run.json'), 'utf8'))).toMatchObject({
    status: 'interrupted',
  });
  const weights = new Uint8Array(readFileSync(join(cwd, 'run', 'last.safetensors')));
  expect(decodeSafetensors(weights).tensors.size).toBe(4);
});

test('a reader that goes away ends the run quietly', async () => {
  const cwd = temporaryFolder();
  const { code, stderr } = await heddle([...endless, '--log-every', '1'], {
    cwd,
    onStdout: (text, child) => text.includes('"step"') && child.stdout?.destroy(),
  });
  expect(code).toBe(0);
  expect(stderr).not.toMatch(/heddle train:|EPIPE| at /);
});

test('a run that diverges exits with 5 and says so', async () => {
  const cwd = temporaryFolder();
  const { code, stdout, stderr } = await heddle([...quick, '--lr', '1e30', '--out', 'run', '--json'], {
    cwd,
  });
  expect(code).toBe(5);
  expect(stderr).toMatch(/\nheddle train: [^\n]*not finite[^\n]*\n$/);
  expect(records(stdout)[0]).toMatchObject({ type: 'run' });
  expect(JSON.parse(readFileSync(join(cwd, 'run', 'run.json'), 'utf8'))).toMatchObject({ status: 'failed' });
});

describe('refused before anything is created:', () => {
  const refusal = async (args: readonly string[], options: Omit<StartOptions, 'cwd'> = {}) => {
    const cwd = temporaryFolder();
    const { code, stdout, stderr } = await heddle(args, { cwd, ...options });
    expect(readdirSync(cwd)).toEqual([]);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^heddle train: [^\n]+\n$/);
    return { code, stderr };
  };

  test('a data folder that is not there: exit 4', async () => {
    const { code, stderr } = await refusal(['train', '--data', 'nowhere']);
    expect(code).toBe(4);
    expect(stderr).toContain('nowhere does not exist');
  });

  test('a data file that is something else: exit 4', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'train-images-idx3-ubyte.gz'), '<html>not found</html>');
    const { code, stderr } = await refusal(['train'], { env: { FASHION_MNIST_DIR: folder } });
    expect(code).toBe(4);
    expect(stderr).toContain('train-images-idx3-ubyte.gz');
  });

  test('a model too large for the adapter, before its weights are drawn: exit 1', async () => {
    const { code, stderr } = await refusal(['train', '--dataset', 'synthetic', '--hidden', '900000000000']);
    expect(code).toBe(1);
    expect(stderr).toContain('784-900000000000-10 does not fit');
  });

  test.runIf(process.platform === 'linux')('no adapter: exit 3, with what to install', async () => {
    const env = noDriver(temporaryFolder());
    const { code, stderr } = await refusal(['train', '--dataset', 'synthetic'], { env });
    expect(code).toBe(3);
    expect(stderr).toContain('Install a Vulkan driver');
  });
});

test('plan prints a line per dispatch, plain or fused', async () => {
  const cwd = temporaryFolder();
  const fused = await heddle(['plan', '--hidden', '32'], { cwd });
  expect(fused.code).toBe(0);
  expect(fused.stdout).toMatch(/^fused step of 784-32-10, batch 64, on /);
  expect(fused.stdout).toMatch(/\nlinear_relu_stack\.0\.linear\.backward\.update +matmul\w* +\d+×1×1 /);
  const plain = await heddle(['plan', '--hidden', '32', '--plain', '--json'], { cwd });
  const [plan] = records(plain.stdout) as { dispatches: { kernel: string }[] }[];
  const kernels = plan?.dispatches.map(({ kernel }) => kernel) ?? [];
  for (const kernel of ['bias_add', 'relu', 'log_softmax', 'nll_loss', 'sgd'])
    expect(kernels).toContain(kernel);
  expect(fused.stdout).toContain(' dispatches');
  expect(readdirSync(cwd)).toEqual([]);
});
