// One training of the page: a loop that fits an epoch, or less, at a time, and in between rests, answers what needs the
// trainer at rest, and goes on from its last checkpoint where a device was lost. It is driven by the GPU's promises alone: no
// timers, which browsers hold back in tabs that nobody sees.

import { messageOf } from '../../errors.ts';
import { type Device, decodeWeights, HeddleError, type NamedTensor } from '../../index.ts';
import type { Judgement } from '../../recipes/judge.ts';
import type { Message, Settings, Status } from '../../recipes/protocol.ts';
import { observe } from '../../recipes/standing.ts';
import { count } from '../../recipes/units.ts';
import type { Data } from './data.ts';
import { createKeep, explain, type Keep } from './keep.ts';
import { createReport, type Report } from './report.ts';
import { dataFor, factsOf, type Plan, type Setup, setUp } from './setup.ts';
import { errorMessage } from './trouble.ts';

/** What a run works with. */
export interface Surroundings {
  readonly tell: (message: Message) => void;
  readonly load: (dataset: Settings['dataset']) => Promise<Data>;
  /** Opens the device, or gives the one that is open and well. */
  readonly open: () => Promise<Device>;
}

/** See `createRun`. Its verbs return at once. */
export interface Run {
  pause(): void;
  goOn(): void;
  step(): void;
  stop(): void;
  setRate(lr: number): void;
  /** Ends it and frees what it has on the device; resolves when that is done. */
  close(): Promise<void>;
  /** Whether it trains, or will. */
  readonly busy: boolean;
  /** Undefined while there is no model yet. Its trainer is gone after a failure that nothing goes on from. */
  readonly setup: Setup | undefined;
  readonly keep: Keep;
  readonly report: Report;
  /** What it makes of the test set as of the last epoch. */
  judgement(): Promise<Judgement>;
  /** Weights and buffers as they are now; the last that were kept, where the device is lost. */
  weights(): Promise<ReadonlyMap<string, NamedTensor>>;
  /** Does something with the trainer at rest; the training goes on behind it. */
  atRest<T>(act: (setup: Setup) => Promise<T>): Promise<T>;
}

/** Losses of the device in a row, without a checkpoint between them, after which a run gives up. */
const mostLosses = 3;

interface Job {
  act(setup: Setup): Promise<void>;
  refuse(error: unknown): void;
}

