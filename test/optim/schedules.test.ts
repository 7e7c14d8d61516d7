// Learning-rate schedules against PyTorch's at every count (test/fixtures/schedules.json, scripts/torch_fixtures/schedules.py),
// what they promise in general, and what they refuse.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HeddleError, optim } from '../../src/index.ts';
import { ratesAt, withRates } from '../../src/optim/schedule.ts';
import fixtures from '../fixtures/schedules.json' with { type: 'json' };

type Schedule = optim.Schedule;

interface Spec {
  readonly kind: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly schedules?: readonly Spec[];
  readonly milestones?: readonly number[];
}
interface Case extends Spec {
  readonly base: readonly number[];
  /** For each parameter group, the rate at counts 0, 1, 2 … */
  readonly lrs: readonly (readonly number[])[];
  /** Present where some members count epochs: the counts above are then steps. */
  readonly stepsPerEpoch?: number;
}
interface PlateauCase {
  readonly options: optim.PlateauOptions;
  readonly base: readonly number[];
  /** NaN is null. */
  readonly metrics: readonly (number | null)[];
  /** For each group, the rate after each metric. */
  readonly lrs: readonly (readonly number[])[];
  readonly badEpochs: readonly number[];
  readonly cooldown: readonly number[];
}
const cases = fixtures.cases as readonly Case[];
const plateaus = fixtures.plateaus as readonly PlateauCase[];

function build({ kind, options = {}, schedules = [], milestones = [] }: Spec): Schedule {
  const members = schedules.map(build);
  if (kind === 'sequentialLr') return optim.sequentialLr({ schedules: members, milestones });
  if (kind === 'chainedScheduler') return optim.chainedScheduler(members);
  const factory = optim[kind as 'stepLr'] as (options: object) => Schedule;
  return factory(members.length > 0 ? members : options);
}

/** Steps and epochs that are both `count`, for schedules that look at one of them. */
const both = (count: number): optim.Progress => ({ steps: count, epochs: count });

/**
 * How far PyTorch may be from the closed form, as a share of the rate: it steps from one rate to the next, and at each of at
 * most 60 counts multiplies by a ratio that up to eight roundings made. For a cosine the ratio is that of two 1 + cos(π·t / T);
 * near the lowest point, where those are 0.003 for T = 39, the rounding of the cosine is magnified by up to 300, but the ratios
 * before and after share it. So 60·8·2⁻⁵³ = 5e-14 for most, some 300·8·2⁻⁵³ = 3e-13 for a cosine.
 */
const tolerance = 1e-12;
/** One-cycle's straight line is a difference of numbers as large as the largest rate, four roundings in PyTorch. */
const slack = (kind: string, largest: number) => (kind === 'oneCycleLr' ? 4 * 2 ** -53 * largest : 0);

/** Checks every rate; gives the worst error as a share of what is allowed. */
function expectSame(found: readonly number[], expected: readonly number[], kind: string): number {
  expect(found.length).toBe(expected.length);
  const absolute = slack(kind, Math.max(...expected));
  const shares = expected.map((value, count) => {
    const error = Math.abs((found[count] as number) - value);
    const allowed = tolerance * Math.abs(value) + absolute;
    expect(error, `at ${count}: found ${found[count]}, PyTorch ${value}`).toBeLessThanOrEqual(allowed);
    return allowed === 0 ? 0 : error / allowed;
  });
  return Math.max(...shares);
}

