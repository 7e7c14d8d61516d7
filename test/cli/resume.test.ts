// `heddle train --resume` and `--init`, with the real engine: what goes on, and what is refused.

import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeCheckpoint, decodeWeights } from '../../src/io/checkpoint.ts';
import { encodeSafetensors } from '../../src/io/safetensors.ts';
import { heddle, records, temporaryFolder } from './support.ts';

const quick = ['train', '--dataset', 'synthetic', '--hidden', '16', '--seed', '5'];
const small = [...quick, '--limit', '150'];

/** Runs that must end well, in a folder. */
const runs = (cwd: string) => ({
  async train(...args: readonly string[]) {
    const ended = await heddle(args, { cwd });
    expect(ended).toMatchObject({ code: 0 });
    return ended;
  },
  bytes: (file: string) => readFileSync(join(cwd, file)).toString('base64'),
  json: (file: string) => JSON.parse(readFileSync(join(cwd, file), 'utf8')),
});

/** Events without what differs between one process and two: times, and the beginnings of runs. */
const timeless = (lines: string) =>
  records(lines)
    .filter(({ type }) => type === 'step' || type === 'epoch')
    .map((event) => ({ ...event, seconds: 0, samplesPerSecond: 0 }));

test('two epochs and two more are four, to the byte, and so is what was told of them', async () => {
  const cwd = temporaryFolder();
  const { train, bytes, json } = runs(cwd);
  const recipe = [
    ...small,
    ...['--optimizer', 'adamw', '--lr', '0.01', '--shuffle', '--augment', 'flip', '--log-every', '2'],
    ...['--schedule', 'warmup:steps=5+plateau:patience=0', '--clip-norm', '1', '--keep', '2'],
  ];
  const whole = await train(...recipe, '--epochs', '4', '--out', 'whole', '--json');
  const first = await train(...recipe, '--epochs', '2', '--out', 'parts', '--json');
  const second = await train('train', '--resume', 'parts', '--epochs', '4', '--json');
  expect(second.stderr).toContain('going on with parts after 2 epochs, 6 steps\n');
  for (const name of ['last.safetensors', 'best.safetensors', 'epoch-0003.safetensors'])
    expect(bytes(`parts/${name}`)).toBe(bytes(`whole/${name}`));
  expect(existsSync(join(cwd, 'parts', 'epoch-0001.safetensors'))).toBe(false);
  expect(timeless(first.stdout + second.stdout)).toEqual(timeless(whole.stdout));
  const log = (run: string) => readFileSync(join(cwd, run, 'events.jsonl'), 'utf8');
  expect(timeless(log('parts'))).toEqual(timeless(log('whole')));
  expect(records(log('parts')).map(({ type }) => type)).toEqual([
    ...['run', 'step', 'step', 'epoch', 'step', 'step', 'epoch'],
    ...['run', 'step', 'step', 'epoch', 'step', 'step', 'epoch', 'done'],
  ]);
  // Without the columns of times.
  const metrics = (run: string) =>
    readFileSync(join(cwd, run, 'metrics.csv'), 'utf8').replace(/^(\d+,\d+),[^,]*,[^,]*/gm, '$1');
  expect(metrics('parts')).toBe(metrics('whole'));
  expect(metrics('parts').split('\r\n').length).toBe(6);
  expect(json('parts/run.json')).toMatchObject({
    status: 'done',
    resumed: [{ run: 'parts', step: 6 }],
    options: { epochs: 4, optimizer: 'adamw', lr: 0.01 },
  });
});

