// The grammar of --schedule: what each spec means, by the rates it gives, and what is refused.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseOptions, trainOptions } from '../../src/cli/options.ts';
import { makeSchedule, type RunLength } from '../../src/cli/schedule.ts';
import { kinds, scheduleHelp } from '../../src/cli/schedule-kinds.ts';
import { optim } from '../../src/index.ts';

const run: RunLength = { epochs: 10, stepsPerEpoch: 100, lr: 0.2 };

/** The rates at the beginning of each epoch, in its midst and at its end. */
const ratesOf = (schedule: optim.Schedule) =>
  Array.from({ length: 30 }, (_, i) => {
    const epochs = Math.floor(i / 3);
    const steps = 100 * epochs + ([0, 37, 99][i % 3] as number);
    return schedule.lr({ steps, epochs }, run.lr);
  });

const options = (schedule: string) =>
  parseOptions(trainOptions, {
    model: 'mlp',
    dataset: 'synthetic',
    epochs: '1',
    batchSize: '64',
    lr: '1e-3',
    optimizer: 'sgd',
    hidden: '16',
    seed: '0',
    logEvery: '100',
    format: 'auto',
    schedule,
  });

const { sequentialLr, chainedScheduler, linearLr, stepLr, constantLr, cosineAnnealingLr, oneCycleLr } = optim;
const every = 'step';
const meant: [string, optim.Schedule][] = [
  ['constant:factor=0.5', constantLr({ factor: 0.5, totalIters: Number.POSITIVE_INFINITY })],
  ['constant:factor=0.5,for=3', constantLr({ factor: 0.5, totalIters: 3 })],
  ['linear:for=50', linearLr({ totalIters: 50 })],
  [
    'linear:for=5,from=0.9,to=.1,every=epoch',
    linearLr({ startFactor: 0.9, endFactor: 0.1, totalIters: 5, every: 'epoch' }),
  ],
  ['warmup:steps=500', linearLr({ totalIters: 500 })],
  ['warmup:epochs=2,from=0.01', linearLr({ startFactor: 0.01, totalIters: 2, every: 'epoch' })],
  ['step:size=3,gamma=0.1', stepLr({ stepSize: 3 })],
  ['step:size=30,every=step', stepLr({ stepSize: 30, every })],
  ['multi-step:at=3,6,8,gamma=0.5', optim.multiStepLr({ milestones: [3, 6, 8], gamma: 0.5 })],
  ['multi-step:gamma=5e-1,at=3', optim.multiStepLr({ milestones: [3], gamma: 0.5 })],
  ['exponential:gamma=0.9', optim.exponentialLr({ gamma: 0.9 })],
  ['polynomial', optim.polynomialLr({ totalIters: 10 })],
  ['polynomial:for=5,power=2', optim.polynomialLr({ totalIters: 5, power: 2 })],
  ['cosine', cosineAnnealingLr({ tMax: 10 })],
  ['cosine:every=step', cosineAnnealingLr({ tMax: 1000, every })],
  ['cosine:max=10,min=1e-4', cosineAnnealingLr({ tMax: 10, etaMin: 1e-4 })],
  ['restarts:first=2', optim.cosineAnnealingWarmRestarts({ t0: 2 })],
  ['restarts:first=1,times=2,min=0.01', optim.cosineAnnealingWarmRestarts({ t0: 1, tMult: 2, etaMin: 0.01 })],
  ['one-cycle', oneCycleLr({ maxLr: 0.2, totalSteps: 1000 })],
  ['one-cycle:max-lr=0.1,every=epoch', oneCycleLr({ maxLr: 0.1, totalSteps: 10, every: 'epoch' })],
  [
    'one-cycle:start=0.4,anneal=linear,div=1e+1,final-div=100,phases=3,for=2000',
    oneCycleLr({
      maxLr: 0.2,
      totalSteps: 2000,
      pctStart: 0.4,
      annealStrategy: 'linear',
      divFactor: 10,
      finalDivFactor: 100,
      threePhase: true,
    }),
  ],
  [
    'warmup:steps=500+cosine',
    chainedScheduler([linearLr({ totalIters: 500 }), cosineAnnealingLr({ tMax: 10 })]),
  ],
  [
    'warmup:steps=500+step:size=3+exponential:gamma=0.9',
    chainedScheduler([
      linearLr({ totalIters: 500 }),
      stepLr({ stepSize: 3 }),
      optim.exponentialLr({ gamma: 0.9 }),
    ]),
  ],
  [
    'warmup:steps=400/cosine',
    sequentialLr({
      schedules: [linearLr({ totalIters: 400 }), cosineAnnealingLr({ tMax: 600, every })],
      milestones: [400],
    }),
  ],
  [
    'constant:factor=0.1,for=2/step:size=1,until=6,gamma=0.5/constant:factor=0.25',
    sequentialLr({
      schedules: [
        constantLr({ factor: 0.1, totalIters: 2 }),
        stepLr({ stepSize: 1, gamma: 0.5 }),
        constantLr({ factor: 0.25, totalIters: Number.POSITIVE_INFINITY }),
      ],
      milestones: [2, 6],
    }),
  ],
  [
    'cosine:until=4/cosine',
    sequentialLr({
      schedules: [cosineAnnealingLr({ tMax: 4 }), cosineAnnealingLr({ tMax: 6 })],
      milestones: [4],
    }),
  ],
];

