// The pure parts of the page's training: no GPU, no browser.

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ClassDataset, datasets, HeddleError, nn } from '../../src/index.ts';
import type { Bytes, FileSet, FileStore } from '../../src/platform/files.ts';
import { cellOf, judge, mistakesOf } from '../../src/recipes/judge.ts';
import type { Message, Settings } from '../../src/recipes/protocol.ts';
import { parseRecord } from '../../src/recipes/record.ts';
import { createDataRoom, dataSums } from '../../src/web/training/data.ts';
import { createDesk } from '../../src/web/training/desk.ts';
import { recognise } from '../../src/web/training/dropped.ts';
import { createPace, every } from '../../src/web/training/pace.ts';
import { checkSettings, optionsOf, takeUp } from '../../src/web/training/settings.ts';
import { planOf } from '../../src/web/training/setup.ts';
import { createSteps } from '../../src/web/training/steps.ts';
import { filtersOf, tilesOf } from '../../src/web/training/tiles.ts';
import { errorMessage } from '../../src/web/training/trouble.ts';
import { small } from './client.ts';

describe('judging', () => {
  const data: ClassDataset = {
    ...{ name: 'three', length: 3, inputShape: [1, 1, 2], classes: ['a', 'b'], synthetic: true },
    inputs: Uint8Array.of(1, 2, 3, 4, 5, 6),
    targets: Uint8Array.of(0, 1, 1),
  };

  test('takes the largest logit, the first of equal ones, and is as sure as its softmax', () => {
    const { predicted, probability } = judge(Float32Array.of(0, 2, 5, 5, 3, 1), 2);
    expect([...predicted]).toEqual([1, 0, 0]);
    [1 / (1 + Math.exp(-2)), 0.5, 1 / (1 + Math.exp(-2))].forEach((expected, i) => {
      expect(probability[i]).toBeCloseTo(expected, 6);
    });
  });

  test('mistakes come surest first, cells hold what they are of', () => {
    const judgement = judge(Float32Array.of(0, 1, 3, 0, 1, 2), 2);
    const mistakes = mistakesOf(data, judgement);
    expect(mistakes.map(({ image, target, predicted }) => [image, target, predicted])).toEqual([
      [1, 1, 0],
      [0, 0, 1],
    ]);
    expect([...(mistakes[0]?.pixels ?? [])]).toEqual([3, 4]);
    expect(mistakesOf(data, judgement, 1)).toHaveLength(1);
    expect(cellOf(data, judgement, { target: 1, predicted: 1 }).map(({ image }) => image)).toEqual([2]);
  });

  test('every image is in one cell', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, min: -20, max: 20 }), { minLength: 6, maxLength: 6 }),
        (logits) => {
          const judgement = judge(Float32Array.from(logits), 2);
          const cells = [0, 1].flatMap((target) =>
            [0, 1].flatMap((predicted) => cellOf(data, judgement, { target, predicted })),
          );
          expect(cells.map(({ image }) => image).sort()).toEqual([0, 1, 2]);
        },
      ),
    );
  });
});

