// What is read of a sweep's runs, how it is summed up, and what people see of it.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { PlannedRun } from '../../src/cli/sweep-plan.ts';
import {
  endedResult,
  keptResults,
  type RunResult,
  type RunStatus,
  reachedIn,
  standingResult,
  summaries,
} from '../../src/cli/sweep-results.ts';
import { resultLine, sweepProgress, sweepTable, tallyText } from '../../src/cli/sweep-text.ts';
import { fakeOutput, temporaryFolder } from './support.ts';

const epoch = (n: number, accuracy: number, loss: number) =>
  JSON.stringify({ type: 'epoch', epoch: n, seconds: 1.5, validation: { loss, accuracy } });

test('a run has reached its best epoch, the first of the best accuracy, as best.safetensors is', () => {
  const log = [
    '{"type":"run"}',
    '{"type":"step","step":1}',
    epoch(1, 0.5, 3),
    epoch(2, 0.75, 2),
    epoch(3, 0.75, 1.5),
    epoch(4, 0.75, 1.5),
    '{"type":"done","steps":12,"seconds":9}',
    '{"type":"ep',
  ].join('\n');
  expect(reachedIn(log)).toEqual({ accuracy: 0.75, loss: 2, epoch: 2, steps: 12, seconds: 6 });
  expect(reachedIn('')).toEqual({ accuracy: null, loss: null, epoch: null, steps: null, seconds: 0 });
});

const planned = (number: number, configuration: number, options = {}): PlannedRun => ({
  number,
  name: `00${number}`,
  configuration,
  seed: 0,
  args: [],
  options,
});
const result = (status: RunStatus, accuracy: number | null, loss: number | null, more = {}): RunResult => ({
  type: 'run',
  run: 'out/001',
  options: {},
  seed: 0,
  status,
  accuracy,
  loss,
  epoch: accuracy === null ? null : 1,
  steps: 1,
  seconds: 1,
  ...more,
});

function recordRun(out: string, run: PlannedRun, status: string) {
  const options = { dataset: 'synthetic', batchSize: 64, hidden: [8] };
  mkdirSync(join(out, run.name), { recursive: true });
  writeFileSync(join(out, run.name, 'run.json'), JSON.stringify({ status, options }));
}

test('a run has ended as its process did, and is done once its folder says so', () => {
  const out = temporaryFolder();
  const run = planned(1, 0);
  const ended = (code: number | null, said = '') => {
    const { status, error } = endedResult(out, run, { code, said });
    return { status, error };
  };
  recordRun(out, run, 'failed');
  expect(ended(1, 'heddle train: --data: none')).toEqual({ status: 'failed', error: '--data: none' });
  expect(ended(5, 'heddle train: not finite')).toEqual({ status: 'diverged', error: 'not finite' });
  expect(ended(7)).toEqual({ status: 'failed', error: 'exit code 7' });
  expect(ended(null, 'ended by SIGKILL')).toEqual({ status: 'failed', error: 'ended by SIGKILL' });
  recordRun(out, run, 'interrupted');
  expect(ended(0)).toEqual({ status: 'unfinished', error: undefined });
  recordRun(out, run, 'done');
  expect(ended(0)).toEqual({ status: 'done', error: undefined });
  expect(ended(null, 'ended by SIGINT')).toEqual({ status: 'done', error: undefined });
});

test('a run stands as its folder says, and as was kept of how it fell', () => {
  const out = temporaryFolder();
  const run = planned(1, 0);
  const standing = (kept?: RunResult) => {
    const { status, error } = standingResult(out, run, kept);
    return { status, error };
  };
  const fallen = (status: RunStatus) => result(status, null, null, { error: 'why' });
  expect(standing()).toMatchObject({ status: 'unfinished' });
  expect(standing(fallen('failed'))).toEqual({ status: 'failed', error: 'why' });
  expect(standing(fallen('diverged'))).toMatchObject({ status: 'unfinished' }); // somebody took its folder away
  mkdirSync(join(out, run.name));
  const record = (status: string) => recordRun(out, run, status);
  record('failed');
  expect(standing()).toMatchObject({ status: 'unfinished' });
  expect(standing(fallen('diverged'))).toEqual({ status: 'diverged', error: 'why' });
  record('interrupted');
  expect(standing()).toMatchObject({ status: 'unfinished' });
  record('done');
  expect(standing(fallen('failed'))).toMatchObject({ status: 'done', error: undefined });
  writeFileSync(join(out, run.name, 'run.json'), '');
  expect(standing()).toEqual({
    status: 'failed',
    error: `${join(out, run.name, 'run.json')} cannot be read`,
  });
});

