import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeRun } from './runs-support.ts';
import { heddle, records, temporaryFolder } from './support.ts';

function someRuns(): string {
  const cwd = temporaryFolder();
  writeRun(join(cwd, 'runs'), { name: 'good', accuracies: [0.5, 0.75] });
  writeRun(join(cwd, 'runs'), {
    ...{ name: 'better', accuracies: [0.9], status: 'running', options: { lr: 0.5 } },
    record: { started: '2026-11-20T00:00:00' },
  });
  return cwd;
}

describe('heddle runs', () => {
  it('lists what is in runs/, newest first, and tells by the lock who is at work', async () => {
    const cwd = someRuns();
    const lock = (pid: number) =>
      writeFileSync(join(cwd, 'runs/better/lock.json'), JSON.stringify({ pid, host: hostname() }));
    lock(process.pid);
    const { code, stdout, stderr } = await heddle(['runs'], { cwd });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^all: 784-32-10, .*\n\nrun +status +lr .*\ngood +done +0\.1 .*\nbetter +running +0\.5 .*\n$/,
    );
    lock(2 ** 22 + 1); // above any pid
    const again = await heddle(['runs', '--sort', 'accuracy'], { cwd });
    expect(again.stdout).toMatch(/\nbetter +stopped .*\ngood +done .*\n$/);
  });

  it('--json gives an object a line, and notices go to stderr', async () => {
    const cwd = someRuns();
    writeFileSync(join(cwd, 'runs/better/run.json'), '{');
    const { code, stdout, stderr } = await heddle(['runs', 'runs', '--json'], { cwd });
    expect(code).toBe(0);
    expect(stderr).toMatch(/^runs\/better is passed over: .*\n$/);
    const [run, ...others] = records(stdout);
    expect(others).toEqual([]);
    expect(run).toMatchObject({
      ...{ type: 'summary', name: 'good', path: 'runs/good', status: 'done', model: '784-32-10' },
      ...{
        epochs: { done: 2, asked: 3 },
        steps: 20,
        best: { accuracy: 0.75, epoch: 2 },
        secondsPerStep: 0.00075,
      },
    });
    expect(run).not.toHaveProperty('log');
  });

  it('--report writes a page or a picture', async () => {
    const cwd = someRuns();
    for (const [file, start] of [
      ['r.html', '<!DOCTYPE html>'],
      ['r.SVG', '<svg xmlns='],
    ] as const) {
      const { code, stderr } = await heddle(['runs', '--report', file], { cwd });
      expect({ code, stderr }).toEqual({ code: 0, stderr: `wrote ${file}\n` });
      expect(readFileSync(join(cwd, file), 'utf8').startsWith(start)).toBe(true);
    }
  });

  it.each([
    [['nowhere'], /nowhere does not exist; expected a run/],
    [['file'], /file is a file; expected a run/],
    [['--sort', 'size'], /--sort: found 'size', expected one of date, accuracy, loss, name/],
    [['--report', 'r.pdf'], /--report: found 'r.pdf', expected a file ending in .html or .svg/],
    [['--report', 'r.svg'], /--report r.svg: no run in runs, expected one to report/],
    [['--report'], /argument missing/],
  ])('%j is refused in one line, and nothing is made', async (args, reason) => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, 'file'), '');
    const { code, stdout, stderr } = await heddle(['runs', ...args], { cwd });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^heddle runs: .*\n$/);
    expect(stderr).toMatch(reason);
    expect(readdirSync(cwd)).toEqual(['file']);
  });

  it('without any run says how to begin one', async () => {
    const ended = await heddle(['runs'], { cwd: temporaryFolder() });
    expect(ended).toMatchObject({ code: 0, stdout: '', stderr: 'no run in runs; heddle train begins one\n' });
  });

  it('cannot write a report where there is no folder', async () => {
    const ended = await heddle(['runs', '--report', 'no/r.html'], { cwd: someRuns() });
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(/^heddle runs: no\/r\.html could not be written: ENOENT.*\n$/);
  });
});
