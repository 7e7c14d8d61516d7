// A run as it is told to those who watch it: some steps at a time, all of it to who comes late, and nothing kept without end.

import { expect, test } from 'vitest';
import type { CliEvent } from '../../src/cli/sinks.ts';
import { runFacts } from '../../src/cli/watch-facts.ts';
import { filtersIn } from '../../src/cli/watch-filters.ts';
import { createWatched, type Watched } from '../../src/cli/watched.ts';
import { encodeCheckpoint } from '../../src/io/checkpoint.ts';
import type { Message, RunFacts } from '../../src/recipes/protocol.ts';
import { someEvents } from './support.ts';

const batches = 100;
const classes = Array.from({ length: 10 }, (_, i) => `class ${i}`);
const [someRun] = someEvents;
if (someRun?.type !== 'run') throw new Error('the run comes first');
const run: RunFacts = {
  ...runFacts(someRun, { classes, dispatches: 8, bytes: 12 }),
  train: 6400,
};

/** A watched run with a clock of its own, and what it has told. */
function scene() {
  let time = 0;
  const told: Message[] = [];
  const watched = createWatched(() => time);
  watched.listen((message) => told.push(message));
  return { watched, told, later: (ms: number) => (time += ms) };
}

/** A chunk of training. */
const chunk = (first: number, count: number): CliEvent => ({
  type: 'progress',
  phase: 'train',
  epoch: Math.floor((first - 1) / batches) + 1,
  batch: ((first + count - 2) % batches) + 1,
  batches,
  loss: 1 / first,
  samplesPerSecond: 6400,
  steps: { first, losses: Array.from({ length: count }, (_, i) => 1 / (first + i)), lr: 0.1 },
});
const epochEnd = (epoch: number, size = 10): CliEvent => ({
  type: 'epoch',
  epoch,
  seconds: 1,
  samplesPerSecond: 6400,
  train: { loss: 1 / epoch },
  validation: {
    loss: 1,
    accuracy: 0.5,
    confusion: Array.from({ length: size }, () => new Array<number>(size).fill(1)),
    ranks: [1],
  },
});
const pointsOf = (messages: readonly Message[]) =>
  messages.flatMap((message) => (message.type === 'steps' ? message.steps : []));
const typesOf = (messages: readonly Message[]) => messages.map(({ type }) => type);
const finalState = (watched: Watched) => watched.backlog().at(-1);

test('the page’s facts follow from the run’s first event', () => {
  const options = {
    optimizer: 'adamw',
    lr: 0.01,
    hidden: [32],
    batchSize: 16,
    epochs: 3,
    limit: 99,
    ui: true,
  };
  const found = runFacts(
    { ...someRun, options, dataset: { ...someRun.dataset, name: './flowers' } },
    {
      ...{ classes, dispatches: 8, bytes: 12 },
    },
  );
  expect(found.settings).toEqual({
    ...{ dataset: 'fashion-mnist', model: 'mlp', hidden: [32], optimizer: 'adamw', lr: 0.01, momentum: 0 },
    ...{ weightDecay: 0.01, batchSize: 16, epochs: 3, seed: 0, shuffle: false, limit: 99 },
  });
  expect(found).toMatchObject({
    ...{ dataset: './flowers', adapter: 'an adapter', software: true, folder: 'runs/x', dispatches: 8 },
    ...{ classes, parameters: 669706, train: 60000 },
  });
  expect(run).not.toHaveProperty('dataset');
});

test('every step is told, in its order, at most ten times a second', () => {
  const { watched, told, later } = scene();
  watched.begin(run);
  for (let first = 1; first < 100; first += 3) {
    watched.event(chunk(first, 3));
    later(30);
  }
  watched.close();
  expect(pointsOf(told).map(({ step }) => step)).toEqual(Array.from({ length: 99 }, (_, i) => i + 1));
  expect(pointsOf(told)[4]).toEqual({ step: 5, epoch: 1, loss: 0.2, lr: 0.1 });
  const messages = told.filter(({ type }) => type === 'steps');
  // 33 chunks, one each 30 ms: the first is told at once, then four at a time.
  expect(messages).toHaveLength(9);
  expect(messages[3]).toMatchObject({ batches, samplesPerSecond: 6400, secondsPerStep: 0.01 });
  expect(typesOf(told).slice(0, 3)).toEqual(['run', 'status', 'steps']);
});