test.each(['SIGINT', 'SIGTERM', 'SIGKILL'] as const)(
  '%s in the midst of an epoch costs nothing',
  async (signal) => {
    const cwd = temporaryFolder();
    const { train, bytes } = runs(cwd);
    const recipe = [...quick, '--optimizer', 'adam', '--shuffle', '--epochs', '12', '--log-every', '1'];
    const often = ['--checkpoint-every', '40'];
    await train(...recipe, ...often, '--out', 'whole');
    let sent = false;
    const left = await heddle([...recipe, ...often, '--out', 'left', '--json'], {
      cwd,
      onStdout(text, child) {
        if (sent || !text.includes('"epoch":4,"step":300,')) return; // of 282 … 376
        sent = true;
        child.kill(signal);
      },
    });
    expect(left.code).not.toBe(0);
    const { begun, steps } = decodeCheckpoint(
      new Uint8Array(readFileSync(join(cwd, 'left', 'last.safetensors'))),
    ).state;
    expect(steps).toBeLessThan(12 * 94);
    if (signal === 'SIGKILL') expect(steps % 40 === 0 || begun === undefined).toBe(true);
    const again = await train('train', '--resume', 'auto', '--out', 'left');
    expect(again.stderr).toContain(`going on with left after `);
    expect(bytes('left/last.safetensors')).toBe(bytes('whole/last.safetensors'));
    expect(bytes('left/best.safetensors')).toBe(bytes('whole/best.safetensors'));
  },
);

test('auto begins a run, goes on with it, and leaves alone what is done', async () => {
  const cwd = temporaryFolder();
  const { train, json } = runs(cwd);
  const recipe = [...small, '--resume', 'auto', '--epochs', '2', '--lr', '0.001'];
  await train(...recipe, '--out', 'mine', '--json');
  const again = await train(...recipe, '--out', 'mine', '--json');
  expect(again.stdout).toBe('');
  expect(again.stderr).toBe('mine has had its 2 epochs; give more by --epochs to go on\n');
  // Killed between its last checkpoint and the end: complete, and now it says so.
  writeFileSync(
    join(cwd, 'mine', 'run.json'),
    JSON.stringify({ ...json('mine/run.json'), status: 'running' }),
  );
  await train(...recipe, '--out', 'mine');
  expect(json('mine/run.json')).toMatchObject({ status: 'done', options: { epochs: 2 } });

  // Without --out: the newest in runs/ that is not done, and that the options given do not contradict.
  await train(...recipe);
  await train(...recipe, '--max-time', '0.001s');
  const [, unfinished] = readdirSync(join(cwd, 'runs')).sort();
  await train(...small, '--lr', '0.5', '--max-time', '0.001s');
  expect(readdirSync(join(cwd, 'runs'))).toHaveLength(3);
  const { stderr } = await train(...recipe);
  expect(stderr).toContain(`going on with ${join('runs', unfinished ?? '')} after 0 epochs`);
  const { stderr: none } = await train(...recipe);
  expect(none).toContain('--resume auto: no run in runs to go on with; beginning a new one\n');
  expect(readdirSync(join(cwd, 'runs'))).toHaveLength(4);
});

test('auto says which runs it passes over, and why', async () => {
  const cwd = temporaryFolder();
  const { train, json } = runs(cwd);
  const recipe = [...small, '--epochs', '1'];
  for (const name of ['a', 'b', 'c', 'd'])
    await train(...recipe, '--max-time', '0.001s', '--out', `runs/${name}`);
  writeFileSync(join(cwd, 'runs/b/run.json'), '{');
  writeFileSync(join(cwd, 'runs/c/last.safetensors'), 'torn');
  const failed = { ...json('runs/d/run.json'), status: 'failed', code: 'diverged' };
  writeFileSync(join(cwd, 'runs/d/run.json'), JSON.stringify(failed));
  const { stderr } = await train(...recipe, '--resume', 'auto');
  expect(stderr).toMatch(/^--resume auto passes runs\/b over: runs\/b\/run\.json is not JSON/m);
  expect(stderr).toMatch(/^--resume auto passes runs\/c over: runs\/c\/last\.safetensors: safetensors: /m);
  expect(stderr).toMatch(/^--resume auto passes runs\/d over: it diverged$/m);
  expect(stderr).toMatch(/^going on with runs\/a after 0 epochs/m);
});

test('a run may go on in a folder of its own', async () => {
  const cwd = temporaryFolder();
  const { train, bytes } = runs(cwd);
  await train(...small, '--epochs', '3', '--out', 'whole');
  await train(...small, '--epochs', '1', '--out', 'from');
  const before = bytes('from/last.safetensors');
  await train('train', '--resume', 'from', '--epochs', '3', '--out', 'to');
  expect(bytes('to/last.safetensors')).toBe(bytes('whole/last.safetensors'));
  expect(bytes('from/last.safetensors')).toBe(before);
  expect(readdirSync(join(cwd, 'to'))).toContain('best.safetensors');
});