test.each(meant)('%s', (spec, schedule) => {
  expect(options(spec).schedule).toBe(spec); // run.json has the text
  const found = makeSchedule(spec, run);
  expect(found.every).toBe(schedule.every);
  expect(ratesOf(found)).toEqual(ratesOf(schedule));
});

test.each([
  ['plateau', {}],
  ['plateau:metric=accuracy,patience=2', { mode: 'max', patience: 2 }],
  [
    'plateau:factor=0.3,threshold=0.05,threshold-mode=abs,cooldown=1,min-lr=0.01,eps=0,patience=0',
    {
      factor: 0.3,
      threshold: 0.05,
      thresholdMode: 'abs',
      cooldown: 1,
      minLr: 0.01,
      eps: 0,
      patience: 0,
    },
  ],
] as const)('%s', (spec, plateau) => {
  const [found, expected] = [makeSchedule(spec, run), optim.reduceLrOnPlateau(plateau)];
  expect(found.mode).toBe(expected.mode);
  for (const metric of [1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9]) {
    for (const one of [found, expected]) one.observe?.(metric);
    expect(found.lr({ steps: 0, epochs: 0 }, 0.2)).toBe(expected.lr({ steps: 0, epochs: 0 }, 0.2));
  }
  expect(found.lr({ steps: 0, epochs: 0 }, 0.2)).toBeLessThan(0.2);
});

const names = Object.keys(kinds);
test.each([
  ['', `a schedule to be one of ${names.join(', ')}, not ''`],
  ['stpe:size=3', `a schedule to be one of ${names.join(', ')}, not 'stpe'`],
  ['toString', "not 'toString'"],
  ['step', 'step:size=…'],
  ['step:', "step:KEY=VALUE, not 'step:'"],
  ['step:3', "step:KEY=VALUE, not 'step:3'"],
  ['step:size', "step:KEY=VALUE, not 'step:size'"],
  ['step:size=', 'step’s size to be a whole number of at least 1'],
  ['step:size=0', 'step’s size to be a whole number of at least 1'],
  ['step:size=3,size=4', 'step’s size only once'],
  ['step:size=3,', 'step’s size to be a whole number of at least 1'],
  ['step:size=3,gama=0.1', "a key of step to be one of size, gamma, every, until, not 'gama'"],
  ['step:size=3,__proto__=1', "not '__proto__'"],
  ['step:size=3,gamma=-1', 'step’s gamma to be a number of at least 0'],
  ['step:size=3,gamma=1e999', 'step’s gamma to be a number of at least 0'],
  ['step:size=3,every=batch', 'step’s every to be one of step, epoch'],
  ['step:size=3 ', 'step’s size to be a whole number of at least 1'],
  ['multi-step:at=3,6,5', 'multi-step’s at to be whole numbers of at least 1 in rising order, such as 3,6,8'],
  ['multi-step:at=0', 'in rising order'],
  ['multi-step:at=3,x', 'in rising order'],
  ['constant', 'constant:factor=…'],
  ['constant:factor=1.5', 'constant’s factor to be a number from 0 to 1'],
  ['linear:for=5,from=0', 'linear’s from to be a number above 0 and up to 1'],
  ['warmup', 'warmup:steps=N or warmup:epochs=N'],
  ['warmup:steps=5,epochs=2', 'warmup:steps=N or warmup:epochs=N'],
  ['warmup:steps=5,every=step', "a key of warmup to be one of steps, epochs, from, until, not 'every'"],
  ['cosine:max=2.5', 'cosine’s max to be a whole number of at least 1'],
  ['restarts', 'restarts:first=…'],
  ['one-cycle:max-lr=0', 'one-cycle’s max-lr to be a positive number'],
  ['one-cycle:anneal=sine', 'one-cycle’s anneal to be one of cos, linear'],
  ['one-cycle:phases=4', 'one-cycle’s phases to be one of 2, 3'],
  ['one-cycle:phases=3,start=0.6', 'one-cycle’s start to be a number from 0 to 0.5 with phases=3'],
  ['plateau:factor=1', 'plateau’s factor to be a number from 0 to below 1'],
  ['plateau:every=step', 'a key of plateau to be one of metric'],
  ['step:size=3+', `a schedule to be one of ${names.join(', ')}, not ''`],
  ['+cosine', "not ''"],
  ['cosine//cosine', "not ''"],
  ['cosine+one-cycle', 'one-cycle as the first part'],
  ['plateau+plateau', 'one plateau at most'],
  ['warmup:steps=5+cosine/step:size=3', 'parts joined by + or by /, not by both'],
  ['warmup:steps=5,until=5+cosine', 'until=… only where another part follows after a /'],
  ['warmup:steps=5/cosine:until=9', 'no until in the last part, cosine'],
  [
    'warmup:steps=5/cosine:every=epoch',
    'parts joined by / to count alike; warmup counts steps, cosine epochs',
  ],
  ['cosine:until=5/warmup:steps=3', 'parts joined by / to count alike; cosine counts epochs, warmup steps'],
  ['cosine/step:size=3', 'cosine with until=N, where the next part begins'],
  ['cosine:until=5/step:size=1,until=5/cosine', 'step’s until to be above 5, where it begins'],
  ['cosine:until=0/cosine', 'cosine’s until to be a whole number of at least 1'],
  ['warmup:epochs=2/plateau', 'plateau alone or joined by +, not by /'],
  ['one-cycle:for=5,until=6/cosine', 'one-cycle’s for to reach to its until'],
])("'%s' is refused", (spec, message) => {
  expect(() => options(spec)).toThrow(
    expect.objectContaining({
      code: 'usage',
      message: expect.stringMatching(/^--schedule: found '[^\n]*', expected [^\n]*$/),
    }),
  );
  expect(() => options(spec)).toThrow(message);
});

