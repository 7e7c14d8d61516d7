// What goes wrong in real life: lost devices, GPU errors, numbers that are not finite, kills while saving, full disks.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { otherAdapter } from '../../src/cli/train-faults.ts';
import { decodeCheckpoint } from '../../src/io/checkpoint.ts';
import { createGenerator } from '../../src/random/generator.ts';
import { heddle, nodeArguments, records, temporaryFolder } from './support.ts';

const faults = new URL('../support/gpu-faults.ts', import.meta.url).href;
const fullDisk = new URL('../support/full-disk.ts', import.meta.url).href;
const saver = fileURLToPath(new URL('../support/save-forever.ts', import.meta.url));
const program = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const recipe = ['train', '--dataset', 'synthetic', '--hidden', '16', '--optimizer', 'adam', '--shuffle'];

const withFaults = (what: object) => ({
  imports: [faults],
  env: { HEDDLE_GPU_FAULTS: JSON.stringify(what) },
});
const checkpoint = (cwd: string, run: string, name = 'last.safetensors') =>
  new Uint8Array(readFileSync(join(cwd, run, name)));
const told = (stdout: string) =>
  records(stdout)
    .filter(({ type }) => type === 'step' || type === 'epoch')
    .map((event) => ({ ...event, seconds: 0, samplesPerSecond: 0 }));

test('a device lost at random moments costs nothing but time, and is not told twice', async () => {
  const cwd = temporaryFolder();
  const args = [...recipe, '--epochs', '5', '--log-every', '1', '--checkpoint-every', '30', '--json'];
  const whole = await heddle([...args, '--out', 'whole'], { cwd });
  expect(whole.code).toBe(0);
  const random = createGenerator(4);
  for (let round = 0; round < 3; round++) {
    const lose = [10, 60, 100].map((from) => from + (random.random32() % 20));
    const out = `lost-${lose.join('-')}`;
    const { code, stdout, stderr } = await heddle([...args, '--out', out], { cwd, ...withFaults({ lose }) });
    expect({
      code,
      times: stderr.match(/the GPU device was lost [^\n]*; opening it again/g)?.length,
    }).toEqual({
      code: 0,
      times: 3,
    });
    expect(checkpoint(cwd, out)).toEqual(checkpoint(cwd, 'whole'));
    expect(told(stdout)).toEqual(told(whole.stdout));
    expect(told(readFileSync(join(cwd, out, 'events.jsonl'), 'utf8'))).toEqual(told(whole.stdout));
  }
});

test('a device lost before there is a checkpoint begins anew', async () => {
  const cwd = temporaryFolder();
  const args = [...recipe, '--epochs', '1'];
  await heddle([...args, '--seed', '7', '--out', 'weights'], { cwd });
  const begin = [...args, '--init', 'weights', '--json'];
  await heddle([...begin, '--out', 'whole'], { cwd });
  const { code, stderr } = await heddle([...begin, '--out', 'lost'], { cwd, ...withFaults({ lose: [1] }) });
  expect(code).toBe(0);
  expect(stderr).toContain('opening it again, to go on after step 0\n');
  expect(checkpoint(cwd, 'lost')).toEqual(checkpoint(cwd, 'whole'));

  const lose = Array.from({ length: 20 }, (_, i) => i + 1);
  const never = await heddle([...begin, '--out', 'never'], { cwd, ...withFaults({ lose }) });
  expect(never.code).toBe(6);
  expect(never.stderr).toMatch(/the GPU device was lost [^\n]*\. Nothing was kept yet\.\n$/);
});

test('a run that goes on with another adapter’s device is told so', () => {
  const machine = (description: string) => ({ device: { info: { description } } });
  expect(otherAdapter(machine('llvmpipe'), machine('llvmpipe'))).toBeUndefined();
  expect(otherAdapter(machine('llvmpipe'), machine('SwiftShader'))).toBe(
    'the GPU is now SwiftShader: numbers go on, but not to the bit',
  );
});

test('a device lost three times in a row is given up: exit 6, with a good checkpoint', async () => {
  const cwd = temporaryFolder();
  const args = [...recipe, '--epochs', '5', '--out', 'run', '--json'];
  const ended = await heddle(args, { cwd, ...withFaults({ lose: [4, 6, 8] }) });
  expect(ended.code).toBe(6);
  expect(ended.stderr).toMatch(
    /\nheddle train: the GPU device was lost [^\n]*\. run\/last\.safetensors is as after step 0\.\n$/,
  );
  records(ended.stdout);
  expect(JSON.parse(readFileSync(join(cwd, 'run', 'run.json'), 'utf8'))).toMatchObject({
    status: 'failed',
    error: expect.stringContaining('lost'),
  });
  const resumed = await heddle(['train', '--resume', 'run'], { cwd });
  expect(resumed.code).toBe(0);
  await heddle([...recipe, '--epochs', '5', '--out', 'whole'], { cwd });
  expect(checkpoint(cwd, 'run')).toEqual(checkpoint(cwd, 'whole'));
});