test('what was kept is found by the run’s folder, wherever the sweep’s lies now', () => {
  const out = temporaryFolder();
  const file = join(out, 'results.jsonl');
  const lines = [result('failed', null, null), result('done', 1, 0), { type: 'sweep', out: 'x' }];
  writeFileSync(file, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n{"type":"ru`);
  expect(keptResults([file, join(out, 'nowhere')])).toEqual(new Map([['001', result('done', 1, 0)]]));
});

test('configurations are in the order of their means, each over the runs that count', () => {
  const pairs = [
    [planned(1, 0), result('done', 0.5, 2)],
    [planned(2, 0), result('done', 0.7, 1)],
    [planned(3, 0), result('diverged', 0.9, 0)],
    [planned(4, 1), result('diverged', null, null)],
    [planned(5, 2), result('unfinished', 0.6, 1)],
    [planned(6, 3), result('done', 0.8, 3)],
  ] as const;
  const summed = summaries(pairs);
  expect(summed.map(({ numbers }) => numbers)).toEqual([[6], [5], [1, 2, 3], [4]]);
  expect(summed[2]?.accuracy).toBeCloseTo(0.6, 12);
  expect(summed[2]?.spread).toBeCloseTo(Math.SQRT2 / 10, 12); // of 0.5 and 0.7, dividing by n - 1
  expect(summed[2]?.loss).toBe(1.5);
  expect(summed[0]?.spread).toBeNull();
  expect(summed[3]).toMatchObject({ accuracy: null, loss: null, spread: null });
});

test('the table', () => {
  const options = { lr: 0.01, hidden: [512, 512], shuffle: null, nesterov: true };
  const pairs = [
    [planned(1, 0, options), result('done', 0.5, 2, { options })],
    [planned(2, 0, options), result('diverged', null, null, { options })],
    [planned(3, 1, options), result('unfinished', null, null, { options: { ...options, lr: 1 } })],
    [planned(4, 1, options), result('unfinished', null, null, { options: { ...options, lr: 1 } })],
  ] as const;
  const axes = ['lr', 'hidden', 'shuffle', 'nesterov'];
  expect(sweepTable(summaries(pairs), axes, 2)).toMatchInlineSnapshot(`
    "accuracy  ±    loss  epoch  lr    hidden   shuffle  nesterov  seconds  run      status
     50.00 %     2.0000    1 -  0.01  512,512  off      on            2.0  001–002  1 done, 1 diverged
                           - -  1     512,512  off      on            2.0  003–004  2 unfinished
    "
  `);
  expect(sweepTable(summaries(pairs.slice(0, 1)), axes, 1)).toMatchInlineSnapshot(`
    "accuracy    loss  epoch  lr    hidden   shuffle  nesterov  seconds  run  status
     50.00 %  2.0000      1  0.01  512,512  off      on            1.0  001  done
    "
  `);
  expect(tallyText({ done: 3, unfinished: 0, diverged: 1, failed: 2 })).toBe('3 done, 1 diverged, 2 failed');
  expect(tallyText({ done: 0, unfinished: 0, diverged: 0, failed: 0 })).toBe('0 done');
  expect(resultLine('001', result('failed', null, null, { error: 'It broke. So it did.' }))).toBe(
    '001: failed, 1.0 s, It broke',
  );
});

const progressOn = (terminal: { isTTY?: boolean; columns?: number }) => {
  const stderr = fakeOutput(terminal);
  let time = 0;
  const progress = sweepProgress(stderr, 3, { done: 1, unfinished: 0, diverged: 0, failed: 0 }, () => time);
  progress.begin('001');
  progress.begin('002');
  progress.epoch('001', { epoch: 1, validation: { accuracy: 0.5 } });
  time = 1000;
  progress.epoch('001', { epoch: 2, validation: { accuracy: 0.625 } });
  progress.end('001', result('done', 0.625, 1));
  progress.drop('002');
  progress.close();
  return stderr.text;
};

test('progress: lines where stderr is no terminal', () => {
  expect(progressOn({})).toBe('001: begins\n002: begins\n001: done, 62.50 % after epoch 1, 1.0 s\n');
});

test('progress: one live line on a terminal, never wider than it', () => {
  const wipe = '\r\x1b[K';
  expect(progressOn({ isTTY: true, columns: 40 }).replaceAll(wipe, '¶').split('¶')).toEqual([
    '',
    '1 done of 3 · 001 begins',
    '1 done of 3 · 001 begins; 002 begins',
    '1 done of 3 · 001 epoch 2, 62.50 %; 00…',
    '001: done, 62.50 % after epoch 1, 1.0 s\n',
    '2 done of 3 · 002 begins',
    '',
  ]);
});