describe('telling', () => {
  test('rates look back two seconds, and forget what was before a pause', () => {
    const pace = createPace();
    expect(pace.now()).toEqual({ samplesPerSecond: 0, secondsPerStep: 0 });
    pace.begin(0);
    for (let at = 100; at <= 5000; at += 100) pace.mark(at, 2, 128);
    expect(pace.now().secondsPerStep).toBeCloseTo(0.05, 9);
    expect(pace.now().samplesPerSecond).toBeCloseTo(1280, 6);
    for (let at = 5100; at <= 9000; at += 100) pace.mark(at, 1, 64);
    expect(pace.now().secondsPerStep).toBeCloseTo(0.1, 9);
    pace.begin(60_000);
    pace.mark(60_010, 1, 64);
    expect(pace.now().secondsPerStep).toBeCloseTo(0.01, 9);
  });

  test('every says yes at once, then at most so often', () => {
    const due = every(100);
    expect([0, 50, 99, 100, 150, 260].map((at) => due(at))).toEqual([true, false, false, true, false, true]);
  });

  test('steps are told ten times a second at most, each once, also when some are done again', () => {
    const said: Message[] = [];
    const steps = createSteps((message) => said.push(message), 64);
    steps.begin(0);
    const train = (from: number, to: number, every: number) => {
      for (let step = from; step <= to; step++) {
        steps.step({ type: 'step', epoch: 1, step, samples: 64 * step, loss: step, lr: 0.1 });
        const progress = { phase: 'train', epoch: 1, batch: step, batches: 100, loss: step } as const;
        steps.progress({ type: 'progress', ...progress, samplesPerSecond: 0 }, every * step);
      }
    };
    train(1, 50, 20);
    expect(said.length).toBeLessThanOrEqual(11);
    train(40, 60, 20); // a device was lost
    steps.flush();
    steps.flush();
    const told = said.flatMap((message) => (message.type === 'steps' ? message.steps : []));
    expect(told.map(({ step }) => step)).toEqual(Array.from({ length: 60 }, (_, i) => i + 1));
    expect(said.at(-1)).toMatchObject({ batch: 60, batches: 100 });
  });

  test('the first layer’s weights are images: rows of a linear layer, at most 64, or kernels', () => {
    const dense = nn.sequential(nn.flatten(), nn.linear(6, 70));
    const rows = new Map([['1.weight', Float32Array.from({ length: 420 }, (_, i) => i)]]);
    expect(filtersOf(dense, rows, [1, 2, 3])).toMatchObject({
      label: '1.weight',
      count: 64,
      height: 2,
      width: 3,
    });
    const conv = nn.sequential(nn.conv2d(2, 3, [5, 4]));
    const kernels = new Map([['0.weight', new Float32Array(120)]]);
    expect(filtersOf(conv, kernels, [2, 8, 8])).toMatchObject({ count: 6, height: 5, width: 4 });
    expect(filtersOf(dense, new Map(), [1, 2, 3])).toBeUndefined();
    const made = { path: 'a', description: 'B', shape: [3], values: Float64Array.of(1, 2, 3) };
    expect(tilesOf(made)).toMatchObject({ label: 'a B', count: 1, height: 1, width: 3 });
  });

  test('an error has a code and says what to do, whatever was thrown', () => {
    expect(errorMessage(new HeddleError('data', 'no file'))).toEqual({
      ...{ type: 'error', code: 'data', message: 'no file' },
      todo: expect.stringMatching(/Drop/),
    });
    expect(errorMessage('odd')).toMatchObject({ code: 'internal', message: 'odd' });
  });
});

describe('settings', () => {
  test('are the options of heddle train, and back', () => {
    expect(optionsOf({ ...small, momentum: 0.9, optimizer: 'adam' })).toEqual({
      ...{ model: 'mlp', dataset: 'synthetic', batchSize: 64, hidden: [32], optimizer: 'adam', lr: 0.1 },
      ...{ nesterov: false, seed: 0, shuffle: false, plain: false, limit: 1280 },
    });
    const arbitrary = fc.record({
      dataset: fc.constantFrom('fashion-mnist', 'mnist', 'kmnist', 'synthetic'),
      model: fc.constantFrom('mlp', 'lenet', 'cnn'),
      hidden: fc.array(fc.integer({ min: 1, max: 4096 }), { maxLength: 4 }),
      optimizer: fc.constantFrom('sgd', 'adam', 'adamw', 'rmsprop', 'adagrad'),
      lr: fc.float({ min: 0, max: 1, noNaN: true }),
      momentum: fc.constantFrom(0, 0.9),
      weightDecay: fc.constantFrom(0, 0.01),
      batchSize: fc.integer({ min: 1, max: 4096 }),
      epochs: fc.integer({ min: 1, max: 1000 }),
      seed: fc.nat(),
      shuffle: fc.boolean(),
    }) as fc.Arbitrary<Settings>;
    fc.assert(
      fc.property(arbitrary, (settings) => {
        expect(checkSettings(settings)).toEqual(settings);
        const options = optionsOf(settings);
        const record = parseRecord('here', JSON.stringify({ options }));
        const back = takeUp(record, settings.epochs);
        expect(back.options).toEqual(options);
        const takesMomentum = settings.optimizer === 'sgd' || settings.optimizer === 'rmsprop';
        expect(back.settings).toEqual({ ...settings, momentum: takesMomentum ? settings.momentum : 0 });
      }),
    );
  });

  test.each([
    ['batchSize', 0],
    ['epochs', 1.5],
    ['lr', Number.NaN],
    ['seed', -1],
    ['dataset', '../x'],
    ['hidden', [0]],
  ])('%s %s is refused by name', (name, value) => {
    expect(() => planOf({ ...small, [name]: value })).toThrow(new RegExp(`^${name}`));
  });

  test.each([
    ['schedule', 'cosine', /schedule/],
    ['dataset', './flowers', /flowers/],
  ])('a run with %s %s goes on in Node only', (name, value, text) => {
    const record = parseRecord('here', JSON.stringify({ options: { ...optionsOf(small), [name]: value } }));
    expect(() => takeUp(record, 3)).toThrow(text);
  });
});