test('a checkpoint’s file alone is as good as its run', async () => {
  const cwd = temporaryFolder();
  const { train, bytes } = runs(cwd);
  const recipe = [...small, '--optimizer', 'adam', '--shuffle'];
  await train(...recipe, '--epochs', '3', '--out', 'whole');
  await train(...recipe, '--epochs', '1', '--out', 'from');
  cpSync(join(cwd, 'from', 'last.safetensors'), join(cwd, 'mine.safetensors'));
  await train('train', '--resume', 'mine.safetensors', '--epochs', '3', '--out', 'to');
  expect(bytes('to/last.safetensors')).toBe(bytes('whole/last.safetensors'));
  const evaluated = await train('eval', 'mine.safetensors', '--json');
  expect(records(evaluated.stdout)[0]).toMatchObject({ rows: 1000 });
  const weights = decodeWeights(new Uint8Array(readFileSync(join(cwd, 'mine.safetensors'))));
  writeFileSync(join(cwd, 'weights.safetensors'), encodeSafetensors(weights));
  const refused = await heddle(['train', '--resume', 'weights.safetensors'], { cwd });
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain('nothing of how far training has come');
});

test('what cannot go on is refused in a line, and stays as it was', async () => {
  const cwd = temporaryFolder();
  const { train, bytes, json } = runs(cwd);
  await train(...small, '--epochs', '1', '--out', 'mine');
  const files = () => readdirSync(join(cwd, 'mine')).map((name) => [name, bytes(join('mine', name))]);
  const before = files();
  const refused = async (...args: readonly string[]) => {
    const { code, stdout, stderr } = await heddle(['train', ...args], { cwd });
    expect(stdout).toBe('');
    expect(files()).toEqual(before);
    return { code, said: stderr.split('\n').at(-2) };
  };
  const more = ['--resume', 'mine', '--epochs', '2'];
  expect(await refused(...more, '--lr', '0.1')).toEqual({
    code: 2,
    said: 'heddle train: --lr: found 0.1, expected 0.001, as mine began; to train on with another, begin a new run with --init mine',
  });
  expect(await refused(...more, '--batch-size', '32')).toMatchObject({ code: 2 });
  expect(await refused(...more, '--lr', '0.001', '--init', 'mine')).toMatchObject({ code: 2 });
  expect(await refused('--resume', 'nowhere')).toMatchObject({ code: 2 });
  expect(await refused('--init', '.')).toMatchObject({
    code: 2,
    said: expect.stringMatching(/--init: \.: last\.safetensors does not exist/),
  });

  const elsewhere = join(cwd, 'other');
  cpSync(join(cwd, 'mine'), elsewhere, { recursive: true });
  const record = { ...json('other/run.json'), dataset: { sha256: 'f'.repeat(64) } };
  writeFileSync(join(elsewhere, 'run.json'), JSON.stringify(record));
  const other = await refused('--resume', 'other', '--epochs', '2');
  expect(other).toMatchObject({ code: 4, said: expect.stringContaining('began with other training data') });

  const { sha256 } = json('mine/run.json').dataset;
  writeFileSync(
    join(elsewhere, 'run.json'),
    JSON.stringify({ ...record, dataset: { sha256, testSha256: 'f'.repeat(64) } }),
  );
  const otherTest = await refused('--resume', 'other', '--epochs', '2');
  expect(otherTest).toMatchObject({ code: 4, said: expect.stringContaining('began with other test data') });

  writeFileSync(join(elsewhere, 'last.safetensors'), 'torn');
  const torn = await refused('--resume', 'other', '--epochs', '2');
  expect(torn).toMatchObject({
    code: 1,
    said: expect.stringContaining('other/last.safetensors: safetensors:'),
  });
});

