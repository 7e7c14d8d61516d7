import { expect, test } from 'vitest';
import type { Status } from '../../src/recipes/protocol.ts';
import { defaults } from '../../src/web/settings.ts';
import { initialState, type Run, type State } from '../../src/web/state.ts';
import { titleOf } from '../../src/web/title.ts';

const at = (status: Status, accuracy?: number): State => ({
  ...initialState(defaults),
  status,
  runs: [{ epochs: accuracy === undefined ? [] : [{ validation: { accuracy } }] } as unknown as Run],
});

test.each([
  ['idle', undefined, 'Heddle'],
  ['compiling', undefined, 'Heddle'],
  ['training', 0.4321, '43.2% · Heddle'],
  ['evaluating', 0.4321, '43.2% · Heddle'],
  ['paused', 0.4321, 'paused · 43.2% · Heddle'],
  ['done', 0.71, 'done · 71.0% · Heddle'],
  ['failed', undefined, 'failed · Heddle'],
] as const)('%s, %s: %s', (status, accuracy, title) => {
  expect(titleOf(at(status, accuracy))).toBe(title);
});
