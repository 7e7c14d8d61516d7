// `heddle predict`, and which weights `eval` takes: on a small network trained on drawn shapes, and in float64 beside it.

import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import jpeg from 'jpeg-js';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { type ClassDataset, datasets, decodeSafetensors, probabilities } from '../../src/index.ts';
import { pngFile } from '../data/png-file.ts';
import { type HostLinear, hostLogits } from '../support/network.ts';
import { heddle, records, temporaryFolder } from './support.ts';

vi.setConfig({ hookTimeout: 240_000 });

const hidden = 24;
const shots = 11;
let cwd: string;
let shapes: ClassDataset;

const pixelsOf = (row: number) => shapes.inputs.subarray(784 * row, 784 * (row + 1)) as Uint8Array;
const truth = (row: number) => shapes.classes[shapes.targets[row] as number];
const train = (out: string, ...more: string[]) =>
  heddle(
    ['train', '--dataset', 'synthetic', '--hidden', String(hidden), '--batch-size', '8', '--lr', '0.05']
      .concat(['--epochs', '1', '--out', out])
      .concat(more),
    { cwd },
  );

/** The photograph of a shape: in the middle of a wide white sheet, dark. */
function photograph(row: number): Buffer {
  const [width, height] = [140, 112];
  const data = new Uint8Array(width * height * 4).fill(255);
  for (let y = 0; y < 112; y++)
    for (let x = 0; x < 112; x++) {
      const shade = 255 - (pixelsOf(row)[28 * (y >> 2) + (x >> 2)] as number);
      data.fill(shade, 4 * (y * width + x + 14), 4 * (y * width + x + 14) + 3);
    }
  return jpeg.encode({ width, height, data }, 95).data;
}

/** What the weights in a file say of a shape, in float64. */
function onHost(file: string, row: number): Float64Array {
  const { tensors } = decodeSafetensors(new Uint8Array(readFileSync(join(cwd, file))));
  const layer = (name: string): HostLinear => {
    const [weight, bias] = ['weight', 'bias'].map(
      (kind) => tensors.get(`linear_relu_stack.${name}.${kind}`)!,
    );
    const [outputs, inputs] = weight!.shape as [number, number];
    return { weight: weight!.data, bias: bias!.data, inputs, outputs };
  };
  const x = [Array.from(pixelsOf(row), (byte) => byte / 255)];
  return probabilities(hostLogits([layer('0'), layer('2')], x).map(({ value }) => value));
}

beforeAll(async () => {
  cwd = temporaryFolder();
  shapes = await datasets.synthetic('test', { limit: shots });
  for (let row = 0; row < shots; row++)
    writeFileSync(
      join(cwd, `${row}.png`),
      pngFile({ width: 28, height: 28, colours: 0, samples: pixelsOf(row) }),
    );
  writeFileSync(join(cwd, 'photo.jpg'), photograph(0));
  expect((await train('run')).code).toBe(0);
});

interface Prediction {
  readonly type: string;
  readonly image: string;
  readonly class: string;
  readonly index: number;
  readonly probability: number;
  readonly top: readonly { readonly class: string; readonly index: number; readonly probability: number }[];
}