describe('PyTorch', () => {
  it.each(cases)('$kind $options', (entry) => {
    const { base, lrs, stepsPerEpoch } = entry;
    const schedule = build(entry);
    const worst = lrs.map((expected, group) => {
      const found = expected.map((_, count) => {
        const progress =
          stepsPerEpoch === undefined
            ? both(count)
            : { steps: count, epochs: Math.floor(count / stepsPerEpoch) };
        return schedule.lr(progress, base[group] as number, group);
      });
      return expectSame(found, expected, entry.kind);
    });
    console.log(`${entry.kind}: worst error ${(100 * Math.max(...worst)).toFixed(3)} % of its bound`);
  });

  it.each(plateaus)('reduceLrOnPlateau $options', ({ options, base, metrics, lrs, badEpochs, cooldown }) => {
    let schedule = optim.reduceLrOnPlateau(options);
    metrics.forEach((metric, i) => {
      schedule.observe(metric ?? Number.NaN);
      expect(schedule.state(), `after metric ${i}`).toMatchObject({
        badEpochs: badEpochs[i],
        cooldown: cooldown[i],
      });
      lrs.forEach((expected, group) => {
        expectSame(
          [schedule.lr(both(0), base[group] as number, group)],
          [expected[i] as number],
          'reduceLrOnPlateau',
        );
      });
      // Goes on where it was, in another process say.
      const kept = JSON.parse(JSON.stringify(schedule.state()));
      schedule = optim.reduceLrOnPlateau(options);
      schedule.setState(kept);
    });
  });
});

it('counts steps or epochs, as told; warm-up and one-cycle steps, the others epochs', () => {
  const perEpoch = [
    optim.constantLr(),
    optim.stepLr({ stepSize: 1 }),
    optim.multiStepLr({ milestones: [1] }),
    optim.exponentialLr({ gamma: 0.5 }),
    optim.polynomialLr(),
    optim.cosineAnnealingLr({ tMax: 9 }),
    optim.cosineAnnealingWarmRestarts({ t0: 9 }),
    optim.reduceLrOnPlateau(),
  ];
  expect(perEpoch.map(({ every }) => every)).toEqual(perEpoch.map(() => 'epoch'));
  const perStep = [optim.linearLr(), optim.oneCycleLr({ maxLr: 1, totalSteps: 9 })];
  expect(perStep.map(({ every }) => every)).toEqual(['step', 'step']);
  const gamma = 0.5;
  expect(optim.exponentialLr({ gamma }).lr({ steps: 7, epochs: 2 }, 1)).toBe(0.25);
  expect(optim.exponentialLr({ gamma, every: 'step' }).lr({ steps: 7, epochs: 2 }, 1)).toBe(0.5 ** 7);
  expect(optim.linearLr({ every: 'epoch' }).every).toBe('epoch');
});

it('one-cycle is at its largest at once where the rise takes no time', () => {
  // pctStart · totalSteps = 1: PyTorch divides by zero here.
  const cycle = optim.oneCycleLr({ maxLr: 0.5, totalSteps: 10, pctStart: 0.1 });
  expect(cycle.lr(both(0), 1)).toBe(0.5);
  expect(cycle.lr(both(9), 1)).toBeCloseTo(0.5 / 25 / 1e4, 12);
});

it('a constant may last for ever', () => {
  expect(optim.constantLr({ factor: 0.25, totalIters: Number.POSITIVE_INFINITY }).lr(both(1e9), 1)).toBe(
    0.25,
  );
});

const count = fc.nat(5000);
const whole = fc.integer({ min: 1, max: 300 });
const share = fc.double({ min: 0.001, max: 1, noNaN: true });
const base = fc.double({ min: 1e-6, max: 10, noNaN: true });

