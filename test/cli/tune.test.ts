// `heddle tune`: what it keeps, who uses it, and how a run's kernels are used again.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { tuneText } from '../../src/cli/tune.ts';
import { heddle, records, temporaryFolder, withCache } from './support.ts';

const sizes = ['--hidden', '16,16', '--batch-size', '8'];
const run = ['train', '--dataset', 'synthetic', ...sizes, '--limit', '80', '--epochs', '1', '--json'];

describe('heddle tune', () => {
  test('keeps a choice for each product; train, plan and --kernels use it until it is forgotten', async () => {
    const cwd = temporaryFolder();
    const machine = { cwd, env: withCache(join(cwd, 'cache')) };
    const folder = join(cwd, 'cache', 'heddle', 'kernels');
    const kernelsOf = (name: string) => JSON.parse(readFileSync(join(cwd, name, 'run.json'), 'utf8')).kernels;

    const ended = await heddle(['tune', ...sizes, '--json'], machine);
    expect(ended.code).toBe(0);
    const events = records(ended.stdout);
    expect(events.at(-1)).toMatchObject({ type: 'tuned' });
    const [name] = readdirSync(folder);
    const path = join(folder, name as string);
    expect(events.at(-1)).toMatchObject({ file: path });
    const kept = JSON.parse(readFileSync(path, 'utf8'));
    const measured = events.filter(({ type }) => type === 'tune');
    expect(measured.length).toBeGreaterThan(3);
    for (const { problem, best } of measured) expect(kept.variants[String(problem)]).toBe(best);

    // The choices of another time, by hand: whatever was measured, these are not what would be chosen untuned.
    const untuned = await heddle([...run, '--kernels', 'default', '--out', 'untuned'], machine);
    expect(untuned.code).toBe(0);
    const before: Record<string, string> = kernelsOf('untuned').variants;
    for (const used of Object.values(before)) expect(used).not.toBe('tile 16×4');
    const others = Object.fromEntries(Object.keys(before).map((problem) => [problem, 'tile 16×4']));
    writeFileSync(path, JSON.stringify({ ...kept, variants: others }));

    expect((await heddle([...run, '--out', 'tuned'], machine)).code).toBe(0);
    expect(kernelsOf('tuned').variants).toEqual(others);
    const plan = await heddle(['plan', ...sizes], machine);
    expect(plan.stdout).toContain('TILE=16 SPLIT=4');

    const forgotten = await heddle(['tune', '--forget'], machine);
    expect([forgotten.code, forgotten.stdout]).toEqual([0, `forgotten: ${path}\n`]);
    expect(readdirSync(folder)).toEqual([]);
    expect((await heddle([...run, '--out', 'later'], machine)).code).toBe(0);
    expect(kernelsOf('later').variants).toEqual(before);

    expect((await heddle([...run, '--kernels', 'tuned', '--out', 'again'], machine)).code).toBe(0);
    const again = kernelsOf('again');
    expect(again.variants).toEqual(others);
    const weights = (folder: string) => readFileSync(join(cwd, folder, 'last.safetensors'));
    expect(weights('again').equals(weights('tuned')), 'the same kernels, the same bytes').toBe(true);
  });

  test('a damaged file and a variant that is gone are said in one line', async () => {
    const cwd = temporaryFolder();
    const machine = { cwd, env: withCache(join(cwd, 'cache')) };
    expect((await heddle(['tune', ...sizes, '--budget', '1'], machine)).code).toBe(0);
    const folder = join(cwd, 'cache', 'heddle', 'kernels');
    writeFileSync(join(folder, readdirSync(folder)[0] as string), '{"variants": ["warp 9"]');
    const ended = await heddle(['plan', ...sizes], machine);
    expect(ended.code).toBe(1);
    expect(ended.stderr).toMatch(
      /^heddle plan: .*\.tuned\.json, what `heddle tune` found, is damaged: .* Run `heddle tune --forget`\n$/,
    );
    const missing = await heddle([...run, '--kernels', 'nowhere'], machine);
    expect(missing.code).toBe(2);
    expect(missing.stderr).toMatch(
      /^heddle train: nowhere.run\.json does not exist; expected the folder of a run\n$/m,
    );
  });
});

test('the table tells what stays, what changes and what was not tried', () => {
  const candidate = (variant: string, seconds: number) => ({
    variant,
    seconds,
    lowest: seconds,
    highest: seconds,
  });
  const common = { type: 'tune', label: 'x', skipped: [] } as const;
  const [slow, fast] = [candidate('tile 32×1', 2e-3), candidate('tile 16×8', 1e-3)];
  const text = tuneText([
    { ...common, problem: '64×512×784 BIAS', candidates: [slow, fast], best: 'tile 16×8' },
    { ...common, problem: '1×2×3', candidates: [slow], skipped: ['tile 16×8'], best: 'tile 32×1' },
  ]);
  expect(text.split('\n').map((line) => line.replace(/ {2,}/g, '  ').trim())).toEqual([
    'product m×n×k  so far  time  best  time  gain',
    '64×512×784 BIAS  tile 32×1  2.00 ms  tile 16×8  1.00 ms  50 %',
    '1×2×3  tile 32×1  2.00 ms  stays  1 not tried',
    '',
  ]);
});