test('steps come before the epoch that they belong to, and no step twice', () => {
  const { watched, told } = scene();
  watched.begin(run);
  watched.event(chunk(1, 60));
  watched.event(chunk(61, 40));
  watched.event({ ...chunk(1, 1), phase: 'validate' } as CliEvent);
  watched.event(epochEnd(1));
  watched.event(chunk(81, 40)); // a lost device: from the last checkpoint on
  watched.event(epochEnd(1));
  watched.close();
  expect(typesOf(told)).toEqual(['run', 'status', 'steps', 'steps', 'status', 'epoch', 'status', 'steps']);
  expect(pointsOf(told).map(({ step }) => step)).toEqual(Array.from({ length: 120 }, (_, i) => i + 1));
  expect(told[5]).toMatchObject({ epoch: 1, step: batches, trainLoss: 1, validation: { accuracy: 0.5 } });
});

test('what a run goes back from is told anew as it is done again, also to who comes late or again', () => {
  const { watched, told } = scene();
  watched.begin(run);
  watched.event(chunk(1, 100));
  watched.event(epochEnd(1));
  watched.event(chunk(101, 60));
  watched.event({ ...chunk(1, 1), phase: 'validate' } as CliEvent); // flushes
  const { position } = watched;
  watched.rewind(100);
  const other = (first: number, count: number): CliEvent => {
    const event = chunk(first, count);
    if (event.type !== 'progress' || event.steps === undefined) throw new Error('a chunk has steps');
    return { ...event, steps: { ...event.steps, lr: 0.05 } };
  };
  watched.event(other(101, 30));
  watched.close();
  const rates = pointsOf(told).map(({ step, lr }) => [step, lr]);
  expect(rates.slice(160)).toEqual(Array.from({ length: 30 }, (_, i) => [101 + i, 0.05]));
  for (const all of [watched.backlog(), watched.backlog(position)]) {
    expect(typesOf(all)).toEqual(['run', 'steps', 'epoch', 'status']);
    expect(pointsOf(all).map(({ step }) => step)).toEqual(Array.from({ length: 130 }, (_, i) => i + 1));
    expect(pointsOf(all).at(-1)?.lr).toBe(0.05);
  }
  watched.rewind(500); // where it never was
  expect(pointsOf(watched.backlog())).toHaveLength(130);
});

test('the worst mistakes are told, and the last to who comes late, until another run begins', () => {
  const { watched, told } = scene();
  watched.begin(run);
  const one = { image: 7, target: 1, predicted: 2, probability: 0.9, pixels: new Uint8Array(784) };
  watched.mistakes({ type: 'mistakes', mistakes: [] });
  watched.mistakes({ type: 'mistakes', mistakes: [one] });
  expect(told.filter(({ type }) => type === 'mistakes')).toHaveLength(2);
  expect(watched.backlog().filter(({ type }) => type === 'mistakes')).toEqual([
    { type: 'mistakes', mistakes: [one] },
  ]);
  watched.begin(run);
  expect(typesOf(watched.backlog())).toEqual(['run', 'status']);
});

test('who comes late is told the run, its steps, its epochs and how it stands', () => {
  const { watched, told } = scene();
  watched.begin(run);
  watched.event(chunk(1, 100));
  watched.event(epochEnd(1));
  watched.event(chunk(101, 50));
  const late = watched.backlog();
  expect(typesOf(late)).toEqual(['run', 'steps', 'epoch', 'status']);
  expect(pointsOf(late)).toEqual(pointsOf(told));
  expect(late[2]).toEqual(told.find(({ type }) => type === 'epoch'));
  expect(late.at(-1)).toEqual({ type: 'status', status: 'training', text: 'epoch 2 of 1' });
});

