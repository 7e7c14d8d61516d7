// The parts that `--schedule SPEC` can have: their keys, and the schedule that each makes. How they are joined: schedule.ts.

import * as v from 'valibot';
import { HeddleError } from '../errors.ts';
import { optim } from '../index.ts';
import { numberUpTo, oneOf, positiveNumber, wholeNumber } from './values.ts';

/** What `--help` says of SPEC. */
export const scheduleHelp = `Schedules (--schedule; learning rate --lr, PyTorch's formulas and defaults):
  constant:factor=0.1,for=5        times factor at first; without for, throughout
  linear:for=5,from=0.1,to=1       a straight line between two factors, by steps
  warmup:steps=500,from=0.1        the same, up to --lr; or warmup:epochs=2
  step:size=3,gamma=0.1            times gamma every size epochs
  multi-step:at=3,6,8,gamma=0.1    times gamma at each of the epochs
  exponential:gamma=0.9            times gamma every epoch
  polynomial:for=10,power=1        down to 0 (default: at the run's end)
  cosine:max=10,min=0              half a cosine down to min (default: at the run's end)
  restarts:first=3,times=2,min=0   cosines, each times as long as the one before
  one-cycle:max-lr=0.1             up to max-lr (default: --lr) and down, by steps; for=N (default: the run's),
                                   start=0.3, anneal=cos|linear, div=25, final-div=1e4, phases=2|3
  plateau:patience=10,factor=0.1   times factor when the validation's loss no longer falls; metric=loss|accuracy,
                                   threshold=1e-4, threshold-mode=rel|abs, cooldown=0, min-lr=0, eps=1e-8
All but warmup and plateau take every=step or every=epoch. A+B: both at once, the factors multiply. A/B: B after A, counted
as A is, when A's warmup, linear, constant or one-cycle is over, or at its until=N (counted from the run's start).
`;

/** Where in a run a part stands: what it counts, how many counts are its own, and the run's learning rate. */
export interface Place {
  readonly every: optim.ScheduleUnit;
  readonly left: number;
  readonly lr: number;
}

/** A part that has been read. */
export interface Part {
  readonly name: string;
  /** What it counts unless told otherwise, and what it was told to count. */
  readonly unit: optim.ScheduleUnit;
  readonly every: optim.ScheduleUnit | undefined;
  /** Where it is over by its own account. */
  readonly length: number | undefined;
  /** Where the next part of a sequence is told to begin. */
  readonly until: number | undefined;
  make(place: Place): optim.Schedule;
}

/** A kind of part. */
export interface Kind {
  readonly keys: readonly string[];
  read(name: string, values: Readonly<Record<string, string>>): Omit<Part, 'until'>;
}

/** The error that says what SPEC was expected to have. */
export const expected = (what: string) => new HeddleError('usage', what);

const everyKey = { every: v.exactOptional(oneOf('step', 'epoch')) };
const oneThird = String(1 / 3);

/** A kind of part: its keys, and what is made of their values. */
function kind<const Entries extends v.ObjectEntries>(
  entries: Entries,
  make: (values: v.InferOutput<v.ObjectSchema<Entries, undefined>>, place: Place) => optim.Schedule,
  {
    unit = () => 'epoch',
    length = () => undefined,
  }: {
    unit?: (values: v.InferOutput<v.ObjectSchema<Entries, undefined>>) => optim.ScheduleUnit;
    length?: (values: v.InferOutput<v.ObjectSchema<Entries, undefined>>) => number | undefined;
  } = {},
): Kind {
  const keys = Object.keys(entries);
  const schema = v.object(entries);
  return {
    keys,
    read(name, given) {
      const result = v.safeParse(schema, given);
      if (!result.success) {
        const [issue] = result.issues;
        const key = String(issue.path?.[0]?.key);
        throw expected(
          Object.hasOwn(given, key) ? `${name}’s ${key} to be ${issue.message}` : `${name}:${key}=…`,
        );
      }
      const values = result.output;
      const every = given.every === 'step' || given.every === 'epoch' ? given.every : undefined;
      return {
        name,
        unit: unit(values),
        every,
        length: length(values),
        make: (place) => make(values, place),
      };
    },
  };
}

const milestones = v.pipe(
  v.string(),
  v.regex(/^\d+(,\d+)*$/, 'whole numbers of at least 1 in rising order, such as 3,6,8'),
  v.transform((text) => text.split(',').map(Number)),
  v.check(
    (list) => list.every((at, i) => Number.isSafeInteger(at) && at > (list[i - 1] ?? 0)),
    'whole numbers of at least 1 in rising order, such as 3,6,8',
  ),
);
const share = numberUpTo(1);
const amount = numberUpTo(Number.POSITIVE_INFINITY);
/** A number of steps or epochs. */
export const count = wholeNumber(1);
/** A share, but not 0. */
const startShare = v.pipe(
  share,
  v.check((n) => n > 0, 'a number above 0 and up to 1'),
);
/** A factor that makes smaller. */
const reduction = v.pipe(
  share,
  v.check((n) => n < 1, 'a number from 0 to below 1'),
);

