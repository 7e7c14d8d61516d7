import { expect, test } from 'vitest';
import { evaluationText } from '../../src/cli/format-evaluation.ts';
import { classScores } from '../../src/index.ts';

/** Rows are true classes. Cats are never predicted, birds never occur. */
const confusion = [
  [6, 0, 2],
  [2, 0, 0],
  [0, 0, 0],
];
const classes = ['dog', 'cat', 'bird'];

test('precision, recall and F1 follow from the counts; what cannot be divided is null', () => {
  expect(classScores(confusion, classes)).toEqual([
    { name: 'dog', precision: 6 / 8, recall: 6 / 8, f1: 12 / 16, n: 8 },
    { name: 'cat', precision: null, recall: 0, f1: 0, n: 2 },
    { name: 'bird', precision: 0, recall: null, f1: 0, n: 0 },
  ]);
});

test('the tables are aligned and fit 80 columns', () => {
  const text = evaluationText({ accuracy: 0.6, loss: 1.25, confusion, ranks: [6, 2, 2] }, classes);
  expect(text).toBe(
    [
      'Accuracy: 60.00 %, average loss: 1.250000',
      '',
      'class  precision  recall     F1   n',
      'dog        0.750   0.750  0.750   8',
      'cat            –   0.000  0.000   2',
      'bird       0.000       –  0.000   0',
      'mean       0.250   0.250  0.250  10',
      '',
      '   true \\ predicted     0     1     2',
      '0  dog                  6     ·     2',
      '1  cat                  2     ·     ·',
      '2  bird                 ·     ·     ·',
      '',
    ].join('\n'),
  );
  const ten = Array.from({ length: 10 }, (_, i) => Array.from({ length: 10 }, () => 90 * i));
  const ranks = [70, 20, 5, 5, 0, 0, 0, 0, 0, 0];
  const wide = evaluationText({ accuracy: 0.7, loss: 0, confusion: ten, ranks }, ['T-shirt/top']);
  expect(wide.split('\n')[0]).toBe('Accuracy: 70.00 %, among the first 3: 95.00 %, average loss: 0.000000');
  expect(Math.max(...wide.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
});
