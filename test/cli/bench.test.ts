// `heddle bench`: its statistics, comparison, timeline and text on a made-up result; and one real run, whose structure is
// checked and never its times.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import {
  againstText,
  compareResults,
  differences,
  readResult,
  writeJson,
} from '../../src/cli/bench-against.ts';
import { endlessLoader } from '../../src/cli/bench-job.ts';
import { flopsOf, kernelTimes } from '../../src/cli/bench-measure.ts';
import { comparePeer, openTorch } from '../../src/cli/bench-peer.ts';
import { type BenchResult, type Spread, spreadOf } from '../../src/cli/bench-result.ts';
import { sizesFor } from '../../src/cli/bench-sizes.ts';
import { peerText, resultText, sizesTable, timeText } from '../../src/cli/bench-text.ts';
import { coresOf } from '../../src/cli/bench-threads.ts';
import { benchOptions, parseOptions } from '../../src/cli/options.ts';
import { boundBytes } from '../../src/cli/plan.ts';
import { type DispatchDescription, fromArrays } from '../../src/index.ts';
import { traceOf } from '../../src/recipes/trace.ts';
import { heddle, records, temporaryFolder } from './support.ts';

const around = (median: number): Spread => ({ median, lowest: 0.9 * median, highest: 1.1 * median });

const result: BenchResult = {
  type: 'bench',
  secondsPerStep: 0.004,
  adapter: 'an adapter',
  backend: 'vulkan',
  software: false,
  versions: { heddle: '1.0.0', webgpu: '2.0.0', node: '20.0.0', os: 'linux' },
  dataset: 'fashion-mnist',
  synthetic: false,
  model: '784-512-512-10',
  parameters: 669706,
  batchSize: 64,
  plain: false,
  avoided: [],
  variants: {},
  threads: null,
  rounds: 7,
  steps: 100,
  step: around(0.004),
  imagesPerSecond: 16000,
  host: around(0.0001),
  dispatchesPerStep: 2,
  submitsPerStep: 0.12,
  cpu: { javascript: 0.08, process: 1.5, others: 0.01 },
  evaluation: { images: 10000, seconds: around(0.2), shareOfEpoch: 0.05 },
  firstStep: { cold: around(5), warm: around(1) },
  deviceBytes: 9 * 2 ** 20,
  peakBytes: 400 * 2 ** 20,
  kernels: [
    {
      label: '0.matmul',
      kernel: 'matmul',
      seconds: 0.001,
      lowest: 0.0009,
      highest: 0.002,
      flops: 5e7,
      bytes: 2e6,
    },
    {
      label: 'loss.mean',
      kernel: 'mean_loss',
      seconds: 0.00005,
      lowest: 0.00004,
      highest: 0.00006,
      flops: null,
      bytes: 272,
    },
  ],
};

describe('figures', () => {
  test('a spread has the median of odd and even counts', () => {
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, lowest: 1, highest: 3 });
    expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, lowest: 1, highest: 4 });
    expect(spreadOf([5])).toEqual({ median: 5, lowest: 5, highest: 5 });
  });

  test.each([
    [0, '0'],
    [1.5e-8, '0.015 µs'],
    [0.0000853, '85.3 µs'],
    [0.00099999, '1.00 ms'],
    [0.00471, '4.71 ms'],
    [0.25, '250 ms'],
    [1.234, '1.23 s'],
    [123.4, '123 s'],
  ])('%d s reads %s', (seconds, text) => {
    expect(timeText(seconds)).toBe(text);
  });

  test('a dispatch counts its operations when it multiplies matrices, and the bytes that it binds', () => {
    const bindings = [
      { name: 'a', label: 'x', shape: [4, 8], dtype: 'f32', bytes: 128, access: 'read' },
      { name: 'c', label: 'y', shape: [4, 2], dtype: 'f32', bytes: 32, access: 'read-write' },
    ] as const;
    const dispatch: DispatchDescription = {
      label: '0.matmul',
      kernel: 'matmul_subgroup',
      constants: {},
      params: { m: 4, n: 2, k: 8 },
      workgroups: [1, 1, 1],
      bindings,
      images: [],
    };
    expect(flopsOf(dispatch)).toBe(128);
    expect(flopsOf({ ...dispatch, kernel: 'relu', params: {} })).toBeNull();
    const time = { label: '0.matmul', kernel: 'matmul_subgroup', seconds: 2, lowest: 1, highest: 3 };
    expect(kernelTimes([dispatch], [time])).toEqual([{ ...time, flops: 128, bytes: 160 }]);
    expect(() => kernelTimes([dispatch], [])).toThrow('no time for 0.matmul');
    const image = { name: 'b_image', label: 'w.image', shape: [2, 8], bytes: 64 };
    const read = { ...dispatch, images: [{ ...image, copied: false }] };
    expect(boundBytes(read)).toEqual({ read: 128 + 64, written: 32 });
    const copied = { ...dispatch, images: [{ ...image, copied: true }] };
    expect(boundBytes(copied)).toEqual({ read: 128 + 2 * 64, written: 32 + 64 });
  });

  test('the loader never runs out, and goes on where it stopped', () => {
    const rows = Array.from({ length: 7 }, (_, i) => i);
    const dataset = fromArrays({ inputs: Uint8Array.from(rows), targets: rows, inputShape: [1] });
    const loader = endlessLoader(dataset, 2, 2);
    const seen = (epoch: number) => [...loader.epoch(epoch)].map(({ index, inputs }) => [index, [...inputs]]);
    expect(seen(0)).toEqual([
      [0, [0, 1]],
      [1, [2, 3]],
    ]);
    expect(seen(1)).toEqual([
      [0, [4, 5]],
      [1, [0, 1]],
    ]);
    expect(() => endlessLoader(dataset, 8, 1)).toThrow(
      /^--batch-size: found 8, expected at most 7, the rows/,
    );
  });

  test('sizes are swept one at a time', () => {
    const sizes = sizesFor([512, 256]);
    expect(sizes.filter(({ sweep }) => sweep === 'batch').map(({ batchSize }) => batchSize)).toEqual([
      16, 64, 256, 1024, 4096,
    ]);
    expect(sizes.find(({ sweep }) => sweep === 'hidden')).toEqual({
      sweep: 'hidden',
      batchSize: 64,
      hidden: [128, 128],
    });
  });

  test('a list of cores is read', () => {
    expect(coresOf('0-2,5')).toEqual([0, 1, 2, 5]);
    expect(coresOf('3')).toEqual([3]);
  });
});