test('two runs in one folder: the second is refused while the first is at work', async () => {
  const cwd = temporaryFolder();
  let second: Awaited<ReturnType<typeof heddle>> | undefined;
  let asked = false;
  await heddle([...quick, '--epochs', '100000', '--out', 'mine', '--json'], {
    cwd,
    async onStdout(text, child) {
      if (asked || !text.includes('"epoch":2')) return;
      asked = true;
      second = await heddle(['train', '--resume', 'mine', '--epochs', '200000'], { cwd });
      child.kill('SIGINT');
    },
  });
  expect(second?.code).toBe(2);
  expect(second?.stderr).toMatch(/^heddle train: mine is in use by process \d+ on [^\n]+\n$/);
  expect(readdirSync(join(cwd, 'mine'))).not.toContain('lock.json');
});

test('patience and time end a run in order', async () => {
  const cwd = temporaryFolder();
  const { train, json } = runs(cwd);
  // Nothing is learnt at this rate, so no epoch is better than the first.
  const args = [...small, '--lr', '1e-30', '--epochs', '50', '--json'];
  const patient = await train(...args, '--patience', '3', '--out', 'patient');
  expect(patient.stderr).toMatch(/\nstopped: no better test accuracy than epoch 1's for 3 epochs\n$/);
  expect(records(patient.stdout).filter(({ type }) => type === 'epoch')).toHaveLength(4);
  expect(records(patient.stdout).at(-1)).toMatchObject({ type: 'done', steps: 12 });
  expect(json('patient/run.json')).toMatchObject({ status: 'done' });

  const timed = await train(...quick, '--epochs', '100000', '--max-time', '1.5s', '--out', 'timed', '--json');
  expect(timed.stderr).toMatch(
    /\nstopped by --max-time after \d+ steps; heddle train --resume timed goes on\n$/,
  );
  expect(records(timed.stdout).at(-1)).toMatchObject({ type: 'done' });
  expect(json('timed/run.json')).toMatchObject({ status: 'interrupted' });
  await train('train', '--resume', 'timed', '--max-time', '1s');
});

test('--init begins with the weights of a run or a file, under other names too', async () => {
  const cwd = temporaryFolder();
  const { train, json } = runs(cwd);
  await train(...small, '--epochs', '1', '--out', 'mine');
  const weights = decodeWeights(new Uint8Array(readFileSync(join(cwd, 'mine', 'last.safetensors'))));
  const plain = [...weights].map(
    ([key, tensor]) => [key.replace('linear_relu_stack.', 'net.'), tensor] as const,
  );
  writeFileSync(
    join(cwd, 'theirs.safetensors'),
    encodeSafetensors(new Map([...plain, ['extra.x', plain[0]![1]]])),
  );

  // At a rate of nothing, the weights of the first epoch are those that it began with.
  const still = [...small, '--lr', '1e-30', '--epochs', '1', '--seed', '9'];
  const same = (run: string) =>
    expect(decodeWeights(new Uint8Array(readFileSync(join(cwd, run, 'last.safetensors'))))).toEqual(weights);
  await train(...still, '--init', 'mine', '--out', 'a');
  same('a');
  const prefix = ['--init', 'theirs.safetensors', '--init-prefix', 'net.=linear_relu_stack.'];
  await train(...still, ...prefix, '--out', 'b');
  same('b');
  expect(json('b/run.json').options).toMatchObject({ init: 'theirs.safetensors' });

  const wrong = await heddle([...still, '--init', 'theirs.safetensors', '--out', 'c'], { cwd });
  expect(wrong.code).toBe(1);
  for (const key of ['linear_relu_stack.0.weight [16, 784] is missing', 'net.2.bias is not in the model'])
    expect(wrong.stderr).toContain(key);
  expect(existsSync(join(cwd, 'c'))).toBe(false);

  const [resized] = await Promise.all([
    train(...still, '--init', 'mine', '--init-partial', '--hidden', '8', '--out', 'd'),
  ]);
  expect(resized.stderr).toContain(
    '1 tensors from mine\n  not loaded: linear_relu_stack.0.weight is [16, 784], expected [8, 784]\n',
  );
  for (const args of [['--init-partial'], ['--init', 'nowhere'], ['--init', 'mine', '--init-prefix', 'x.']])
    expect((await heddle([...still, ...args], { cwd })).code).toBe(2);
  expect(existsSync(join(cwd, 'runs'))).toBe(false);
});
