// `heddle sweep` with the real engine: what it runs, keeps and tells, and how it goes on.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { heddle, noDriver, records, temporaryFolder } from './support.ts';

const small = ['--dataset', 'synthetic', '--limit', '150', '--hidden', '8', '--epochs', '1'];
const bytes = (...path: string[]) => readFileSync(join(...path)).toString('base64');
const isThere = async (path: string) => {
  while (!existsSync(path)) await sleep(20);
};

test('a sweep trains, compares, keeps what it found, and repeats nothing', async () => {
  const cwd = temporaryFolder();
  const args = ['--grid', 'lr=0.01,0.1,1e30', '--seeds', '2', '--seed', '5', '--jobs', '2'];
  const mine = (...more: string[]) => ['sweep', ...args, '--out', 'mine', ...more, '--', ...small];
  const first = await heddle(mine(), { cwd });
  expect(first.code).toBe(0);
  expect(first.stderr).toMatch(/^6 runs, 2 at a time, in mine\n/);
  expect(first.stderr).toContain('\n005-lr=1e30-seed=5: begins\n');
  expect(first.stderr).toMatch(
    /\n005-lr=1e30-seed=5: diverged, 0.0 s, the loss of step 2 \(epoch 1\) is not finite[^.]*\n/,
  );
  const lines = first.stdout.split('\n');
  expect(lines[0]).toMatch(/^accuracy +± +loss +epoch +lr +seconds +run +status$/);
  expect(lines[3]).toMatch(/ 1e\+30 +0\.0 +005–006 +2 diverged$/);
  expect(lines.slice(4, 6)).toEqual(['', '4 done, 2 diverged, in mine']);
  expect(lines[6]).toMatch(/^best: heddle train --dataset .* --epochs 1 --lr (0\.01|0\.1) --seed 5$/);

  const kept = records(readFileSync(join(cwd, 'mine', 'results.jsonl'), 'utf8'));
  expect(kept.map(({ type }) => type)).toEqual([...Array(6).fill('run'), 'sweep']);
  expect(kept.find(({ run }) => run === 'mine/003-lr=0.1-seed=5')).toMatchObject({
    ...{ options: { lr: 0.1 }, seed: 5, status: 'done', epoch: 1, steps: 3 },
    ...{ accuracy: expect.any(Number), loss: expect.any(Number), seconds: expect.any(Number) },
  });
  expect(kept.find(({ run }) => run === 'mine/006-lr=1e30-seed=6')).toMatchObject({
    ...{ status: 'diverged', accuracy: null, error: expect.stringMatching(/^the loss of step 2 /) },
  });

  const again = await heddle(mine('--json'), { cwd });
  expect(again).toMatchObject({ code: 0, stderr: '6 runs, 6 of them ended before, 2 at a time, in mine\n' });
  const byName = (all: readonly Record<string, unknown>[]) =>
    all.toSorted((a, b) => (String(a.run) < String(b.run) ? -1 : 1));
  expect(byName(records(again.stdout))).toEqual(byName(kept));

  const report = await heddle(['sweep', '--out', 'mine', '--report'], { cwd });
  expect(report).toMatchObject({ code: 0, stdout: first.stdout, stderr: '' });

  // The best command, by hand, is the best run.
  const best = kept.at(-1)?.best as { command: string; runs: string[] };
  await heddle([...best.command.split(' ').slice(1), '--out', 'by-hand'], { cwd });
  expect(bytes(cwd, 'by-hand', 'last.safetensors')).toBe(bytes(cwd, best.runs[0] ?? '', 'last.safetensors'));
});

