import { expect, test } from 'vitest';
import { classNamesOf } from '../../src/cli/class-names.ts';
import type { RunRecord } from '../../src/recipes/record.ts';

const record = (dataset: string, classes: number, classNames?: string[]) =>
  ({ classes, options: { dataset }, ...(classNames && { classNames }) }) as RunRecord;

test('a run’s own names come first, then its data set’s, where they are as many as its classes', () => {
  expect(classNamesOf(record('fashion-mnist', 10))?.[9]).toBe('Ankle boot');
  expect(classNamesOf(record('kmnist', 10))?.[1]).toBe('ki');
  expect(classNamesOf(record('synthetic', 10))).toHaveLength(10);
  expect(classNamesOf(record('fashion-mnist', 9))).toBeUndefined();
  expect(classNamesOf(record('./flowers', 2, ['daisy', 'tulip']))).toEqual(['daisy', 'tulip']);
  expect(classNamesOf(record('./flowers', 2))).toBeUndefined();
});
