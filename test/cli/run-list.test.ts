import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { listRuns } from '../../src/cli/run-list.ts';
import { listed, writeRun } from './runs-support.ts';
import { temporaryFolder } from './support.ts';

const nobody = () => false;

test('a run is summed up from run.json and events.jsonl', () => {
  const { log, ...run } = listed({ name: 'a', accuracies: [0.5, 0.9, 0.9, 0.75] });
  expect(run).toMatchObject({
    ...{ name: 'a', path: 'runs/a', status: 'done', model: '784-32-10', adapter: 'an adapter' },
    ...{ epochs: { done: 4, asked: 3 }, steps: 40, best: { accuracy: 0.9, epoch: 2 } },
    ...{ trainLoss: 0.25, validationLoss: 0.3125, secondsPerStep: 0.00075 },
  });
  expect(log.steps.length).toBe(20);
});

test('of a run that has not ended, what it logged counts', () => {
  const run = listed({ name: 'a', status: 'interrupted', accuracies: [0.5, 0.75] });
  expect(run).toMatchObject({ status: 'interrupted', steps: 20, epochs: { done: 2 }, secondsPerStep: 0.001 });
  const begun = listed({ name: 'a', status: 'failed', record: { error: 'why', code: 'gpu' } });
  expect(begun).toMatchObject({ status: 'failed', error: 'why', steps: 0, epochs: { done: 0 } });
  expect(begun.best).toBeUndefined();
  expect(begun.trainLoss).toBeUndefined();
});

test('how a run stands depends on whether somebody is at work on it', () => {
  const status = (status: string, atWork: boolean, code?: string) =>
    listed({ name: 'a', status, atWork, record: code === undefined ? {} : { code } }).status;
  expect(status('running', true)).toBe('running');
  expect(status('running', false)).toBe('stopped');
  expect(status('done', true)).toBe('done');
  expect(status('failed', false, 'diverged')).toBe('diverged');
  expect(status('failed', false, 'file')).toBe('failed');
});

test('runs are found below folders and by name, each once', () => {
  const parent = temporaryFolder();
  for (const name of ['a', 'sweep/1', 'sweep/2']) writeRun(parent, { name });
  mkdirSync(join(parent, '.hidden'));
  writeFileSync(join(parent, 'a-file'), '');
  symlinkSync(join(parent, 'a'), join(parent, 'latest'));
  const names = (...folders: string[]) => listRuns(folders, nobody).runs.map(({ name }) => name);
  expect(names(parent).toSorted()).toEqual(['a', 'sweep/1', 'sweep/2']);
  expect(names(join(parent, 'a'))).toEqual(['a']);
  expect(names(join(parent, 'sweep'), `${parent}/sweep/1/`).toSorted()).toEqual(['1', '2']);
  expect(listRuns([parent], nobody).notices).toEqual([]);
  writeRun(join(parent, 'other'), { name: '1' });
  const both = [join(parent, 'sweep'), join(parent, 'other')];
  expect(names(...both).toSorted()).toEqual(
    [join(both[1] as string, '1'), join(both[0] as string, '1'), join(both[0] as string, '2')].toSorted(),
  );
});

test('who is at work is asked for each run by its folder', () => {
  const parent = temporaryFolder();
  for (const name of ['a', 'b']) writeRun(parent, { name, status: 'running' });
  const { runs } = listRuns([parent], (path) => path === join(parent, 'b'));
  expect(Object.fromEntries(runs.map(({ name, status }) => [name, status]))).toEqual({
    a: 'stopped',
    b: 'running',
  });
});

test('what is damaged or foreign is a notice; the rest is listed', () => {
  const parent = temporaryFolder();
  const torn = writeRun(parent, { name: 'torn', accuracies: [0.5] }, '{"type":"epoch","epo');
  const damaged = writeRun(parent, { name: 'damaged', accuracies: [0.5] }, '{"a\n17\n');
  mkdirSync(join(parent, 'foreign/deep'), { recursive: true });
  for (const [name, text] of [
    ['cut', '{"status":'],
    ['other', '{"status":"done"}'],
    ['list', '[]'],
  ] as const) {
    mkdirSync(join(parent, name));
    writeFileSync(join(parent, name, 'run.json'), text);
  }
  mkdirSync(join(parent, 'folder', 'run.json'), { recursive: true });
  const { runs, notices } = listRuns([parent], nobody);
  expect(runs.map(({ path }) => path).toSorted()).toEqual([damaged, torn].toSorted());
  for (const run of runs) expect(run.best).toEqual({ accuracy: 0.5, epoch: 1 });
  const told = (name: string) => notices.filter((notice) => notice.startsWith(join(parent, name)));
  expect(told('damaged')).toEqual([`${damaged}/events.jsonl: 2 damaged lines are passed over`]);
  expect(told('foreign')).toEqual([`${parent}/foreign is passed over: no run.json is in it`]);
  expect(told('cut')).toEqual([expect.stringMatching(/run\.json cannot be read: .*JSON/)]);
  expect(told('other')).toEqual([expect.stringMatching(/is passed over: run\.json: model: Invalid key/)]);
  expect(told('list')).toEqual([expect.stringMatching(/is passed over: run\.json: /)]);
  expect(told('folder')).toEqual([expect.stringMatching(/run\.json cannot be read: EISDIR/)]);
  expect(notices.length).toBe(6);
});