test('shares of a random search make one sweep, which may grow', async () => {
  const cwd = temporaryFolder();
  const search = (count: string, ...share: string[]) => [
    ...['sweep', '--grid', 'lr=log:1e-3..1e-1', '--grid', 'momentum=0..0.9', '--random', count],
    ...['--out', 'mine', ...share, '--', ...small],
  ];
  const share = (index: string) =>
    heddle(search('3', '--index', 'auto', '--of', '2'), { cwd, env: { JOB_COMPLETION_INDEX: index } });
  const [even, odd] = await Promise.all([share('0'), share('1')]);
  expect(even).toMatchObject({ code: 0, stdout: expect.stringContaining('\n2 done, in mine\n') });
  expect(odd).toMatchObject({ code: 0, stdout: expect.stringContaining('\n1 done, in mine\n') });
  expect(even.stderr).toMatch(/^2 runs, share 0 of 2 of 3, 1 at a time, in mine\n/);
  const folders = readdirSync(join(cwd, 'mine')).sort();
  expect(folders.filter((name) => /^0/.test(name))).toHaveLength(3);
  expect(folders.filter((name) => !/^0/.test(name))).toEqual([
    'results-0.jsonl',
    'results-1.jsonl',
    'sweep.json',
  ]);

  const grown = await heddle(search('4'), { cwd });
  expect(grown).toMatchObject({ code: 0, stdout: expect.stringContaining('\n4 done, in mine\n') });
  expect(grown.stderr).toMatch(/^4 runs, 3 of them ended before, 1 at a time, in mine\n/);
  const other = await heddle(search('3'), { cwd });
  expect(other).toMatchObject({ code: 2, stdout: '' });
  expect(other.stderr).toMatch(
    /^heddle sweep: --out: mine\/sweep.json plans a sweep with other configurations; [^\n]+\n$/,
  );
});

test('by its own name, the same command finds its folder again', async () => {
  const cwd = temporaryFolder();
  const command = ['sweep', '--seeds', '2', '--', ...small];
  const first = await heddle(command, { cwd });
  const second = await heddle(command, { cwd });
  expect([first.code, second.code]).toEqual([0, 0]);
  expect(readdirSync(join(cwd, 'sweeps'))).toHaveLength(1);
  expect(second.stdout).toBe(first.stdout);
});

// Of 94 steps an epoch: long enough to be in the midst of when its first checkpoint is seen.
const long = ['--dataset', 'synthetic', '--hidden', '16', '--shuffle', '--epochs', '25'];

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGKILL', null],
] as const)('%s in the midst of runs costs nothing', async (signal, code) => {
  const cwd = temporaryFolder();
  const command = ['sweep', '--grid', 'lr=0.01,0.02,0.05', '--out', 'mine', '--json'];
  const names = ['001-lr=0.01', '002-lr=0.02', '003-lr=0.05'];
  let asked = false;
  const left = await heddle([...command, '--jobs', '2', '--', ...long], {
    cwd,
    group: true, // as a terminal's Ctrl-C: all of the process group
    async onStdout(_, child) {
      if (asked) return;
      asked = true;
      await isThere(join(cwd, 'mine', '003-lr=0.05', 'best.safetensors'));
      process.kill(-(child.pid as number), signal);
    },
  });
  expect(left.code).toBe(code);
  const status = (name: string) =>
    JSON.parse(readFileSync(join(cwd, 'mine', name, 'run.json'), 'utf8')).status;
  // The runs see for themselves that the sweep has gone.
  while (names.some((name) => existsSync(join(cwd, 'mine', name, 'lock.json')))) await sleep(20);
  expect(names.map(status)).toContain('interrupted');
  if (code !== null)
    expect(left.stderr).toMatch(
      new RegExp(
        `\nheddle sweep: stopped by ${signal} with [12] done of 3 runs; the same command goes on\n$`,
      ),
    );
  expect(records(left.stdout).every(({ status: ended }) => ended === 'done')).toBe(true);

  const on = await heddle([...command, '--', ...long], { cwd });
  expect(on.code).toBe(0);
  expect(records(on.stdout).at(-1)).toMatchObject({ type: 'sweep', runs: 3, done: 3, failed: 0 });
  await heddle(['train', ...long, '--lr', '0.05', '--out', 'whole'], { cwd });
  expect(bytes(cwd, 'mine', '003-lr=0.05', 'last.safetensors')).toBe(bytes(cwd, 'whole', 'last.safetensors'));
});