test('who comes again is told what he has not heard; of another run, everything', () => {
  const { watched } = scene();
  watched.begin(run);
  watched.event(chunk(1, 100));
  watched.event(epochEnd(1));
  const { position } = watched;
  watched.event(chunk(101, 100));
  watched.event(epochEnd(2));
  const missed = watched.backlog(position);
  expect(typesOf(missed)).toEqual(['steps', 'epoch', 'status']);
  expect(pointsOf(missed)[0]?.step).toBe(101);
  for (const odd of ['00000000.5.1', '', 'x', `${position}.1`, `${position}\n`, 'a.-1.0'])
    expect(typesOf(watched.backlog(odd)), odd).toEqual(['run', 'steps', 'epoch', 'epoch', 'status']);
});

test('what is kept of a long run is bounded, and spans all of it', () => {
  const { watched, later } = scene();
  watched.begin(run);
  const epochs = 5000;
  for (let epoch = 1; epoch <= epochs; epoch++) {
    watched.event(chunk((epoch - 1) * batches + 1, batches));
    watched.event(epochEnd(epoch, 30));
    later(100);
  }
  const all = watched.backlog();
  const points = pointsOf(all);
  expect(points.length).toBeGreaterThan(2000);
  expect(points.length).toBeLessThanOrEqual(4097);
  expect([points[0]?.step, points.at(-1)?.step]).toEqual([1, epochs * batches]);
  const gaps = points.slice(1, -1).map(({ step }, i) => step - (points[i]?.step ?? 0));
  expect(new Set(gaps).size).toBe(1); // evenly
  const kept = all.filter((message) => message.type === 'epoch');
  expect(kept.length).toBeGreaterThan(500);
  expect(kept.length).toBeLessThanOrEqual(1025);
  expect(kept.map(({ validation }) => validation.confusion.length).slice(-2)).toEqual([0, 30]);
  expect(JSON.stringify(all).length).toBeLessThan(1_000_000);
});

test('the first layer’s weights are images where they can be', () => {
  const state = { steps: 1, draws: 1, epochs: 0, seed: 0, optimizer: { kind: 'sgd', groups: [] } };
  const file = (shape: number[], bias = 'a.bias') => {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i);
    const weights = new Map([
      [bias, { shape: [3], data: new Float32Array(3) }],
      ['b.weight', { shape, data }],
    ]);
    return encodeCheckpoint({ weights, optimizer: new Map(), state, notes: new Map() });
  };
  expect(filtersIn(file([2, 6]), [1, 2, 3])).toEqual({
    ...{ label: 'b.weight', count: 2, height: 2, width: 3 },
    values: Float32Array.from({ length: 12 }, (_, i) => i),
  });
  expect(filtersIn(file([40, 3, 5, 5]), [3, 32, 32])).toMatchObject({ count: 64, height: 5, width: 5 });
  expect(filtersIn(file([2, 18]), [3, 2, 3])).toBeUndefined();
  expect(filtersIn(file([7]), [1, 2, 3])).toBeUndefined();
});

test('a picture is made for who looks, and the last one for who comes late', () => {
  const { watched, told } = scene();
  const values = Float32Array.of(1);
  const picture = (label: string) => () =>
    ({ type: 'filters', filters: { label, count: 1, height: 1, width: 1, values } }) as const;
  watched.picture(picture('a'), true);
  watched.picture(picture('b'), false);
  expect(told).toEqual([picture('a')()]);
  expect(watched.backlog()[0]).toEqual(picture('b')());
});

test('the end is told once, and what went wrong stays to be read', () => {
  const { watched, told } = scene();
  watched.begin(run);
  watched.event({ type: 'done', steps: 1000, seconds: 2, secondsPerStep: 0.002, run: 'runs/x' });
  watched.event({ type: 'done', steps: 1000, seconds: 2, secondsPerStep: 0.002, run: 'runs/x' });
  expect(finalState(watched)).toEqual({ type: 'status', status: 'done', text: '1,000 steps in 2.0 s' });
  watched.fail({ type: 'error', code: 'diverged', message: 'NaN at step 3', todo: 'less' });
  expect(typesOf(told)).toEqual(['run', 'status', 'error', 'status']);
  expect(typesOf(watched.backlog())).toEqual(['run', 'error', 'status']);
  expect(finalState(watched)).toMatchObject({ status: 'failed' });
});
