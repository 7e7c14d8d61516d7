// The title of the page's tab: all that is seen of a training behind other tabs.

import { percent } from './format.ts';
import { currentRun, isBusy, latestEpoch, type State } from './state.ts';

/** The newest accuracy, and how the training stands unless it just goes on: `84.3% · Heddle`, `done · 84.3% · Heddle`. */
export function titleOf(state: State): string {
  const { status } = state;
  const result = latestEpoch(currentRun(state));
  return [
    ...(status === 'idle' || isBusy(state) ? [] : [status]),
    ...(result === undefined ? [] : [percent(result.validation.accuracy)]),
    'Heddle',
  ].join(' · ');
}