describe('in general', () => {
  it('what multiplies the rate does so for any rate, and never raises it', () => {
    const factors = fc.oneof(
      fc.record({ factor: share, totalIters: whole }).map((options) => optim.constantLr(options)),
      fc.record({ startFactor: share, endFactor: share, totalIters: whole }).map((o) => optim.linearLr(o)),
      fc.record({ stepSize: whole, gamma: share }).map((options) => optim.stepLr(options)),
      fc.record({ gamma: share }).map((options) => optim.exponentialLr(options)),
      fc
        .record({ milestones: fc.uniqueArray(whole).map((list) => list.sort((a, b) => a - b)), gamma: share })
        .map((options) => optim.multiStepLr(options)),
      fc
        .record({ totalIters: whole, power: fc.constantFrom(0, 0.5, 1, 2) })
        .map((o) => optim.polynomialLr(o)),
      fc.record({ tMax: whole }).map((options) => optim.cosineAnnealingLr(options)),
      fc
        .record({ t0: whole, tMult: fc.integer({ min: 1, max: 4 }) })
        .map((options) => optim.cosineAnnealingWarmRestarts(options)),
    );
    fc.assert(
      fc.property(factors, count, base, (schedule, t, lr) => {
        const factor = schedule.lr(both(t), 1);
        expect(factor).toBeGreaterThanOrEqual(0);
        expect(factor).toBeLessThanOrEqual(1 + 1e-15);
        expect(Math.abs(schedule.lr(both(t), lr) - lr * factor)).toBeLessThanOrEqual(1e-14 * lr);
      }),
    );
  });

  it('a cosine and its restarts stay between etaMin and the rate; a restart begins at the rate', () => {
    fc.assert(
      fc.property(whole, fc.integer({ min: 1, max: 4 }), share, count, (t0, tMult, part, t) => {
        const etaMin = part * 0.1;
        const within = (lr: number) => {
          expect(lr).toBeGreaterThanOrEqual(etaMin * (1 - 1e-14));
          expect(lr).toBeLessThanOrEqual(0.1 * (1 + 1e-14));
        };
        within(optim.cosineAnnealingLr({ tMax: t0, etaMin }).lr(both(t), 0.1));
        const restarts = optim.cosineAnnealingWarmRestarts({ t0, tMult, etaMin });
        within(restarts.lr(both(t), 0.1));
        for (const at of [0, t0, t0 + t0 * tMult, t0 + t0 * tMult + t0 * tMult ** 2])
          expect(restarts.lr(both(at), 0.1)).toBeCloseTo(0.1, 12);
      }),
    );
  });

  it('one-cycle begins, peaks and ends where it says, and rises and falls once', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10, max: 400 }),
        fc.double({ min: 0.11, max: 0.5, noNaN: true }),
        fc.boolean(),
        fc.constantFrom('cos', 'linear'),
        (totalSteps, pctStart, threePhase, annealStrategy) => {
          const cycle = optim.oneCycleLr({ maxLr: 2, totalSteps, pctStart, threePhase, annealStrategy });
          const lrs = Array.from({ length: totalSteps }, (_, t) => cycle.lr(both(t), Number.NaN));
          expect(lrs[0]).toBeCloseTo(2 / 25, 12);
          expect(lrs.at(-1)).toBeCloseTo(2 / 25 / 1e4, 12);
          const peak = lrs.indexOf(Math.max(...lrs));
          expect(Math.abs(peak - (pctStart * totalSteps - 1))).toBeLessThanOrEqual(1);
          for (let t = 1; t < totalSteps; t++) {
            const [before, now] = [lrs[t - 1] as number, lrs[t] as number];
            if (t <= peak) expect(now).toBeGreaterThanOrEqual(before - 1e-12);
            else expect(now).toBeLessThanOrEqual(before + 1e-12);
          }
        },
      ),
    );
  });

  it('a sequence of a schedule with itself restarts it at the milestone', () => {
    fc.assert(
      fc.property(whole, count, share, (at, t, gamma) => {
        const one = optim.exponentialLr({ gamma });
        const two = optim.sequentialLr({ schedules: [one, one], milestones: [at] });
        expect(two.lr(both(t), 0.1)).toBe(one.lr(both(t < at ? t : t - at), 0.1));
      }),
    );
  });

  it('a plateau schedule that goes on from its state does as one that never stopped', () => {
    const metrics = fc.array(
      fc.oneof(
        fc.double({ min: -2, max: 2 }),
        fc.constantFrom(0.5, 0.5 + 1e-6, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
      ),
    );
    const options = fc.record({
      mode: fc.constantFrom('min', 'max'),
      thresholdMode: fc.constantFrom('rel', 'abs'),
      patience: fc.nat(3),
      cooldown: fc.nat(3),
    });
    fc.assert(
      fc.property(options, metrics, metrics, (given, before, after) => {
        const [whole, first, second] = [0, 0, 0].map(() => optim.reduceLrOnPlateau(given)) as [
          optim.ObservingSchedule,
          optim.ObservingSchedule,
          optim.ObservingSchedule,
        ];
        for (const metric of before) for (const one of [whole, first]) one.observe(metric);
        second.setState(JSON.parse(JSON.stringify(first.state())));
        for (const metric of after) for (const one of [whole, second]) one.observe(metric);
        expect(second.state()).toEqual(whole.state());
        expect(second.lr(both(0), 0.1)).toBe(whole.lr(both(0), 0.1));
      }),
    );
  });
});

