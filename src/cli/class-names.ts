// What the classes of a run's data are called, without loading the data.

import type { RunRecord } from '../recipes/record.ts';
import { knownClasses } from './load-data.ts';

/** The names by index: the run's own, else its data set's; undefined where neither is known. */
export function classNamesOf({ classNames, classes, options }: RunRecord): readonly string[] | undefined {
  const names = classNames ?? knownClasses(options.dataset);
  return names?.length === classes ? names : undefined;
}
