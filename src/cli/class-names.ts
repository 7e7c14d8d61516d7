// What the classes of a run's data are called, without loading the data.

import { knownClasses } from './load-data.ts';
import type { RunRecord } from './run-record.ts';

/** The names by index: the run's own, else its data set's; undefined where neither is known. */
export function classNamesOf({ classNames, classes, options }: RunRecord): readonly string[] | undefined {
  const names = classNames ?? knownClasses(options.dataset);
  return names?.length === classes ? names : undefined;
}