describe('data', () => {
  const idx = (dimensions: number[], seed: number) => {
    const size = dimensions.reduce((a, b) => a * b, 1);
    const sizes = dimensions.flatMap((n) => [0, 0, n >> 8, n & 255]);
    const values = Array.from({ length: size }, (_, i) => (i * seed) & 7);
    return Uint8Array.from([0, 0, 8, dimensions.length, ...sizes, ...values]);
  };
  const setOf = (name: string, seed: number) => {
    const files = [
      ['images', idx([5, 2, 2], seed)],
      ['labels', idx([5], seed)],
    ] as const;
    const entries = files.map(([file, bytes]) => {
      return { name: file, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
    });
    const places = { variable: 'X', torchvisionFolder: 'X', folders: [], mirrors: [], advice: '' };
    return { set: { name, files: entries, ...places } satisfies FileSet, files: new Map(files) };
  };
  const [mine, other] = [setOf('mine', 3), setOf('other', 5)];
  const tell = (bytes: Uint8Array) => recognise({ name: 'f', bytes }, mine.set, [other.set]);

  test('a dropped file is told by its content, packed or not', async () => {
    for (const [name, bytes] of mine.files) {
      expect((await tell(bytes)).entry.name).toBe(name);
      expect((await tell(new Uint8Array(gzipSync(bytes)))).entry.name).toBe(name);
    }
  });

  const images = mine.files.get('images') as Uint8Array;
  test.each<[string, Uint8Array, RegExp]>([
    ['a picture', Uint8Array.of(137, 80, 78, 71), /IDX/],
    ['nothing', new Uint8Array(), /IDX/],
    ['another set’s', other.files.get('labels') as Uint8Array, /it is labels of other/],
    ['another length', idx([6], 3), /has 14 bytes unpacked/],
    ['a flipped bit', images.map((byte, i) => (i === 20 ? byte ^ 1 : byte)), /SHA-256/],
    ['a cut gz', new Uint8Array(gzipSync(images)).subarray(0, 20), /gzip/],
    ['a bomb', new Uint8Array(gzipSync(new Uint8Array(1e6))), /more than/],
  ])('%s is refused', async (_, bytes, reason) => {
    const refused = tell(bytes);
    await expect(refused).rejects.toMatchObject({ code: 'data' });
    await expect(refused).rejects.toThrow(reason);
    await expect(refused).rejects.toThrow(/f is none of the files of mine: .*expected images, labels/);
  });

  const memory = (): FileStore & { files: Map<string, Bytes> } => {
    const files = new Map<string, Bytes>();
    return {
      files,
      read: async (set, name) => files.get(`${set}/${name}`),
      async write(set, name, bytes) {
        files.set(`${set}/${name}`, bytes);
      },
      async remove(set, name) {
        files.delete(`${set}/${name}`);
      },
    };
  };

  test('the synthetic set needs no files, and is made once', async () => {
    const said: Message[] = [];
    const room = createDataRoom((message) => said.push(message), memory());
    expect(await room.load('synthetic')).toBe(await room.load('synthetic'));
    await room.drop('synthetic', [{ name: 'x', bytes: new Uint8Array(1) }]);
    expect(said).toMatchObject([{ type: 'notice', text: expect.stringContaining('needs no files') }]);
    await expect(room.drop('mnist', [{ name: 'x', bytes: new Uint8Array(1) }])).rejects.toThrow(/x is none/);
  });

  test('the sums of data are Node’s', async () => {
    const train = await datasets.synthetic('train', { limit: 50 });
    const expected = createHash('sha256').update(train.inputs).update(train.targets).digest('hex');
    const validation = await datasets.synthetic('test', { limit: 50 });
    const ofTest = createHash('sha256').update(validation.inputs).update(validation.targets).digest('hex');
    expect(await dataSums({ train, test: validation })).toEqual({ sha256: expected, testSha256: ofTest });
  });

  test('without a model, questions are refused, and other commands do nothing', async () => {
    const said: Message[] = [];
    const desk = createDesk((message) => said.push(message), memory());
    for (const type of ['pause', 'continue', 'step', 'stop'] as const) desk({ type });
    desk({ type: 'lr', lr: Number.NaN });
    desk({ type: 'kernels', ask: 1 });
    desk({ type: 'predict', ask: 2, pixels: new Uint8Array(784) });
    desk({ type: 'start', settings: { ...small, epochs: 0 } });
    desk({ type: 'reset' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const kinds = said.map((message) => ('ask' in message ? `${message.type} ${message.ask}` : message.type));
    expect(kinds.sort()).toEqual(['error', 'notice', 'refused 1', 'refused 2', 'status', 'status']);
  });
});