describe('a comparison', () => {
  test('gives ratios, and calls overlapping spreads noise', () => {
    const now = { ...result, step: around(0.0042), host: around(0.0002) };
    const figures = compareResults(now, result);
    const verdict = (name: string) => figures.find((figure) => figure.name === name);
    expect(verdict('step')?.ratio).toBeCloseTo(1.05);
    expect(verdict('step')?.withinNoise).toBe(true);
    expect(verdict('host, a step')?.withinNoise).toBe(false);
    expect(figures.map(({ name }) => name)).toContain('0.matmul');
    expect(verdict('GPU memory')).toMatchObject({ unit: 'bytes', ratio: 1, withinNoise: null });
    const text = againstText(now, result, 'old.json');
    expect(text).toMatch(/^against old\.json\n/);
    expect(text).toMatch(/^step .* 4\.20 ms .* 4\.00 ms .* 1\.05 {2}within noise$/m);
    expect(text).toMatch(/^host, a step .* 2\.00 {2}slower$/m);
  });

  test('says what differs besides', () => {
    const before = { ...result, adapter: 'another', versions: { ...result.versions, node: '22.0.0' } };
    expect(differences(result, before)).toEqual([
      'adapter differs: now an adapter, vulkan, before another, vulkan',
      'node differs: now 20.0.0, before 22.0.0',
    ]);
    expect(differences(result, result)).toEqual([]);
  });

  test('takes a kept result, and refuses in one line what is none', () => {
    const path = join(temporaryFolder(), 'kept.json');
    writeJson('--save', path, result);
    expect(readResult(path)).toEqual(result);
    writeFileSync(path, '{"type":"plan"}');
    expect(() => readResult(path)).toThrow(
      /^--against: .*kept\.json is no result of `heddle bench --save`: /,
    );
    writeFileSync(path, 'step 4 ms');
    expect(() => readResult(path)).toThrow(/^--against: .*kept\.json cannot be read: /);
    expect(() => readResult(`${path}.not`)).toThrow(/cannot be read: ENOENT/);
    expect(() => writeJson('--save', join(path, 'inside'), result)).toThrow(
      /^--save: .* could not be written/,
    );
  });
});

test('a timeline has the host’s spans and the dispatches in µs, on named tracks', () => {
  const spans = [
    { name: 'fill', start: 1000, end: 1001 },
    { name: 'submit', start: 1001, end: 1001.5 },
    { name: 'wait', start: 1001.5, end: 1040 },
  ] as const;
  const { traceEvents } = JSON.parse(JSON.stringify(traceOf([spans], result.kernels)));
  const drawn = traceEvents.filter(({ ph }: { ph: string }) => ph === 'X');
  expect(drawn.map(({ name, ts, dur }: Record<string, unknown>) => [name, ts, dur])).toEqual([
    ['round 1', 0, 40_000],
    ['fill', 0, 1000],
    ['submit', 1000, 500],
    ['wait', 1500, 38_500],
    ['0.matmul', 0, expect.closeTo(1000)],
    ['loss.mean', expect.closeTo(1000), expect.closeTo(50)],
  ]);
  const names = traceEvents.filter(({ ph }: { ph: string }) => ph === 'M');
  for (const { pid, tid } of drawn) {
    expect(names).toContainEqual(expect.objectContaining({ name: 'thread_name', pid, tid }));
    expect(names).toContainEqual(expect.objectContaining({ name: 'process_name', pid }));
  }
});