/** The kinds of parts by name. */
export const kinds: Readonly<Record<string, Kind>> = {
  constant: kind(
    { factor: share, for: v.exactOptional(count), ...everyKey },
    ({ factor, for: totalIters = Number.POSITIVE_INFINITY }, { every }) =>
      optim.constantLr({ factor, totalIters, every }),
    { length: ({ for: length }) => length },
  ),
  linear: kind(
    { for: count, from: v.optional(startShare, oneThird), to: v.optional(share, '1'), ...everyKey },
    ({ for: totalIters, from: startFactor, to: endFactor }, { every }) =>
      optim.linearLr({ startFactor, endFactor, totalIters, every }),
    { unit: () => 'step', length: ({ for: length }) => length },
  ),
  warmup: kind(
    {
      steps: v.exactOptional(count),
      epochs: v.exactOptional(count),
      from: v.optional(startShare, oneThird),
    },
    ({ steps, epochs, from: startFactor }, { every }) =>
      optim.linearLr({ startFactor, totalIters: (steps ?? epochs) as number, every }),
    {
      unit({ steps, epochs }) {
        if ((steps === undefined) === (epochs === undefined))
          throw expected('warmup:steps=N or warmup:epochs=N');
        return steps === undefined ? 'epoch' : 'step';
      },
      length: ({ steps, epochs }) => steps ?? epochs,
    },
  ),
  step: kind(
    { size: count, gamma: v.optional(amount, '0.1'), ...everyKey },
    ({ size: stepSize, gamma }, { every }) => optim.stepLr({ stepSize, gamma, every }),
  ),
  'multi-step': kind(
    { at: milestones, gamma: v.optional(amount, '0.1'), ...everyKey },
    ({ at, gamma }, { every }) => optim.multiStepLr({ milestones: at, gamma, every }),
  ),
  exponential: kind({ gamma: amount, ...everyKey }, ({ gamma }, { every }) =>
    optim.exponentialLr({ gamma, every }),
  ),
  polynomial: kind(
    { for: v.exactOptional(count), power: v.optional(amount, '1'), ...everyKey },
    ({ for: length, power }, { every, left }) =>
      optim.polynomialLr({ totalIters: length ?? left, power, every }),
  ),
  cosine: kind(
    { max: v.exactOptional(count), min: v.optional(amount, '0'), ...everyKey },
    ({ max, min: etaMin }, { every, left }) => optim.cosineAnnealingLr({ tMax: max ?? left, etaMin, every }),
  ),
  restarts: kind(
    { first: count, times: v.optional(count, '1'), min: v.optional(amount, '0'), ...everyKey },
    ({ first: t0, times: tMult, min: etaMin }, { every }) =>
      optim.cosineAnnealingWarmRestarts({ t0, tMult, etaMin, every }),
  ),
  'one-cycle': kind(
    {
      'max-lr': v.exactOptional(positiveNumber),
      for: v.exactOptional(count),
      start: v.optional(share, '0.3'),
      anneal: v.optional(oneOf('cos', 'linear'), 'cos'),
      div: v.optional(positiveNumber, '25'),
      'final-div': v.optional(positiveNumber, '1e4'),
      phases: v.optional(oneOf('2', '3'), '2'),
      ...everyKey,
    },
    ({ for: length, start, anneal, phases, div, ...given }, { every, left, lr }) =>
      optim.oneCycleLr({
        maxLr: given['max-lr'] ?? lr,
        totalSteps: length ?? left,
        pctStart: start,
        annealStrategy: anneal,
        divFactor: div,
        finalDivFactor: given['final-div'],
        threePhase: phases === '3',
        every,
      }),
    {
      unit({ phases, start }) {
        if (phases === '3' && start > 0.5)
          throw expected('one-cycle’s start to be a number from 0 to 0.5 with phases=3');
        return 'step';
      },
      length: ({ for: length }) => length,
    },
  ),
  plateau: kind(
    {
      metric: v.optional(oneOf('loss', 'accuracy'), 'loss'),
      factor: v.optional(reduction, '0.1'),
      patience: v.optional(wholeNumber(0), '10'),
      threshold: v.optional(amount, '1e-4'),
      'threshold-mode': v.optional(oneOf('rel', 'abs'), 'rel'),
      cooldown: v.optional(wholeNumber(0), '0'),
      'min-lr': v.optional(amount, '0'),
      eps: v.optional(amount, '1e-8'),
    },
    ({ metric, 'threshold-mode': thresholdMode, 'min-lr': minLr, ...others }) =>
      optim.reduceLrOnPlateau({
        mode: metric === 'loss' ? 'min' : 'max',
        thresholdMode,
        minLr,
        ...others,
      }),
  ),
};