describe('compositions', () => {
  const warmUp = optim.linearLr({ startFactor: 0.5, totalIters: 4 });

  it('a sequence in a sequence counts its milestones from its own beginning', () => {
    const decay = optim.stepLr({ stepSize: 2, gamma: 0.5, every: 'step' });
    const inner = optim.sequentialLr({ schedules: [warmUp, decay], milestones: [4] });
    const outer = optim.sequentialLr({ schedules: [warmUp, inner], milestones: [10] });
    const lrs = Array.from({ length: 18 }, (_, steps) => outer.lr({ steps, epochs: 0 }, 1));
    const rise = [0.5, 0.625, 0.75, 0.875];
    expect(lrs).toEqual([...rise, 1, 1, 1, 1, 1, 1, ...rise, 1, 1, 0.5, 0.5]);
    expect(outer.every).toBe('step');
  });

  it('a chain of units counts both, and passes on what is observed', () => {
    const plateau = optim.reduceLrOnPlateau({ patience: 0, factor: 0.5 });
    const chain = optim.chainedScheduler([warmUp, plateau]);
    expect(chain).toMatchObject({ every: 'both', mode: 'min' });
    chain.observe?.(1);
    chain.observe?.(1);
    expect(chain.lr({ steps: 1, epochs: 2 }, 1)).toBe(0.625 / 2);
    expect(chain.state?.()).toEqual({ best: 1, badEpochs: 0, cooldown: 0, reductions: 1 });
    chain.setState?.({ best: 1, badEpochs: 0, cooldown: 0, reductions: 0 });
    expect(chain.lr({ steps: 1, epochs: 2 }, 1)).toBe(0.625);
    expect(optim.chainedScheduler([warmUp]).observe).toBeUndefined();
  });

  it('one-cycle may begin a chain, and say for how many groups', () => {
    const cycle = optim.oneCycleLr({ maxLr: [1, 2], totalSteps: 10 });
    const chain = optim.chainedScheduler([cycle, optim.constantLr({ factor: 0.5 })]);
    expect(chain.groups).toBe(2);
    expect(chain.lr(both(2), Number.NaN, 1)).toBe(1);
  });
});

describe('an optimizer’s groups', () => {
  const groups = () => [{ lr: 0.1 }, { lr: 0.01 }];

  it('each get the schedule’s rate of their own, and have their own back afterwards', () => {
    const schedule = optim.stepLr({ stepSize: 1, gamma: 0.5 });
    const list = groups();
    const rates = ratesAt(schedule, both(2), list);
    expect(rates).toEqual([0.025, 0.0025]);
    expect(withRates(list, rates, () => list.map(({ lr }) => lr))).toEqual(rates);
    expect(list).toEqual(groups());
    const failing = () =>
      withRates(list, rates, () => {
        throw new Error('a batch that does not fit');
      });
    expect(failing).toThrow('a batch that does not fit');
    expect(list).toEqual(groups());
  });

  it('must be as many as the schedule was given rates for', () => {
    const cycle = optim.oneCycleLr({ maxLr: [1, 2, 3], totalSteps: 10 });
    expect(() => ratesAt(cycle, both(0), groups())).toThrow(
      'schedule oneCycleLr: made for 3 parameter groups; the optimizer has 2',
    );
    const plateau = optim.reduceLrOnPlateau({ minLr: [0] });
    expect(() => ratesAt(plateau, both(0), groups())).toThrow('made for 1 parameter groups');
  });

  it.each([Number.NaN, -1, Number.POSITIVE_INFINITY])('cannot have the rate %d', (lr) => {
    const schedule: Schedule = { kind: 'mine', every: 'step', lr: () => lr };
    expect(() => ratesAt(schedule, { steps: 3, epochs: 1 }, groups())).toThrow(
      `schedule mine: learning rate ${lr} for group 0 after 3 steps and 1 epochs: expected a finite number ≥ 0`,
    );
  });
});