describe('the text', () => {
  test('of a result', () => {
    expect(resultText(result)).toBe(`784-512-512-10, batch 64, fused · an adapter, vulkan · fashion-mnist

step                4.00 ms  (3.60 ms … 4.40 ms)  7 rounds of 100 steps
images/s             16,000
host, a step         100 µs  (90.0 µs … 110 µs)  to fill and submit
dispatches, a step        2
submits, a step       0.120
CPU, JavaScript       8.0 %  of a core
CPU, process          150 %  of a core
CPU, others           1.0 %  of a core, by other processes
evaluation           200 ms  (180 ms … 220 ms)  10,000 images, 5.0 % of an epoch’s training
first step, cold     5.00 s  (4.50 s … 5.50 s)  from the start of the process
first step, warm     1.00 s  (900 ms … 1.10 s)  shaders in the driver’s cache
GPU memory            9 MiB
process memory      400 MiB  at its peak

label         kernel     GPU µs  lowest … highest  share  GFLOP/s  GB/s
0.matmul      matmul     1000.0    900.0 … 2000.0   95 %     50.0  2.00
loss.mean     mean_loss    50.0       40.0 … 60.0  4.8 %
2 dispatches             1050.0                    100 %     47.6
`);
  });

  test('says where GPU times are missing', () => {
    const text = resultText({ ...result, kernels: null });
    expect(text).toContain('this adapter has no timestamp-query');
    expect(text).not.toContain('GFLOP/s');
  });

  test('warns of other processes', () => {
    const text = resultText({ ...result, cpu: { ...result.cpu, others: 0.97 } });
    expect(text).toMatch(/^CPU, others {2,}97 % {2}of a core, by other processes: they disturb/m);
  });

  test('of a peer and of sizes', () => {
    const gemm = { m: 64, n: 512, k: 512, ours: 0.001, theirs: 0.0005 };
    const step = around(0.002);
    const peer = { name: 'torch', version: '2.0', threads: 1, step, ratio: around(2), gemm };
    expect(peerText(peer)).toMatch(/^heddle ÷ torch {2,}2\.00 {2}\(1\.80 … 2\.20 by round\)/m);
    expect(peerText(peer)).toMatch(/^matmul 64×512×512 {2,}50 % {2}of torch’s speed/m);
    expect(
      sizesTable([
        { sweep: 'batch', batchSize: 16, hidden: [8], flops: 1e9, step: around(0.01), skipped: null },
        { sweep: 'batch', batchSize: 64, hidden: [8], flops: 4e9, step: around(0.03), skipped: null },
        { sweep: 'batch', batchSize: 4096, hidden: [8], flops: 0, step: null, skipped: 'too large' },
      ]),
    ).toBe(`batch  hidden  ms a step  lowest … highest     µs an image  images/s  GFLOP/s   time
   16  8            10.0  (9.00 ms … 11.0 ms)          625     1,600      100
   64  8            30.0  (27.0 ms … 33.0 ms)          469     2,133      133  ×3.00
batch 4,096  8  skipped:  too large
`);
  });
});

test.each([
  [{ rounds: '0' }, "--rounds: found '0', expected a whole number of at least 1"],
  [{ steps: 'many' }, "--steps: found 'many'"],
  [{ peer: 'jax' }, "--peer: found 'jax', expected torch"],
  [{ threads: '0' }, "--threads: found '0'"],
  [{ save: '' }, "--save: found '', expected a file"],
])('%o is refused', (given, message) => {
  const defaults = {
    model: 'mlp',
    dataset: 'synthetic',
    batchSize: '64',
    hidden: '512',
    rounds: '7',
    steps: '100',
  };
  expect(() => parseOptions(benchOptions, { ...defaults, ...given })).toThrow(message);
});

