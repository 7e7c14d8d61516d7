// What an evaluation's counts say, of counts made by hand and of a model's own.

import { expect, it } from 'vitest';
import {
  classScores,
  createTrainer,
  dataLoader,
  fromArrays,
  HeddleError,
  manualSeed,
  nn,
  optim,
  probabilities,
  topKAccuracy,
} from '../../src/index.ts';
import { floats, integers } from '../support/data.ts';
import { useDevice } from '../support/device.ts';

const device = useDevice();

it('counts the rows whose target is among the first k', () => {
  const ranks = [5, 3, 0, 2];
  expect([1, 2, 3, 4].map((k) => topKAccuracy({ ranks }, k))).toEqual([0.5, 0.8, 0.8, 1]);
  for (const k of [0, 5, 1.5, Number.NaN]) expect(() => topKAccuracy({ ranks }, k)).toThrow(HeddleError);
});

it('gives probabilities of logits, however large', () => {
  expect([...probabilities([0, 0])]).toEqual([0.5, 0.5]);
  expect([...probabilities(Float32Array.of(1e30, -1e30, 0))]).toEqual([1, 0, 0]);
  const [a, b] = probabilities([1e4, 1e4 + 1]);
  expect(b! / a!).toBeCloseTo(Math.E, 12);
  expect(a! + b!).toBeCloseTo(1, 15);
  expect(probabilities([Number.NaN, 0])[1]).toBeNaN();
});

it('an evaluation counts targets and ranks as the logits say', async () => {
  manualSeed(7);
  const [rows, features, classes] = [203, 6, 5];
  const model = nn.sequential(nn.linear(features, classes));
  const dataset = fromArrays({
    inputs: floats(rows * features, 1),
    targets: Int32Array.from(integers(rows, 2, classes)),
    inputShape: [features],
  });
  const trainer = await createTrainer(device(), {
    model,
    loss: nn.crossEntropyLoss(),
    optimizer: optim.sgd({ lr: 0 }),
    batchSize: 64, // the last batch is not full
  });
  const { confusion, ranks, accuracy } = await trainer.evaluate(dataLoader(dataset, { batchSize: 64 }));
  trainer.destroy();

  const [weight, bias] = (model.children[0]?.[1].parameters ?? []).map(({ data }) => data);
  const expected = { confusion: confusion.map((row) => row.map(() => 0)), ranks: ranks.map(() => 0) };
  let closest = Number.POSITIVE_INFINITY;
  for (let r = 0; r < rows; r++) {
    const logits = Array.from({ length: classes }, (_, c) => {
      let sum = bias?.[c] ?? 0;
      for (let f = 0; f < features; f++) {
        sum += (dataset.inputs[r * features + f] ?? 0) * (weight?.[c * features + f] ?? 0);
      }
      return sum;
    });
    const sorted = logits.toSorted((a, b) => b - a);
    closest = Math.min(closest, ...sorted.slice(1).map((v, i) => (sorted[i] as number) - v));
    const target = dataset.targets[r] as number;
    const rank = sorted.indexOf(logits[target] as number);
    const row = expected.confusion[target] as number[];
    const predicted = logits.indexOf(sorted[0] as number);
    row[predicted] = (row[predicted] as number) + 1;
    expected.ranks[rank] = (expected.ranks[rank] as number) + 1;
  }
  expect(closest, 'two logits too close for float32 to tell: take another seed').toBeGreaterThan(1e-6);
  expect({ confusion, ranks }).toEqual(expected);
  expect(topKAccuracy({ ranks }, 1)).toBe(accuracy);
  expect(classScores(confusion, []).reduce((sum, { n }) => sum + n, 0)).toBe(rows);
});
