// `heddle doctor` with the real engine on whatever adapter this process was given: its report, and what later runs do about
// kernels that it found wrong. Kernels are broken on purpose by a module that the command loads first.

import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { heddle, noDriver, records, temporaryFolder, withCache } from './support.ts';

test.runIf(process.platform === 'linux')(
  'doctor without an adapter reports what there is and exits with 3',
  async () => {
    const cwd = temporaryFolder();
    const ended = await heddle(['doctor', '--json'], { cwd, env: noDriver(cwd) });
    expect(ended.code).toBe(3);
    expect(records(ended.stdout)).toMatchObject([{ type: 'doctor', ok: false, adapter: null, kernels: [] }]);
  },
);

const icd = process.env.VK_ICD_FILENAMES ?? '/usr/share/vulkan/icd.d/lvp_icd.json';
test.runIf(process.platform === 'linux' && existsSync(icd))(
  'with a cached driver the command runs again and works',
  async () => {
    const cwd = temporaryFolder();
    mkdirSync(join(cwd, 'heddle'));
    const env = { VK_ICD_FILENAMES: icd, VK_DRIVER_FILES: icd };
    writeFileSync(join(cwd, 'heddle', 'vulkan.json'), JSON.stringify({ env }));
    const { VK_DRIVER_FILES: _, ...driverless } = noDriver(cwd);
    const ended = await heddle(['doctor', '--json'], {
      cwd,
      env: { ...driverless, VK_DRIVER_FILES: undefined },
    });
    expect(ended.code).toBe(0);
    expect(records(ended.stdout)).toMatchObject([{ type: 'doctor', ok: true }]);
  },
);

test('doctor checks every dispatch at the tutorial’s shapes and exits with 0', async () => {
  const cwd = temporaryFolder();
  const { code, stdout } = await heddle(['doctor'], { cwd });
  expect(code).toBe(0);
  expect(stdout).toMatch(/^versions +heddle \d/);
  expect(stdout).toMatch(/\nlimits +buffer .*\n/);
  expect(stdout).toContain(
    '\nkernels of 784-512-512-10, batch 64: worst error as a share of what is allowed\n',
  );
  expect(stdout).toMatch(/\nmatmul +ok +exact {2}a \[64, 784\] u8, b \[512, 784\], /);
  expect(stdout).toMatch(/\nall \d+ checks ok\n$/);
  expect(stdout).not.toContain('FAILED');
});