test('a cycle shorter than the run is refused', () => {
  expect(() => makeSchedule('one-cycle:for=999', run)).toThrow(
    "--schedule: found 'one-cycle:for=999', expected a one-cycle that is as long as the run: 1000 steps, 10 epochs",
  );
});

describe('whatever is accepted', () => {
  test('makes a schedule for a run of any length', () => {
    const specs = meant.map(([spec]) => spec).filter((spec) => !spec.includes('for=2000'));
    const length = fc.record({
      epochs: fc.integer({ min: 1, max: 1e6 }),
      stepsPerEpoch: fc.integer({ min: 1, max: 1e6 }),
      lr: fc.constant(0.1),
    });
    fc.assert(
      fc.property(
        fc.constantFrom(...specs),
        length,
        fc.double({ min: 0, max: 1, noNaN: true }),
        (spec, of, at) => {
          const steps = Math.floor(at * (of.epochs * of.stepsPerEpoch - 1));
          const epochs = Math.floor(steps / of.stepsPerEpoch);
          const lr = makeSchedule(spec, of).lr({ steps, epochs }, of.lr);
          expect(lr).toBeGreaterThanOrEqual(0);
          expect(lr).toBeLessThanOrEqual(0.2 + 1e-12);
        },
      ),
    );
  });

  test('and what is not ends in one line, whatever it is', () => {
    const piece = fc.constantFrom(
      ...names,
      ...Object.values(kinds).flatMap(({ keys }) => keys),
      ...[':', '=', ',', '+', '/', '1', '0.5', 'step', 'epoch', 'until', ' ', '\u0000', '__proto__'],
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        try {
          options(pieces.join(''));
        } catch (error) {
          expect(error).toMatchObject({
            code: 'usage',
            message: expect.stringMatching(/^--schedule: [^\n]*$/),
          });
        }
      }),
      { numRuns: 2000 },
    );
  });
});

test('the help names every kind and every key, and its examples are accepted', () => {
  for (const [name, { keys }] of Object.entries(kinds)) {
    expect(scheduleHelp).toContain(`  ${name}:`);
    for (const key of keys) expect(scheduleHelp, `${key} of ${name}`).toMatch(new RegExp(`\\b${key}\\b`));
  }
  const specs = [...scheduleHelp.matchAll(/^ {2}([a-z-]+:\S+)/gm)].map((match) => match[1] as string);
  expect(specs.length).toBe(names.length);
  for (const spec of specs) expect(options(spec).schedule).toBe(spec);
});
