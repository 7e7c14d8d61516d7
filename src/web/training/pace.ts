// How fast training goes at present, and when it is time to tell the page something. Pure: the caller tells the time.

/** Rates over about the last two seconds. */
export interface Pace {
  readonly samplesPerSecond: number;
  readonly secondsPerStep: number;
}

/** Seconds that a rate looks back. */
const window = 2;

/** Measures rates from marks; `begin` forgets what was before a pause. Times are in ms. */
export function createPace() {
  let marks: { readonly at: number; readonly steps: number; readonly samples: number }[] = [];
  return {
    begin(at: number): void {
      marks = [{ at, steps: 0, samples: 0 }];
    },
    /** So many further steps are done. */
    mark(at: number, steps: number, samples: number): void {
      const last = marks.at(-1) ?? { steps: 0, samples: 0 };
      marks.push({ at, steps: last.steps + steps, samples: last.samples + samples });
      while (marks.length > 2 && at - (marks[1]?.at ?? at) > 1000 * window) marks.shift();
    },
    now(): Pace {
      const [first, last] = [marks[0], marks.at(-1)];
      if (first === undefined || last === undefined || last.steps === first.steps)
        return { samplesPerSecond: 0, secondsPerStep: 0 };
      const seconds = Math.max(1e-6, (last.at - first.at) / 1000);
      return {
        samplesPerSecond: (last.samples - first.samples) / seconds,
        secondsPerStep: seconds / (last.steps - first.steps),
      };
    },
  };
}

/** Says whether it is time again, at most every so many ms. */
export function every(milliseconds: number): (at: number) => boolean {
  let last = Number.NEGATIVE_INFINITY;
  return (at) => {
    if (at - last < milliseconds) return false;
    last = at;
    return true;
  };
}