describe('at the shapes of a run', () => {
  const quick = ['train', '--dataset', 'synthetic', '--limit', '100', '--epochs', '1'];

  test('--model takes them from run.json; --report is a text for an issue, on stdout or in a file', async () => {
    const cwd = temporaryFolder();
    const sizes = ['--hidden', '24,20', '--batch-size', '48'];
    expect((await heddle([...quick, ...sizes, '--out', 'run'], { cwd })).code).toBe(0);
    const shown = await heddle(['doctor', '--model', 'run', '--report'], { cwd });
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(/^### heddle doctor\n\n```\nversions +heddle [^`]*```\n$/);
    expect(shown.stdout).toContain('kernels of 784-24-20-10, batch 48:');
    expect(shown.stdout).toContain('a [48, 784] u8, b [24, 784]');
    const kept = await heddle(['doctor', '--model', 'run', '--report', 'doctor.md'], { cwd });
    expect(kept.code).toBe(0);
    expect(kept.stderr).toContain('report written to doctor.md\n');
    expect(readFileSync(join(cwd, 'doctor.md'), 'utf8')).toBe(shown.stdout);
  });

  test.each([
    [
      ['--model', 'nowhere'],
      /^heddle doctor: nowhere\/run.json does not exist; expected the folder of a run\n$/,
    ],
    [['--json', '--report'], /^heddle doctor: --json and --report exclude each other/],
  ])('%o is refused', async (args, message) => {
    const { code, stdout, stderr } = await heddle(['doctor', ...args], { cwd: temporaryFolder() });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });
});

describe('a kernel that gives wrong numbers', () => {
  const imports = [new URL('../support/break-kernels.ts', import.meta.url).href];
  const train = [
    'train',
    '--dataset',
    'synthetic',
    '--hidden',
    '16',
    '--limit',
    '300',
    '--epochs',
    '1',
    '--log-every',
    '1',
    '--json',
  ];
  const losses = (stdout: string) =>
    records(stdout).flatMap(({ type, loss }) => (type === 'step' ? [loss] : []));
  /** A machine of its own: a folder, a cache, and a fault. */
  const machine = (fault: string) => {
    const cwd = temporaryFolder();
    return { cwd, imports, env: { ...withCache(join(cwd, 'cache')), HEDDLE_TEST_FAULTS: fault } };
  };

  test('is named, and training uses its fallback and says so until doctor finds it right', async () => {
    const broken = machine('subgroup-bias');
    const right = await heddle([...train, '--out', 'right'], { cwd: broken.cwd });
    const found = await heddle(['doctor', '--json'], broken);
    expect(found.code).toBe(1);
    const [report] = records(found.stdout) as [
      { kernels: { kernel: string; ok: boolean; message?: string }[] },
    ];
    expect(report).toMatchObject({
      ok: false,
      wrong: ['matmul_subgroup'],
      choice: { avoid: ['matmul_subgroup'], plain: false },
    });
    const failed = report.kernels.filter(({ ok }) => !ok);
    expect(failed.map(({ kernel }) => kernel)).toContain('matmul_subgroup');
    expect(failed[0]?.message).toMatch(/^\d+ of 32768 elements of c are wrong, the first at \d+: found/);

    const avoided = await heddle([...train, '--out', 'run'], broken);
    expect(avoided.code).toBe(0);
    const notice =
      '`heddle doctor` found matmul_subgroup wrong on this adapter: training without matmul_subgroup\n';
    expect(avoided.stderr).toContain(notice);
    const { kernels } = JSON.parse(readFileSync(join(broken.cwd, 'run', 'run.json'), 'utf8'));
    expect(kernels).toMatchObject({ plain: false, avoided: ['matmul_subgroup'] });
    expect(kernels.used).toContain('matmul');
    expect(kernels.used).not.toContain('matmul_subgroup');
    const [first, expected] = [losses(avoided.stdout), losses(right.stdout)];
    expect(first).toHaveLength(5);
    expect(expected).toHaveLength(5);
    first.forEach((loss, i) => {
      expect(loss).toBeCloseTo(expected[i] as number, 5);
    });
    expect((await heddle(['eval', 'run'], broken)).stderr).toContain(notice);

    // The verdict is on these kernels: with the right ones, nothing is avoided.
    const mended = await heddle([...train, '--out', 'mended'], { ...broken, imports: [] });
    expect(mended.stderr).not.toContain('wrong on this adapter');
  });

  test('without a fallback stops training before it starts', async () => {
    const broken = machine('sgd');
    const found = await heddle(['doctor'], broken);
    expect(found.code).toBe(1);
    expect(found.stdout).toMatch(
      /\nsgd +FAILED .*\n {2}\d+ of 669760 elements of value are wrong, the first at 0: found /,
    );
    expect(found.stdout).toMatch(
      /\n1 of \d+ checks FAILED: sgd; no way to train is right on this adapter: update its driver, or take another adapter\n$/,
    );
    const refused = await heddle([...train, '--out', 'run'], broken);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      /heddle train: on .* found no kernels that give right numbers \(wrong: sgd\)\. [^\n]*\n$/,
    );
    expect(existsSync(join(broken.cwd, 'run'))).toBe(false);
    expect(readdirSync(join(broken.cwd, 'cache', 'heddle', 'kernels'))).toHaveLength(1);

    const mended = await heddle(['doctor', '--json'], { ...broken, imports: [] });
    expect(mended.code).toBe(0);
  });
});