test('a GPU error ends the run at its next submit, naming what was at work; stdout stays JSON', async () => {
  const cwd = temporaryFolder();
  const args = [...recipe, '--epochs', '50', '--out', 'run', '--json', '--log-every', '1'];
  const { code, stdout, stderr } = await heddle(args, { cwd, ...withFaults({ refuse: 30 }) });
  expect(code).toBe(1);
  expect(stderr).toMatch(/\nheddle train: the GPU refused a command: [^\n]*linear\.backward[^\n]*\n$/);
  expect(records(stdout).length).toBeGreaterThan(2);
  expect(decodeCheckpoint(checkpoint(cwd, 'run')).state.steps).toBeGreaterThanOrEqual(0);
});

test('numbers that are not finite: the step, the tensor, and the last good checkpoint', async () => {
  const cwd = temporaryFolder();
  const args = [
    'train',
    '--dataset',
    'synthetic',
    '--hidden',
    '16',
    '--lr',
    '1e20',
    '--epochs',
    '2',
    '--json',
  ];
  const { code, stdout, stderr } = await heddle([...args, '--out', 'run'], { cwd });
  expect(code).toBe(5);
  expect(stderr).toMatch(
    /of step \d+ \(epoch 1\) is not finite[^\n]*Not finite [^\n]*step \d+: linear_relu_stack\.\d\.(weight|bias)[^\n]* run\/last\.safetensors is as after step 0\.\n$/,
  );
  expect(records(stdout)[0]).toMatchObject({ type: 'run' });
  expect(decodeCheckpoint(checkpoint(cwd, 'run')).state.steps).toBe(0);

  const restored = await heddle([...args, '--on-nan', 'restore', '--out', 'restored'], { cwd });
  expect(restored.code).toBe(5); // half of 1e20 is no better
  expect(restored.stderr.match(/Back to step 0, with half the learning rate\n/g)).toHaveLength(2);

  const ignored = await heddle([...args, '--on-nan', 'ignore', '--out', 'ignored'], { cwd });
  expect(ignored.code).toBe(0);
  expect(records(ignored.stdout).at(-1)).toMatchObject({ type: 'done', steps: 188 });
});

test('half the learning rate may be what it takes, and a resumed run remembers it', async () => {
  const cwd = temporaryFolder();
  const args = ['train', '--dataset', 'synthetic', '--hidden', '16', '--lr', '2.5e5', '--log-every', '1'];
  expect((await heddle([...args, '--epochs', '1', '--out', 'stopped'], { cwd })).code).toBe(5);
  const run = await heddle([...args, '--epochs', '1', '--on-nan', 'restore', '--out', 'run', '--json'], {
    cwd,
  });
  expect(run.code).toBe(0);
  expect(run.stderr).toMatch(/ Back to step 0, with half the learning rate\n/);
  const log = records(readFileSync(join(cwd, 'run', 'events.jsonl'), 'utf8'));
  const steps = log.filter(({ type }) => type === 'step');
  expect(steps.map(({ step }) => step)).toEqual(Array.from({ length: 94 }, (_, i) => i + 1));
  const [lr] = new Set(steps.map((step) => step.lr));
  expect([1.25e5, 0.625e5]).toContain(lr);
  const more = await heddle(['train', '--resume', 'run', '--epochs', '2', '--json'], { cwd });
  expect(records(more.stdout).find(({ type }) => type === 'step')).toMatchObject({ step: 95, lr });
});