describe('heddle predict', () => {
  it('says of more pictures than a batch what the network says in float64, a JSON line each', async () => {
    const names = Array.from({ length: shots }, (_, row) => `${row}.png`);
    const { code, stdout, stderr } = await heddle(['predict', 'run', ...names, '--json'], { cwd });
    expect(code).toBe(0);
    expect(stderr).toContain('the best weights of run, trained on SYNTHETIC data');
    const lines = records(stdout) as unknown as Prediction[];
    expect(lines.map(({ image }) => image)).toEqual(names);
    lines.forEach((line, row) => {
      const expected = [...onHost('run/best.safetensors', row)];
      const best = expected.indexOf(Math.max(...expected));
      expect(line).toMatchObject({ type: 'prediction', class: shapes.classes[best], index: best });
      expect(line.top).toHaveLength(3);
      expect(line.top[0]).toEqual({ class: line.class, index: best, probability: line.probability });
      for (const { index, probability } of line.top) expect(probability).toBeCloseTo(expected[index]!, 5);
    });
    // And it has learnt something.
    expect(lines.filter((line, row) => line.class === truth(row)).length).toBeGreaterThan(shots / 2);
  });

  it('reads a picture from stdin, also a photograph, dark on white, which it says', async () => {
    const input = readFileSync(join(cwd, '0.png'));
    const plain = await heddle(['predict', 'run', '-', '--top', '2', '--plain'], { cwd, input });
    expect(plain.code).toBe(0);
    expect(plain.stdout).toMatch(/^-\n( {2}[a-z ]+\d+\.\d % {2}[━─]{20}\n){2}$/);
    expect(plain.stdout.split('\n')[1]).toContain(`  ${truth(0)} `);
    expect(plain.stderr).not.toContain('inverted');
    const photo = await heddle(['predict', 'run', '-'], { cwd, input: photograph(0) });
    expect(photo.stderr).toContain(
      'stdin: dark on light, so it is inverted (--invert no leaves it as it is)\n',
    );
    const [auto, no] = await Promise.all(
      ['auto', 'no'].map(async (invert) => {
        const { stdout } = await heddle(['predict', 'run', 'photo.jpg', '--json', '--invert', invert], {
          cwd,
        });
        return records(stdout)[0] as unknown as Prediction;
      }),
    );
    expect(auto!.class).toBe(photo.stdout.split('\n')[1]!.trim().split('  ')[0]);
    expect(auto!.probability).not.toBeCloseTo(no!.probability, 3);
  });

  it('names what it cannot read, does the others, and ends with 4', async () => {
    writeFileSync(join(cwd, 'text.png'), 'no picture');
    mkdirSync(join(cwd, 'folder.png'));
    const images = ['text.png', 'nothing.png', '3.png', 'folder.png', '-', '4.png'];
    const { code, stdout, stderr } = await heddle(['predict', 'run', ...images, '--json'], { cwd });
    expect(code).toBe(4);
    expect((records(stdout) as unknown as Prediction[]).map(({ image }) => image)).toEqual([
      '3.png',
      '4.png',
    ]);
    expect(stderr.split('\n').filter((line) => line.startsWith('heddle'))).toEqual([
      'heddle predict: text.png: neither PNG nor JPEG.',
      'heddle predict: nothing.png does not exist.',
      'heddle predict: folder.png: not a regular file',
      'heddle predict: stdin: it is empty.',
    ]);
    const none = await heddle(['predict', 'run', 'text.png'], { cwd });
    expect([none.code, none.stdout]).toEqual([4, '']);
  });

  it.each<[string[], RegExp]>([
    [['run'], /missing required argument 'image'/],
    [['nowhere', '0.png'], /nowhere\/run\.json does not exist; expected the folder of a run/],
    [['run', '0.png', '--top', '0'], /--top: found '0', expected a whole number of at least 1/],
    [['run', '0.png', '--invert', 'maybe'], /--invert: found 'maybe', expected one of auto, yes, no/],
    [['run', '0.png', '--weights', 'good'], /--weights: found 'good', expected one of last, best/],
    [['run', '-', '-'], /found - twice, expected one image on stdin/],
  ])('%j ends with 2 and one line', async (args, message) => {
    const before = readdirSync(cwd);
    const { code, stdout, stderr } = await heddle(['predict', ...args], { cwd });
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(new RegExp(`^heddle predict: .*${message.source}.*\\n$`));
    expect(readdirSync(cwd)).toEqual(before);
  });

  it('takes class names and colours from a run on a folder of pictures', async () => {
    const colours = { reds: [220, 30, 30], greens: [30, 220, 30] };
    for (const half of ['train', 'test'])
      for (const [name, [r, g, b]] of Object.entries(colours)) {
        mkdirSync(join(cwd, 'colours', half, name), { recursive: true });
        for (let i = 0; i < 12; i++) {
          const samples = Array.from({ length: 20 }, () => [r! - i, g! - i, b! + i]).flat();
          const file = pngFile({ width: 4, height: 5, colours: 2, samples });
          writeFileSync(join(cwd, 'colours', half, name, `${i}.png`), file);
        }
      }
    const args = ['train', '--dataset', './colours', '--hidden', '8', '--epochs', '8', '--batch-size', '4'];
    const trained = await heddle([...args, '--lr', '0.1', '--shuffle', '--out', 'colour-run'], { cwd });
    expect(trained.code).toBe(0);
    expect(JSON.parse(readFileSync(join(cwd, 'colour-run/run.json'), 'utf8')).classNames).toEqual([
      'greens',
      'reds',
    ]);
    const samples = Array.from({ length: 16 * 12 }, () => [215, 40, 35]).flat();
    writeFileSync(join(cwd, 'large.png'), pngFile({ width: 16, height: 12, colours: 2, samples }));
    const predicted = await heddle(['predict', 'colour-run', 'large.png', '--json', '--top', '9'], { cwd });
    expect(predicted.code).toBe(0);
    const [line] = records(predicted.stdout) as unknown as Prediction[];
    expect(line?.class).toBe('reds');
    expect(line?.top.map((one) => one.class)).toEqual(['reds', 'greens']);
  });
});

it('--weights chooses: eval takes the last unless told, predict the best where there are any', async () => {
  expect((await train('other', '--seed', '9', '--limit', '400')).code).toBe(0);
  copyFileSync(join(cwd, 'other/last.safetensors'), join(cwd, 'run/best.safetensors'));
  try {
    const evaluate = async (...args: string[]) => {
      const { stdout, stderr } = await heddle(['eval', ...args, '--json'], { cwd });
      return { accuracy: records(stdout)[0]?.accuracy, weights: /the (\w+) weights/.exec(stderr)?.[1] };
    };
    const [last, best, other] = await Promise.all([
      evaluate('run'),
      evaluate('run', '--weights', 'best'),
      evaluate('other'),
    ]);
    expect([last.weights, best.weights]).toEqual(['last', 'best']);
    expect(best.accuracy).toBe(other.accuracy);
    expect(last.accuracy).not.toBe(best.accuracy);
    const predicted = async (...args: string[]) => {
      const { stdout } = await heddle(['predict', 'run', '0.png', '--json', '--top', '10', ...args], { cwd });
      return (records(stdout) as unknown as Prediction[])[0]!;
    };
    for (const [line, file] of [
      [await predicted(), 'run/best.safetensors'],
      [await predicted('--weights', 'last'), 'run/last.safetensors'],
    ] as const) {
      const expected = onHost(file, 0);
      for (const { index, probability } of line.top) expect(probability).toBeCloseTo(expected[index]!, 5);
    }
  } finally {
    rmSync(join(cwd, 'run/best.safetensors'));
  }
});