const plain = optim.exponentialLr({ gamma: 0.5 });
const oneCycle = (more: object) =>
  optim.oneCycleLr({ maxLr: 1, totalSteps: 10, ...more } as optim.OneCycleOptions);
const refused: [string, () => unknown, string][] = [
  ['constant factor', () => optim.constantLr({ factor: 1.5 }), 'factor 1.5: expected a number from 0 to 1'],
  ['constant NaN', () => optim.constantLr({ factor: Number.NaN }), 'factor NaN'],
  ['constant iterations', () => optim.constantLr({ totalIters: 0 }), 'totalIters 0: expected a whole number'],
  ['linear start', () => optim.linearLr({ startFactor: 0 }), 'startFactor 0: expected a number > 0 and ≤ 1'],
  ['linear end', () => optim.linearLr({ endFactor: -0.1 }), 'endFactor -0.1'],
  ['linear iterations', () => optim.linearLr({ totalIters: 2.5 }), 'totalIters 2.5'],
  ['step size', () => optim.stepLr({ stepSize: -3 }), 'stepSize -3: expected a whole number of at least 1'],
  ['step gamma', () => optim.stepLr({ stepSize: 1, gamma: -1 }), 'gamma -1'],
  [
    'milestone order',
    () => optim.multiStepLr({ milestones: [3, 9, 5] }),
    '[3, 9, 5]: expected whole numbers',
  ],
  ['milestone twice', () => optim.multiStepLr({ milestones: [3, 3] }), 'rising order, found 3'],
  ['milestone 0', () => optim.multiStepLr({ milestones: [0, 3] }), 'rising order, found 0'],
  ['multi-step gamma', () => optim.multiStepLr({ milestones: [1], gamma: Number.NaN }), 'gamma NaN'],
  ['exponential gamma', () => optim.exponentialLr({ gamma: Number.POSITIVE_INFINITY }), 'gamma Infinity'],
  ['polynomial iterations', () => optim.polynomialLr({ totalIters: 0 }), 'totalIters 0'],
  ['polynomial power', () => optim.polynomialLr({ power: -1 }), 'power -1'],
  ['cosine tMax', () => optim.cosineAnnealingLr({ tMax: 0 }), 'tMax 0'],
  ['cosine etaMin', () => optim.cosineAnnealingLr({ tMax: 1, etaMin: -1 }), 'etaMin -1'],
  ['restarts t0', () => optim.cosineAnnealingWarmRestarts({ t0: 0.5 }), 't0 0.5'],
  ['restarts tMult', () => optim.cosineAnnealingWarmRestarts({ t0: 1, tMult: 0 }), 'tMult 0'],
  ['restarts etaMin', () => optim.cosineAnnealingWarmRestarts({ t0: 1, etaMin: Number.NaN }), 'etaMin NaN'],
  ['one-cycle maxLr', () => oneCycle({ maxLr: -1 }), 'maxLr -1'],
  ['one-cycle no maxLr', () => oneCycle({ maxLr: [] }), 'maxLr []: expected a rate for each parameter group'],
  ['one-cycle totalSteps', () => oneCycle({ totalSteps: 0 }), 'totalSteps 0'],
  ['one-cycle epochs', () => optim.oneCycleLr({ maxLr: 1, epochs: 0, stepsPerEpoch: 9 }), 'epochs 0'],
  [
    'one-cycle per epoch',
    () => optim.oneCycleLr({ maxLr: 1, epochs: 9, stepsPerEpoch: -9 }),
    'stepsPerEpoch -9',
  ],
  ['one-cycle pctStart', () => oneCycle({ pctStart: 1.1 }), 'pctStart 1.1'],
  [
    'one-cycle phases',
    () => oneCycle({ threePhase: true, pctStart: 0.6 }),
    'three phases need one from 0 to 0.5',
  ],
  ['one-cycle divFactor', () => oneCycle({ divFactor: 0 }), 'divFactor 0: expected a finite number > 0'],
  ['one-cycle finalDivFactor', () => oneCycle({ finalDivFactor: Number.NaN }), 'finalDivFactor NaN'],
  ['one-cycle annealing', () => oneCycle({ annealStrategy: 'sine' }), "'sine': expected 'cos' or 'linear'"],
  [
    'one-cycle past its end',
    () => oneCycle({}).lr(both(10), 1),
    'asked for the rate of step 11; the cycle has 10',
  ],
  ['plateau mode', () => optim.reduceLrOnPlateau({ mode: 'best' as 'min' }), "mode 'best'"],
  [
    'plateau factor',
    () => optim.reduceLrOnPlateau({ factor: 1 }),
    'factor 1: expected a finite number ≥ 0 and < 1',
  ],
  ['plateau patience', () => optim.reduceLrOnPlateau({ patience: -1 }), 'patience -1'],
  ['plateau threshold', () => optim.reduceLrOnPlateau({ threshold: -1 }), 'threshold -1'],
  [
    'plateau threshold mode',
    () => optim.reduceLrOnPlateau({ thresholdMode: 'x' as 'rel' }),
    "thresholdMode 'x'",
  ],
  ['plateau cooldown', () => optim.reduceLrOnPlateau({ cooldown: 0.5 }), 'cooldown 0.5'],
  ['plateau minLr', () => optim.reduceLrOnPlateau({ minLr: [0.1, -1] }), 'minLr -1'],
  ['plateau no minLr', () => optim.reduceLrOnPlateau({ minLr: [] }), 'minLr []'],
  ['plateau eps', () => optim.reduceLrOnPlateau({ eps: Number.NaN }), 'eps NaN'],
  [
    'plateau state of infinity',
    () => optim.reduceLrOnPlateau().setState({ best: -Infinity, badEpochs: 0, cooldown: 0, reductions: 0 }),
    'expected what state() gave',
  ],
  [
    'plateau state',
    () => optim.reduceLrOnPlateau().setState({ best: 1, badEpochs: -1, cooldown: 0, reductions: 0 }),
    'expected what state() gave',
  ],
  [
    'a unit',
    () => optim.stepLr({ stepSize: 1, every: 'batch' as 'step' }),
    "every 'batch': expected 'step' or 'epoch'",
  ],
  [
    'an empty sequence',
    () => optim.sequentialLr({ schedules: [], milestones: [] }),
    '0 schedules and 0 milestones',
  ],
  [
    'a missing milestone',
    () => optim.sequentialLr({ schedules: [plain, plain], milestones: [] }),
    '2 schedules and 0',
  ],
  [
    'unordered milestones',
    () => optim.sequentialLr({ schedules: [plain, plain, plain], milestones: [5, 2] }),
    'rising order, found 2',
  ],
  [
    'a sequence of units',
    () => optim.sequentialLr({ schedules: [optim.linearLr(), plain], milestones: [5] }),
    'linearLr counts by step, exponentialLr by epoch',
  ],
  [
    'a sequence with a plateau',
    () => optim.sequentialLr({ schedules: [plain, optim.reduceLrOnPlateau()], milestones: [5] }),
    'reduceLrOnPlateau observes a metric',
  ],
  [
    'a sequence of a chain of units',
    () =>
      optim.sequentialLr({ schedules: [optim.chainedScheduler([plain, optim.linearLr()])], milestones: [] }),
    'chainedScheduler by both',
  ],
  ['an empty chain', () => optim.chainedScheduler([]), 'no schedules'],
  [
    'one-cycle late',
    () => optim.chainedScheduler([plain, oneCycle({})]),
    'oneCycleLr sets the rate by itself',
  ],
  [
    'two that observe',
    () => optim.chainedScheduler([optim.reduceLrOnPlateau(), optim.reduceLrOnPlateau()]),
    '2 schedules observe a metric',
  ],
  [
    'members for other groups',
    () =>
      optim.chainedScheduler([oneCycle({ maxLr: [1, 1] }), optim.reduceLrOnPlateau({ minLr: [0, 0, 0] })]),
    'oneCycleLr was made for 2 parameter groups, reduceLrOnPlateau for 3',
  ],
];

it.each(refused)('refuses: %s', (_, work, message) => {
  expect(work).toThrow(HeddleError);
  expect(work).toThrow(expect.objectContaining({ code: 'usage', message: expect.stringContaining(message) }));
});
