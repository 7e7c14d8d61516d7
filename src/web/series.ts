// Losses by step, as a chart needs them: arrays that grow by doubling, smoothed, and thinned to what pixels can show.
// Knows nothing of charts.

/** Arrays that several series share the beginning of; `used` of their elements are taken. */
interface Store {
  readonly steps: Float64Array;
  readonly values: Float64Array;
  used: number;
}

/** Values by rising step. Never changes: `append` gives a longer one, which shares the memory. */
export interface Series {
  readonly store: Store;
  readonly length: number;
}

/** A value of a step. */
export interface Point {
  readonly step: number;
  readonly value: number;
}

const storeOf = (capacity: number): Store => ({
  steps: new Float64Array(capacity),
  values: new Float64Array(capacity),
  used: 0,
});

/** A series without a value. */
export const emptySeries = (): Series => ({ store: storeOf(256), length: 0 });

/** A series of what arrays hold; their steps rise. */
export function seriesOf(steps: ArrayLike<number>, values: ArrayLike<number>): Series {
  const store = { steps: Float64Array.from(steps), values: Float64Array.from(values), used: steps.length };
  return { store, length: steps.length };
}

export const stepsOf = ({ store, length }: Series) => store.steps.subarray(0, length);
export const valuesOf = ({ store, length }: Series) => store.values.subarray(0, length);
export const lastStep = ({ store, length }: Series) =>
  length === 0 ? 0 : (store.steps[length - 1] as number);
export const lastValue = ({ store, length }: Series) =>
  length === 0 ? Number.NaN : store.values[length - 1];

/** How many of rising `steps` are below `step`. */
export function countBelow(steps: ArrayLike<number>, step: number): number {
  let low = 0;
  let high = steps.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((steps[middle] as number) < step) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** With more points, by rising step. What was there from the first one's step on goes: the training went back to it. */
export function append(series: Series, points: readonly Point[]): Series {
  const first = points[0];
  if (first === undefined) return series;
  const kept =
    lastStep(series) < first.step || series.length === 0
      ? series.length
      : countBelow(stepsOf(series), first.step);
  const length = kept + points.length;
  let { store } = series;
  // Another series may have taken the places behind this one.
  if (length > store.steps.length || kept !== store.used) {
    const grown = storeOf(Math.max(256, 2 ** Math.ceil(Math.log2(length + 1))));
    grown.steps.set(store.steps.subarray(0, kept));
    grown.values.set(store.values.subarray(0, kept));
    store = grown;
  }
  for (const [i, { step, value }] of points.entries()) {
    store.steps[kept + i] = step;
    store.values[kept + i] = value;
  }
  store.used = length;
  return { store, length };
}

/** How much of the old mean stays at each step, for a mean over about so many steps. */
export const smoothingWeight = (steps: number) => Math.max(0, 1 - 1 / Math.max(1, steps));

/**
 * The exponential mean, without the pull to zero at the start (as Adam corrects its moments); values that are not finite
 * are left out. A call goes on from where the last one for the same memory and weight stopped.
 */
export function smoother(): (series: Series, weight: number) => Series {
  let values = new Float64Array(0);
  let from: Store | undefined;
  let at = { weight: Number.NaN, done: 0, mean: 0, share: 1 };
  return (series, weight) => {
    const { store, length } = series;
    if (from !== store || at.weight !== weight || at.done > length) {
      from = store;
      at = { weight, done: 0, mean: 0, share: 1 };
      if (values.length < store.values.length) values = new Float64Array(store.values.length);
    }
    let { done, mean, share } = at;
    for (; done < length; done++) {
      const value = store.values[done] as number;
      if (Number.isFinite(value)) {
        mean = weight * mean + (1 - weight) * value;
        share *= weight;
      }
      values[done] = share === 1 ? Number.NaN : mean / (1 - share);
    }
    at = { weight, done, mean, share };
    return { store: { steps: store.steps, values, used: length }, length };
  };
}

/** Where a chart has points: the steps from `from` to `to`, or two to each of `columns` where there are more. */
export interface Grid {
  readonly from: number;
  readonly to: number;
  readonly columns: number;
  /** Whether every step has a point of its own. */
  readonly every: boolean;
  readonly steps: Float64Array;
}

/** The points for steps `from` to `to`, both whole, on so many columns of pixels. */
export function gridOf(from: number, to: number, columns: number): Grid {
  const count = to - from + 1;
  if (count <= 2 * columns)
    return {
      from,
      to,
      columns,
      every: true,
      steps: Float64Array.from({ length: count }, (_, i) => from + i),
    };
  const width = count / columns;
  const steps = Float64Array.from({ length: 2 * columns }, (_, i) => from - 0.5 + (i / 2 + 0.25) * width);
  return { from, to, columns, every: false, steps };
}

/**
 * A series on a grid's points: the least and the greatest value of each column, in the order in which they came, so that
 * no peak is lost; null where there is none. Values that are not finite are left out.
 */
export function envelope(series: Series, grid: Grid): (number | null)[] {
  const { from, to, columns } = grid;
  const result = new Array<number | null>(grid.steps.length).fill(null);
  const steps = stepsOf(series);
  const values = valuesOf(series);
  const width = (to - from + 1) / columns;
  let column = -1;
  let least = 0;
  let greatest = 0;
  const put = () => {
    if (column < 0) return;
    result[2 * column] = values[Math.min(least, greatest)] as number;
    if (least !== greatest) result[2 * column + 1] = values[Math.max(least, greatest)] as number;
  };
  for (let i = countBelow(steps, from); i < steps.length && (steps[i] as number) <= to; i++) {
    const value = values[i] as number;
    if (!Number.isFinite(value)) continue;
    const offset = (steps[i] as number) - from;
    if (grid.every) {
      result[offset] = value;
      continue;
    }
    const here = Math.min(columns - 1, Math.floor((offset + 0.5) / width));
    if (here !== column) {
      put();
      column = here;
      least = i;
      greatest = i;
    } else if (value < (values[least] as number)) least = i;
    else if (value > (values[greatest] as number)) greatest = i;
  }
  put();
  return result;
}

/** Places of at most `most` of `length` things, evenly, the first and the last among them. */
export function evenly(length: number, most: number): number[] {
  if (length <= most) return Array.from({ length }, (_, i) => i);
  return Array.from({ length: most }, (_, i) => Math.round((i * (length - 1)) / (most - 1)));
}
