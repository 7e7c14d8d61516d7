import { expect, test } from 'vitest';
import { pythonFixed, pytorchText } from '../../src/cli/format-pytorch.ts';
import { someEvents } from './support.ts';

test('an epoch reads as the tutorial prints it, to the byte', () => {
  expect(someEvents.map(pytorchText(60000)).join('')).toBe(
    'Epoch 1\n-------------------------------\n' +
      'loss: 2.305311  [   64/60000]\n' +
      'loss: 2.298351  [ 6464/60000]\n' +
      'Test Error: \n Accuracy: 49.5%, Avg loss: 2.162512 \n\n' +
      'Done!\n',
  );
});

test('a second epoch has its heading, once', () => {
  const format = pytorchText(96);
  const step = (epoch: number, loss: number) =>
    format({ type: 'step', epoch, step: epoch, samples: 64, loss, lr: 0.1 });
  expect(step(1, 0.5)).toBe('Epoch 1\n-------------------------------\nloss: 0.500000  [   64/   96]\n');
  expect(step(2, 123.25)).toBe('Epoch 2\n-------------------------------\nloss: 123.250000  [   64/   96]\n');
  expect(step(2, 1)).toBe('loss: 1.000000  [   64/   96]\n');
});

// Each expectation is what python3 prints for f'{x:.{digits}f}'.
test.each([
  [49.25, 1, '49.2'],
  [49.75, 1, '49.8'],
  [49.35, 1, '49.4'],
  [0.25, 1, '0.2'],
  [0.75, 1, '0.8'],
  [0.0078125, 6, '0.007812'],
  [0.0234375, 6, '0.023438'],
  [2.5, 1, '2.5'],
  [100, 1, '100.0'],
  [-0.25, 1, '-0.2'],
  [-0, 1, '-0.0'],
  [1e22, 1, '10000000000000000000000.0'],
  [Number.NaN, 6, 'nan'],
  [Number.POSITIVE_INFINITY, 6, 'inf'],
  [Number.NEGATIVE_INFINITY, 6, '-inf'],
])('%d with %d decimals is %s, as in Python', (x, digits, text) => {
  expect(pythonFixed(x, digits)).toBe(text);
});

test('numbers are padded on the left', () => {
  expect(pythonFixed(Number.NaN, 6, 7)).toBe('    nan');
});
