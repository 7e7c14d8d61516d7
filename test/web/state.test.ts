import { describe, expect, test } from 'vitest';
import type { Message, RunFacts } from '../../src/recipes/protocol.ts';
import { stepsOf, valuesOf } from '../../src/web/series.ts';
import { defaults } from '../../src/web/settings.ts';
import { type Action, currentRun, initialState, isBusy, isRunning, reduce } from '../../src/web/state.ts';

const facts: RunFacts = {
  settings: defaults,
  adapter: 'a card',
  backend: 'vulkan',
  software: false,
  model: '784-10',
  parameters: 7850,
  classes: ['a', 'b'],
  train: 100,
  test: 20,
  synthetic: false,
  dispatches: 12,
  bytes: 4096,
};
const steps = (from: number, losses: readonly number[], epoch = 1): Message => ({
  type: 'steps',
  steps: losses.map((loss, i) => ({ step: from + i, epoch, loss, lr: 0.01 })),
  batch: 3,
  batches: 10,
  samplesPerSecond: 1000,
  secondsPerStep: 0.001,
});
const epoch = (number: number, step: number): Message => ({
  type: 'epoch',
  epoch: number,
  step,
  trainLoss: 1,
  seconds: 2,
  validation: { loss: 0.5, accuracy: 0.8, confusion: [], ranks: [] },
});
const told = (...messages: readonly (Message | Action)[]) => messages.reduce(reduce, initialState(defaults));

describe('runs', () => {
  test('steps and epochs belong to the newest run', () => {
    const state = told(
      { type: 'run', run: facts },
      steps(1, [3, 2]),
      { type: 'run', run: facts },
      steps(1, [5]),
      epoch(1, 10),
    );
    expect(state.runs.map(({ id, loss }) => [id, [...valuesOf(loss)]])).toEqual([
      [1, [3, 2]],
      [2, [5]],
    ]);
    expect(state.runs.map(({ epochs }) => epochs.length)).toEqual([0, 1]);
    expect(state.progress).toMatchObject({ step: 1, epoch: 1, batch: 3, batches: 10 });
    expect(currentRun(state)?.lr).toBe(0.01);
  });

  test('a run without a step gives way to the next one', () => {
    const state = told({ type: 'run', run: facts }, { type: 'run', run: { ...facts, model: 'cnn' } });
    expect(state.runs.map(({ id, facts: { model } }) => [id, model])).toEqual([[1, 'cnn']]);
  });

  test('a watched run that is told of again is the same run', () => {
    const watched = { ...facts, folder: 'runs/a' };
    const state = told(
      { type: 'run', run: watched },
      steps(1, [3]),
      { type: 'run', run: watched },
      steps(1, [3, 2]),
    );
    expect(state.runs.map(({ id, loss }) => [id, loss.length])).toEqual([[1, 2]]);
  });

  test('a training that went back forgets the steps and epochs after that', () => {
    const state = told(
      { type: 'run', run: facts },
      steps(1, [5, 4, 3]),
      epoch(1, 2),
      epoch(2, 3),
      steps(3, [9, 8]),
    );
    const run = currentRun(state);
    expect(run && [...stepsOf(run.loss)]).toEqual([1, 2, 3, 4]);
    expect(run && [...valuesOf(run.loss)]).toEqual([5, 4, 9, 8]);
    expect(run?.epochs.map((one) => one.epoch)).toEqual([1]);
  });

  test('are hidden and removed, but for the one whose model is there', () => {
    const state = told({ type: 'run', run: facts }, steps(1, [1]), { type: 'run', run: facts });
    expect(reduce(state, { type: 'run-shown', id: 1, shown: false }).runs.map(({ shown }) => shown)).toEqual([
      false,
      true,
    ]);
    expect(reduce(state, { type: 'run-removed', id: 1 }).runs.map(({ id }) => id)).toEqual([2]);
    expect(reduce(state, { type: 'run-removed', id: 2 })).toBe(state);
    const gone = reduce(state, { type: 'model-gone' });
    expect(reduce(gone, { type: 'run-removed', id: 2 }).runs.map(({ id }) => id)).toEqual([1]);
  });

  test('no more than eight are kept', () => {
    const many = Array.from({ length: 12 }, (): Message[] => [
      { type: 'run', run: facts },
      steps(1, [1]),
    ]).flat();
    expect(told(...many).runs.map(({ id }) => id)).toEqual([5, 6, 7, 8, 9, 10, 11, 12]);
  });

  test('steps without a run, as from a worker that was late, change no curve', () => {
    expect(told(steps(1, [1])).runs).toEqual([]);
  });
});