describe('heddle bench', () => {
  const small = ['bench', '--dataset', 'synthetic', '--hidden', '16,16', '--rounds', '2', '--steps', '2'];

  test('--json ends with the whole result, as --save keeps it', async () => {
    const cwd = temporaryFolder();
    const files = ['--save', 'kept.json', '--trace', 'trace.json'];
    const { code, stdout, stderr } = await heddle([...small, ...files, '--json'], { cwd });
    expect(code, stderr).toBe(0);
    expect(stderr).toMatch(/^SYNTHETIC data/);
    const lines = records(stdout);
    expect(lines.map(({ type }) => type)).toEqual(['round', 'round', 'bench']);
    const kept = readResult(join(cwd, 'kept.json'));
    expect(lines.at(-1)).toEqual(kept);
    expect(kept).toMatchObject({
      adapter: expect.stringMatching(/./),
      backend: expect.stringMatching(/./),
      secondsPerStep: kept.step.median,
      model: '784-16-16-10',
      synthetic: true,
      rounds: 2,
      steps: 2,
      dispatchesPerStep: kept.kernels === null ? expect.any(Number) : kept.kernels.length,
      evaluation: { images: 1000 },
    });
    const { traceEvents } = JSON.parse(readFileSync(join(cwd, 'trace.json'), 'utf8'));
    const names = traceEvents.map(({ name }: { name: string }) => name);
    for (const name of ['round 1', 'round 2', 'fill', 'submit', 'wait']) expect(names).toContain(name);
  });

  test.each([
    [['--against', 'nowhere.json'], 1, /^heddle bench: --against: nowhere\.json cannot be read: [^\n]*\n$/],
    [
      ['--save', 'no/where.json'],
      1,
      /^heddle bench: --save: no\/where\.json could not be written: [^\n]*\n$/,
    ],
    [['--rounds', '0'], 2, /^heddle bench: --rounds: found '0'[^\n]*\n$/],
  ])('%j: exit %d, one line, before anything is measured', async (more, code, line) => {
    const ended = await heddle([...small, ...more], { cwd: temporaryFolder() });
    expect([ended.code, ended.stdout]).toEqual([code, '']);
    expect(ended.stderr).toMatch(line);
  });

  // A PyTorch that anyone has: half a second a step.
  const fake = `#!${process.execPath}
    console.log('{"version":"9.9","threads":3}');
    require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
      const [command, steps] = line.split(' ');
      if (command === 'run') console.log(JSON.stringify({ seconds: steps / 2 }));
      else process.exit(3);
    });`;
  const fakePython = (text: string) => {
    const path = join(temporaryFolder(), 'python.cjs');
    writeFileSync(path, text, { mode: 0o755 });
    return path;
  };
  const options = parseOptions(benchOptions, {
    model: 'mlp',
    dataset: 'synthetic',
    batchSize: '2',
    hidden: '8,4',
    rounds: '1',
    steps: '1',
  });
  const dataset = fromArrays({ inputs: new Uint8Array(12), targets: [0, 1, 2], inputShape: [4] });

  test.skipIf(process.platform === 'win32')('a peer is asked for rounds and compared', async () => {
    vi.stubEnv('HEDDLE_PYTHON', fakePython(fake));
    const peer = await openTorch(options, dataset);
    try {
      expect(peer).toMatchObject({ name: 'torch', version: '9.9', threads: 3 });
      expect(await peer.run(10)).toBe(0.5);
      const beside = { ours: [1, 0.5, 0.25], theirs: [0.5, 0.5, 0.5], products: [], hidden: [8, 4] };
      const compared = await comparePeer(peer, beside);
      expect(compared.ratio).toEqual({ median: 1, lowest: 0.5, highest: 2 });
      expect(compared.gemm).toBeNull();
      const products = [{ m: 2, n: 4, k: 8, seconds: 1 }];
      const dying = comparePeer(peer, { ...beside, products });
      await expect(dying).rejects.toThrow(/^--peer torch: .*python\.cjs: it ended without a word/);
    } finally {
      peer.close();
      vi.unstubAllEnvs();
    }
  });

  test.skipIf(process.platform === 'win32').each([
    ['{"error":"cannot import torch: No module"}', 'cannot import torch: No module. Install Python 3 with'],
    ['Python 2.7', 'it ended without a word'],
  ])('a peer that says %s is refused', async (says, message) => {
    vi.stubEnv('HEDDLE_PYTHON', fakePython(`#!${process.execPath}\nconsole.log(${JSON.stringify(says)});`));
    await expect(openTorch(options, dataset)).rejects.toThrow(message);
    vi.unstubAllEnvs();
  });

  test('--peer torch without Python says what to install', async () => {
    const env = { HEDDLE_PYTHON: '/nonexistent/python3' };
    const ended = await heddle([...small, '--peer', 'torch'], { cwd: temporaryFolder(), env });
    expect([ended.code, ended.stdout]).toEqual([1, '']);
    expect(ended.stderr).toMatch(
      /^heddle bench: --peer torch: \/nonexistent\/python3: .*Install Python 3 with PyTorch/m,
    );
  });
});