test('a sweep in use, and what fails in it', async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'none'), '');
  const command = ['sweep', '--grid', 'data=none,./none', '--out', 'mine'];
  const options = ['--', '--dataset', 'mnist', '--epochs', '1'];
  const failed = await heddle([...command, '--json', ...options], { cwd });
  expect(failed.code).toBe(1);
  expect(records(failed.stdout)).toMatchObject([
    { status: 'failed', accuracy: null, error: expect.stringContaining('none') },
    { status: 'failed' },
    { type: 'sweep', done: 0, failed: 2, best: null },
  ]);
  const report = await heddle(['sweep', '--out', 'mine', '--report'], { cwd });
  expect(report).toMatchObject({ code: 0, stdout: expect.stringContaining('\n2 failed, in mine\n') });

  // This process is at work there.
  writeFileSync(join(cwd, 'mine', 'lock.json'), JSON.stringify({ pid: process.pid, host: hostname() }));
  const refused = await heddle([...command, ...options], { cwd });
  expect(refused).toMatchObject({ code: 2, stdout: '' });
  expect(refused.stderr).toMatch(/^heddle sweep: mine is in use by process \d+ on [^\n]+\n$/);
});

test('without a GPU the first run is the last', async () => {
  const cwd = temporaryFolder();
  const { code, stderr } = await heddle(['sweep', '--grid', 'lr=1,2,3', '--', ...small], {
    cwd,
    env: noDriver(temporaryFolder()),
  });
  expect(code).toBe(3);
  expect(stderr.match(/: begins\n/g)).toHaveLength(1);
});

test.each([
  [['--grid', 'lr=1,x'], "--lr: found 'x', expected a positive number such as 1e-3"],
  [['--grid', 'lr=1..2'], '--grid: found a range for lr'],
  [['--grid', 'lr=1', '--random', '0'], "--random: found '0', expected a whole number of at least 1"],
  [['--grid', 'lr=1', '--jobs', '0'], "--jobs: found '0', expected a whole number of at least 1"],
  [
    ['--grid', 'lr=1', '--index', 'one', '--of', '2'],
    "--index: found 'one', expected a whole number of at least 0, or auto",
  ],
  [['--grid', 'lr=1,2', '--', '--epoch', '1'], "unknown option '--epoch' (Did you mean --epochs?)"],
  [
    ['--grid', 'lr=log:1..2', '--random', '99999999999'],
    'found 99999999999 configurations with 1 seeds each',
  ],
  [['--grid', 'hidden=int:1..3', '--random', '4'], '--random: found 4, expected at most 3'],
  [['--seeds', '9999999'], 'found 1 configurations with 9999999 seeds each, expected at most 10000 runs'],
  [['--seeds', '2', '--seed', '9007199254740991'], '--seed: found 9007199254740991, expected less'],
  [['--seeds', '1'], '--grid: found none, expected an axis such as lr=1e-3,1e-2, or --seeds above 1'],
  [['--report'], '--report: found without --out'],
  [['--report', '--out', 'nowhere'], '--out: nowhere has no sweep.json, expected the folder of a sweep'],
  [['--report', '--out', 'x', '--grid', 'lr=1'], '--report: found with options of a sweep'],
])('heddle sweep %j: exit 2, one line, nothing created', async (args, message) => {
  const cwd = temporaryFolder();
  const { code, stdout, stderr } = await heddle(['sweep', ...args], { cwd });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(/^[^\n]+\n$/);
  expect(stderr).toContain(`heddle sweep: ${message}`);
  expect(readdirSync(cwd)).toEqual([]);
});