describe('questions', () => {
  const asked = (question: 'prediction' | 'kernels', ask: number): Action => ({
    type: 'asked',
    question,
    ask,
  });

  test('only the newest question’s answer counts', () => {
    const state = told(asked('prediction', 1), asked('prediction', 2), {
      type: 'prediction',
      ask: 1,
      probabilities: [1, 0],
    });
    expect(state.probabilities).toBeUndefined();
    const answered = reduce(state, { type: 'prediction', ask: 2, probabilities: [0, 1] });
    expect(answered.probabilities).toEqual([0, 1]);
    expect(answered.pending).toEqual({});
  });

  test('a refusal is told with its question, until it is asked again', () => {
    const state = told(asked('prediction', 1), asked('kernels', 2), {
      type: 'refused',
      ask: 2,
      message: 'no clock',
    });
    expect(state.refused).toEqual({ kernels: 'no clock' });
    expect(state.pending).toEqual({ prediction: 1 });
    expect(reduce(state, asked('kernels', 3)).refused).toEqual({});
  });

  test('a cell’s images come to the cell that is open', () => {
    const open = told(
      { type: 'cell-asked', target: 1, predicted: 0 },
      { type: 'asked', question: 'cell', ask: 4 },
    );
    expect(open.cell).toEqual({ target: 1, predicted: 0 });
    const answered = reduce(open, { type: 'cell', ask: 4, images: [] });
    expect(answered.cell).toEqual({ target: 1, predicted: 0, images: [] });
    expect(reduce(answered, { type: 'cell-closed' }).cell).toBeUndefined();
    const closed = reduce(open, { type: 'cell-closed' });
    expect(reduce(closed, { type: 'cell', ask: 4, images: [] }).cell).toBeUndefined();
  });
});

describe('trouble', () => {
  const error: Message = { type: 'error', code: 'data', message: 'no data', todo: 'Drop the files.' };

  test('a failure ends the training and is forgotten with the next run', () => {
    const state = told({ type: 'status', status: 'training', text: '' }, error);
    expect([state.status, state.failure?.code, isBusy(state)]).toEqual(['failed', 'data', false]);
    expect(reduce(state, { type: 'run', run: facts }).failure).toBeUndefined();
    expect(reduce(state, { type: 'failure-dismissed' })).toMatchObject({ status: 'idle' });
  });

  test('a notice shows once', () => {
    const notice: Message = { type: 'notice', text: 'not kept' };
    const state = told(notice, notice);
    expect(state.notices).toEqual(['not kept']);
    expect(reduce(state, { type: 'notice-dismissed', text: 'not kept' }).notices).toEqual([]);
  });

  test('downloads are told by file and end with the run', () => {
    const state = told(
      { type: 'download', file: 'a', received: 1, total: 9 },
      { type: 'download', file: 'b', received: 1 },
      { type: 'download', file: 'a', received: 5, total: 9 },
    );
    expect(state.downloads).toEqual([
      { file: 'a', received: 5, total: 9 },
      { file: 'b', received: 1 },
    ]);
    expect(reduce(state, { type: 'run', run: facts }).downloads).toEqual([]);
  });

  test('the old model’s pictures go with it, its curve stays', () => {
    const state = told(
      { type: 'run', run: facts },
      steps(1, [1]),
      { type: 'filters', filters: { label: 'w', count: 0, height: 1, width: 1, values: new Float32Array() } },
      { type: 'model-gone' },
    );
    expect([state.filters, state.progress, state.live, state.bytes]).toEqual([
      undefined,
      undefined,
      false,
      0,
    ]);
    expect(state.runs).toHaveLength(1);
  });

  test('paused is running but not busy', () => {
    const paused = told({ type: 'status', status: 'paused', text: '' });
    expect([isBusy(paused), isRunning(paused)]).toEqual([false, true]);
  });
});