test('killed 100 times while it saves, a run’s checkpoints are whole each time', async () => {
  const run = join(temporaryFolder(), 'run');
  mkdirSync(run);
  const random = createGenerator(1);
  let steps = 1;
  const kill = async () => {
    const child = spawn(process.execPath, [...nodeArguments, saver, run, String(steps)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    await new Promise((resolve) => setTimeout(resolve, (random.random32() % 1000) / 25));
    child.kill('SIGKILL');
    await once(child, 'exit');
    const found = ['best.safetensors', 'last.safetensors'].map((name) => {
      const { weights, state } = decodeCheckpoint(checkpoint(run, '.', name));
      expect(new Set(weights.get('weight')?.data)).toEqual(new Set([state.steps]));
      return state.steps;
    });
    const [best, last] = found as [number, number];
    expect(last).toBeGreaterThanOrEqual(steps);
    expect([last, last + 1]).toContain(best);
    steps = last + 1;
  };
  for (let round = 0; round < 100; round++) await kill();
  // What the killed ones left half-written is all that is left beside.
  expect(
    readdirSync(run)
      .filter((name) => !/\.tmp$/.test(name))
      .sort(),
  ).toEqual(['best.safetensors', 'events.jsonl', 'last.safetensors', 'lock.json']);
});

/** Runs a shell script that has heddle's arguments in "$@". */
function shell(script: string, args: readonly string[], cwd: string) {
  const child = spawn(
    'bash',
    ['-c', script, 'heddle', process.execPath, ...nodeArguments, program, ...args],
    {
      cwd,
      env: { ...process.env, HOME: cwd, NO_COLOR: '1' },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  return once(child, 'close').then(([code]) => ({ code, last: stderr.trimEnd().split('\n').at(-1) }));
}

test.runIf(existsSync('/dev/full'))('a full disk ends the run, with the old checkpoint whole', async () => {
  const cwd = temporaryFolder();
  await heddle([...recipe, '--epochs', '1', '--out', 'run'], { cwd });
  const before = checkpoint(cwd, 'run');
  const resume = ['train', '--resume', 'run', '--epochs', '3'];
  const { code, stderr } = await heddle(resume, { cwd, imports: [fullDisk] });
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /\nheddle train: run\/(best|last)\.safetensors could not be written: ENOSPC[^\n]*\n$/,
  );
  expect(checkpoint(cwd, 'run')).toEqual(before);
  expect(readdirSync(join(cwd, 'run')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  expect(JSON.parse(readFileSync(join(cwd, 'run', 'run.json'), 'utf8'))).toMatchObject({ status: 'failed' });
  expect((await heddle(resume, { cwd })).code).toBe(0);
});

test.runIf(existsSync('/dev/full'))(
  'a full disk behind stdout: the run saves and stops in order',
  async () => {
    const cwd = temporaryFolder();
    const args = [...recipe, '--epochs', '100000', '--out', 'run', '--json'];
    const { code, last } = await shell('exec "$@" > /dev/full', args, cwd);
    expect(code).toBe(1);
    expect(last).toMatch(
      /^heddle train: stopped by a full disk behind stdout after \d+ steps; heddle train --resume run goes on$/,
    );
    expect(existsSync(join(cwd, 'run', 'lock.json'))).toBe(false);
    expect(JSON.parse(readFileSync(join(cwd, 'run', 'run.json'), 'utf8'))).toMatchObject({
      status: 'interrupted',
    });
    const { steps } = decodeCheckpoint(checkpoint(cwd, 'run')).state;
    expect(last).toContain(` after ${steps} steps;`);
  },
);

test.runIf(process.platform === 'linux')(
  'a folder that may only be read is refused before training',
  async () => {
    const cwd = temporaryFolder();
    await heddle([...recipe, '--epochs', '1', '--out', 'run'], { cwd });
    const locked = join(cwd, 'locked');
    mkdirSync(locked);
    for (const folder of [cwd, join(cwd, 'run')]) chmodSync(folder, 0o755);
    chmodSync(locked, 0o555);
    // Root may write anywhere; nobody else may.
    const as = process.getuid?.() === 0 ? 'exec setpriv --reuid=65534 --clear-groups "$@"' : 'exec "$@"';
    const fresh = await shell(as, [...recipe, '--epochs', '1', '--out', 'locked/run'], cwd);
    expect(fresh).toEqual({
      code: 1,
      last: expect.stringMatching(/^heddle train: the run folder locked\/run could not be made: EACCES/),
    });
    if (process.getuid?.() !== 0) chmodSync(join(cwd, 'run'), 0o555);
    const resumed = await shell(as, ['train', '--resume', 'run', '--epochs', '2'], cwd);
    expect(resumed).toEqual({
      code: 1,
      last: expect.stringMatching(/^heddle train: the run folder run cannot be written: EACCES/),
    });
    chmodSync(join(cwd, 'run'), 0o755);
    expect(existsSync(join(locked, 'run'))).toBe(false);
  },
);

test('20 of 20 processes end within 5 s of their last line, with the right code', async () => {
  const cwd = temporaryFolder();
  const args = ['train', '--dataset', 'synthetic', '--limit', '150', '--hidden', '8', '--json'];
  for (let round = 0; round < 10; round++) {
    const [good, bad] = await Promise.all([
      heddle([...args, '--epochs', '1', '--out', `good-${round}`], { cwd }),
      heddle([...args, '--lr', '1e30', '--out', `bad-${round}`], { cwd }),
    ]);
    expect([good.code, bad.code]).toEqual([0, 5]);
    for (const { lingered } of [good, bad]) expect(lingered).toBeLessThan(5000);
  }
});
