import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { jsonLine } from '../../src/cli/format-json.ts';
import { createRunFolder, openRunFolder, refuseUsed, runName, writeWhole } from '../../src/cli/run-folder.ts';
import type { CliEvent } from '../../src/cli/sinks.ts';
import { someEvents, temporaryFolder } from './support.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

test('a run’s folder holds its three files', () => {
  const out = join(temporaryFolder(), 'deep', 'mine');
  const folder = createRunFolder({ out, kind: 'mlp' });
  folder.saveInfo({ status: 'running' });
  folder.saveInfo({ status: 'done' });
  for (const event of someEvents) folder.event(event);
  folder.saveCheckpoint('last.safetensors', bytes('weights'));
  expect(JSON.parse(readFileSync(join(out, 'lock.json'), 'utf8'))).toMatchObject({ pid: process.pid });
  folder.close();
  folder.close();
  expect(readdirSync(out).sort()).toEqual(['events.jsonl', 'last.safetensors', 'run.json']);
  expect(JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'))).toEqual({ status: 'done' });
  expect(readFileSync(join(out, 'events.jsonl'), 'utf8')).toBe(someEvents.map(jsonLine).join(''));
  expect(readFileSync(join(out, 'last.safetensors'), 'utf8')).toBe('weights');
});

test('what came after a checkpoint is taken back, and a torn line', () => {
  const out = join(temporaryFolder(), 'mine');
  const first = createRunFolder({ out, kind: 'mlp' });
  for (const event of someEvents) first.event(event);
  first.close();
  appendFileSync(join(out, 'events.jsonl'), '{"type":"st');
  const types = () =>
    readFileSync(join(out, 'events.jsonl'), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).type);
  const again = openRunFolder(out);
  again.rewind({ steps: 101, epochs: 0 });
  expect(types()).toEqual(['run', 'step', 'step']);
  again.event(someEvents.at(-1) as CliEvent); // into the new file
  expect(types()).toEqual(['run', 'step', 'step', 'done']);
  again.rewind({ steps: 1, epochs: 1 });
  expect(types()).toEqual(['run', 'step']);
  again.close();
});

test('a folder at which somebody is at work is refused; one whose owner is dead is taken over', () => {
  const out = join(temporaryFolder(), 'mine');
  createRunFolder({ out, kind: 'mlp' }).close();
  const lock = join(out, 'lock.json');
  expect(existsSync(lock)).toBe(false);
  const write = (pid: number, host = hostname(), began?: string) =>
    writeFileSync(lock, JSON.stringify({ pid, host, began }));
  write(process.ppid);
  expect(() => openRunFolder(out)).toThrow(
    expect.objectContaining({
      code: 'usage',
      message: expect.stringContaining(`${out} is in use by process ${process.ppid} on ${hostname()}`),
    }),
  );
  if (process.platform === 'linux') {
    write(process.ppid, hostname(), '1'); // another process, that had this number before
    openRunFolder(out).close();
    const own = openRunFolder(out);
    const { began } = JSON.parse(readFileSync(lock, 'utf8'));
    own.close();
    const [, facts] = readFileSync('/proc/self/stat', 'utf8').split(/\) (?!.*\) )/);
    expect(began).toBe(facts?.split(' ')[19]);
  }
  write(1, 'another-host');
  expect(() => openRunFolder(out)).toThrow(expect.objectContaining({ code: 'usage' }));
  const longAgo = new Date(Date.now() - 600_000);
  utimesSync(lock, longAgo, longAgo);
  openRunFolder(out).close();
  write(spawnSync(process.execPath, ['-e', '']).pid);
  openRunFolder(out).close();
  writeFileSync(lock, '{"pid":'); // torn
  openRunFolder(out).close();
  expect(existsSync(lock)).toBe(false);
});

test('what a run left that died before its first checkpoint is taken by one that may', () => {
  const out = join(temporaryFolder(), 'mine');
  createRunFolder({ out, kind: 'mlp' }).close();
  expect(() => refuseUsed(out)).toThrow(expect.objectContaining({ code: 'usage' }));
  expect(() => refuseUsed(out, true)).not.toThrow();
  writeFileSync(join(out, 'last.safetensors'), '');
  expect(() => refuseUsed(out, true)).toThrow(expect.objectContaining({ code: 'usage' }));
});

test('default names tell the local time, and are never shared', () => {
  const parent = join(temporaryFolder(), 'runs');
  const now = new Date(2026, 10, 23, 22, 10, 5);
  expect(runName('mlp', now)).toBe('2026-11-23T22-10-05-mlp');
  const paths = [1, 2, 3].map(() => createRunFolder({ kind: 'mlp', parent, now }).path);
  const first = join(parent, '2026-11-23T22-10-05-mlp');
  expect(paths).toEqual([first, `${first}-2`, `${first}-3`]);
});

test('a folder in use and a file are refused, an empty folder is taken', () => {
  const folder = temporaryFolder();
  const [used, empty, file] = [join(folder, 'used'), join(folder, 'empty'), join(folder, 'file')];
  mkdirSync(empty);
  mkdirSync(used);
  writeFileSync(join(used, 'x'), '');
  writeFileSync(file, '');
  const refusal = (text: string) => expect.objectContaining({ code: 'usage', message: text });
  expect(() => refuseUsed(used)).toThrow(
    refusal(`--out: ${used} is not empty (x is in it); name a new folder`),
  );
  expect(() => refuseUsed(file)).toThrow(refusal(`--out: ${file} is a file, expected a folder`));
  expect(() => createRunFolder({ out: used, kind: 'mlp' })).toThrow(
    refusal(expect.stringContaining('not empty')),
  );
  const below = join(file, 'deeper', 'below');
  expect(() => refuseUsed(below)).toThrow(refusal(`--out: ${below} cannot be made: ${file} is a file`));
  expect(createRunFolder({ out: empty, kind: 'mlp' }).path).toBe(empty);
  expect(readdirSync(used)).toEqual(['x']);
});

test('a file is replaced whole, or stays as it was with nothing left beside it', () => {
  const folder = temporaryFolder();
  const path = join(folder, 'last.safetensors');
  writeWhole(path, bytes('old'));
  writeWhole(path, bytes('new'));
  expect(readFileSync(path, 'utf8')).toBe('new');
  // A folder in the way makes the rename fail, after the temporary file was written.
  const blocked = join(folder, 'blocked');
  mkdirSync(join(blocked, 'full'), { recursive: true });
  expect(() => writeWhole(blocked, bytes('x'))).toThrow(
    expect.objectContaining({
      code: 'file',
      message: expect.stringContaining(`${blocked} could not be written`),
    }),
  );
  expect(readdirSync(folder).sort()).toEqual(['blocked', 'last.safetensors']);
});

test.runIf(existsSync('/dev/full'))('a full disk is a clear error and leaves the old file', () => {
  const folder = temporaryFolder();
  const path = join(folder, 'last.safetensors');
  writeWhole(path, bytes('old'));
  symlinkSync('/dev/full', `${path}.${process.pid}.tmp`);
  expect(() => writeWhole(path, bytes('new'))).toThrow(
    expect.objectContaining({ code: 'file', message: expect.stringContaining('ENOSPC') }),
  );
  expect(readFileSync(path, 'utf8')).toBe('old');
  expect(readdirSync(folder)).toEqual(['last.safetensors']);
});