/** Begins a training once `ready`, and keeps it until it is closed. Whatever happens, it is told, and nothing is thrown. */
export function createRun(plan: Plan, { tell, load, open }: Surroundings, ready: Promise<unknown>): Run {
  const { settings } = plan;
  const keep = createKeep();
  const report = createReport(tell, settings, settings.batchSize);
  const ending = new AbortController();
  let setup: Setup | undefined;
  let alive = false; // whether its trainer is
  let judgement: Judgement | undefined;
  let fetched:
    | { readonly steps: number; readonly map: Promise<ReadonlyMap<string, NamedTensor>> }
    | undefined;
  let paused = false;
  let pending = 0; // single steps to do
  let over: Status | undefined; // it trains no more, and this is how it ended
  let rate: number | undefined; // the learning rate that was set since the start
  let current: AbortController | undefined; // of the fit that runs
  let wake = () => {};
  const jobs: Job[] = [];
  const rouse = () => {
    current?.abort();
    wake();
  };
  const ends = new Promise<never>((_, reject) => {
    ending.signal.addEventListener('abort', () => reject(ending.signal.reason));
  });
  ends.catch(() => undefined); // where nobody waits

  /** Opens the device and makes the trainer, as it began or as it was last kept. */
  const make = async (): Promise<Setup> => {
    const again = keep.saved?.bytes;
    if (again === undefined) report.say('loading', 'opening the GPU');
    const device = await open();
    device.gpu.lost.then(() => wake());
    if (again === undefined) report.say('loading', `getting the data set ${settings.dataset}`);
    const data = await dataFor(plan, await Promise.race([load(settings.dataset), ends]));
    report.say('compiling', 'compiling the kernels');
    const made = await setUp(plan, device, data);
    const { trainer } = made;
    try {
      made.device.observe = report.observe;
      const from = again ?? plan.checkpoint?.bytes;
      if (from !== undefined) await keep.goBack(made, from);
      else if (plan.weights !== undefined) {
        await trainer.load(plan.weights);
        tell({ type: 'notice', text: 'the file has weights alone: training begins with them' });
      }
      if (rate !== undefined) trainer.optimizer.lr = rate;
      if (again === undefined) {
        report.startFrom(trainer.steps, keep.standing.epochs);
        tell({ type: 'run', run: factsOf(made) });
        await keep.save(made);
      }
      return made;
    } catch (error) {
      trainer.destroy();
      throw error;
    }
  };

  const judgeNow = async (own: Setup): Promise<Judgement> => {
    judgement = await report.judge(own);
    return judgement;
  };

  /** Trains to the end of the epoch, or for one step, or until somebody interrupts. */
  const train = async (own: Setup) => {
    const { trainer, validate } = own;
    const [steps, epochs] = [trainer.steps, keep.standing.epochs];
    const single = paused;
    current = new AbortController();
    report.begin();
    try {
      const fitOptions = { epochs: 1, validate, logEvery: 1, signal: current.signal };
      for await (const event of trainer.fit(own.train, { ...fitOptions, ...(single && { steps: 1 }) })) {
        if (event.type === 'step') report.step(event);
        else if (event.type === 'progress') report.progress(own, event);
        else if (event.type === 'epoch') {
          observe(keep.standing, event);
          report.epoch(event, trainer.steps);
          await keep.save(own);
        }
      }
    } finally {
      current = undefined;
      report.flush();
    }
    if (single) pending = Math.max(0, pending - (trainer.steps - steps));
    if (keep.standing.epochs > epochs) await judgeNow(own);
  };

  /** Tells that it rests, and keeps what a lost device would take. */
  const settle = async (own: Setup) => {
    const done = `all ${count(settings.epochs)} epochs are done`;
    const status = over ?? 'paused';
    report.say(status, over === 'done' ? done : `${status} after ${count(own.trainer.steps)} steps`);
    await keep.save(own);
    void report.showFilters(own);
  };

  /** The work of a run that is set up; returns when it is closed. Throws what the trainer throws. */
  const work = async (own: Setup) => {
    while (!ending.signal.aborted) {
      own.device.check();
      const job = jobs.shift();
      if (job !== undefined) {
        await job.act(own);
        continue;
      }
      if (over === undefined && keep.standing.epochs >= settings.epochs) {
        over = 'done';
        if (judgement === undefined) await judgeNow(own);
      }
      if (over === undefined && (!paused || pending > 0)) {
        await train(own);
        continue;
      }
      pending = 0;
      // Made before it settles: who rouses it meanwhile is not missed.
      const roused = new Promise<void>((resolve) => {
        wake = resolve;
      });
      await settle(own);
      if (jobs.length === 0 && !ending.signal.aborted) await roused;
    }
  };

  const fail = (error: unknown) => {
    over = 'failed';
    tell(errorMessage(error));
    report.say('failed', messageOf(error));
  };
  const discard = () => {
    if (alive) setup?.trainer.destroy();
    alive = false;
    fetched = undefined;
  };

  const live = async () => {
    const losses = { count: 0, at: -1 };
    while (!ending.signal.aborted) {
      try {
        if (!alive) setup = await make();
        alive = true;
        await work(setup as Setup);
      } catch (error) {
        if (ending.signal.aborted) return;
        const { saved } = keep;
        const code = error instanceof HeddleError ? error.code : undefined;
        if (code === 'diverged' && alive) {
          current = new AbortController();
          fail(await explain(setup as Setup, keep, error as HeddleError, current.signal));
          current = undefined;
          continue;
        }
        discard();
        if (code === 'device-lost' && saved !== undefined) {
          if (saved.steps > losses.at) Object.assign(losses, { count: 0, at: saved.steps });
          if (++losses.count < mostLosses) {
            const goesOn = `opening it again, to go on after step ${count(saved.steps)}`;
            tell({ type: 'notice', text: `${messageOf(error)}; ${goesOn}` });
            continue;
          }
        }
        fail(error);
        return;
      }
    }
  };

  const noModel = () =>
    new HeddleError('usage', 'there is no model yet, or any more: start a training first');
  const ended = ready
    .then(live)
    .catch(fail)
    .finally(() => {
      discard();
      over ??= 'stopped';
      for (const { refuse } of jobs.splice(0)) refuse(noModel());
    });

  return {
    pause() {
      if (over !== undefined || paused) return;
      paused = true;
      rouse();
    },
    goOn() {
      if (over !== undefined || !paused) return;
      paused = false;
      pending = 0;
      rouse();
    },
    step() {
      if (over !== undefined || !paused) return;
      pending++;
      wake();
    },
    stop() {
      if (over !== undefined) return;
      over = 'stopped';
      if (keep.saved === undefined) {
        report.say('stopped', 'stopped before it began');
        ending.abort(new Error('stopped'));
      }
      rouse();
    },
    setRate(lr) {
      rate = lr;
      if (alive && setup !== undefined) setup.trainer.optimizer.lr = lr;
    },
    close() {
      ending.abort(new Error('closed'));
      rouse();
      return ended;
    },
    get busy() {
      return over === undefined;
    },
    get setup() {
      return setup;
    },
    keep,
    report,
    async judgement() {
      return judgement ?? this.atRest(async (own) => judgement ?? (await judgeNow(own)));
    },
    async weights() {
      const { saved } = keep;
      const trainer = alive ? setup?.trainer : undefined;
      if (trainer === undefined) {
        if (saved === undefined) throw noModel();
        return decodeWeights(saved.bytes);
      }
      if (fetched?.steps !== trainer.steps)
        fetched = { steps: trainer.steps, map: trainer.save().then((file) => decodeWeights(file)) };
      try {
        return await fetched.map;
      } catch (error) {
        fetched = undefined;
        if (saved === undefined) throw error;
        return decodeWeights(saved.bytes);
      }
    },
    atRest: (act) =>
      new Promise((resolve, reject) => {
        if (ending.signal.aborted || (over !== undefined && !alive)) {
          reject(noModel());
          return;
        }
        const job: Job = {
          act: (own) => act(own).then(resolve, reject),
          refuse: reject,
        };
        jobs.push(job);
        rouse();
      }),
  };
}
