// The trainer: a model, a loss and an optimizer on one device, with PyTorch's verbs and a ready-made loop.
// Owns the parameters and what is recorded of them; the caller owns the device and the data.

import type { Batch } from '../data/dataset.ts';
import type { DataLoader } from '../data/loader.ts';
import { HeddleError } from '../errors.ts';
import type { Device } from '../gpu/device.ts';
import type { DispatchDescription } from '../gpu/plan.ts';
import type { DispatchProfile } from '../gpu/profiler.ts';
import { read } from '../gpu/readback.ts';
import { view } from '../gpu/tensor.ts';
import { decodeCheckpoint, decodeWeights, encodeCheckpoint } from '../io/checkpoint.ts';
import { encodeSafetensors } from '../io/safetensors.ts';
import type { ArraysByKey, KnownKeys } from '../nn/keys.ts';
import { checkSize } from '../nn/layer.ts';
import type { Optimizer } from '../optim/optimizer.ts';
import { createArenas, type LoadResult, type Source } from './arenas.ts';
import { applyState, newCourse, refuseOther, stateOf } from './course.ts';
import { type Diagnosis, diagnoseStep } from './diagnose.ts';
import type { Evaluation, TrainEvent } from './events.ts';
import { type InputSpec, inputSpec } from './feed.ts';
import { type FitOptions, trainEpochs } from './fit.ts';
import { type Job, stepUsesGradientsUp } from './plans.ts';
import { createSession, createSessionNow, type Session } from './session.ts';
import { settingsOf, type TrainerOptions } from './trainer-options.ts';

/** What a step consists of, for people. */
export interface StepDescription {
  readonly dispatches: readonly DispatchDescription[];
  /** Bytes alive on the device. */
  readonly bytes: number;
}

/** Options of what looks at a loader's data and trains on none of it. */
export interface LookOptions {
  /** Ends it within two chunks of batches; its reason is what is then thrown. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A model being trained. `destroy` it when done; the device stays open. `Parameters` and `Buffers` are those of the
 * model's keys that its type says.
 */
export interface Trainer<Parameters extends string = never, Buffers extends string = never> {
  readonly optimizer: Optimizer;
  readonly parameterCount: number;
  /** Optimizer steps done. */
  readonly steps: number;
  /** Epochs that `fit` has done, validation included. */
  readonly epochs: number;
  /**
   * Trains for some epochs; yields events as they happen. At its `epoch` and `checkpoint` events the trainer is at rest:
   * `evaluate`, `losses` and `logits` may be called. Give their loader a generator of its own: another one's epoch draws
   * from the default generator, and a shuffled training then goes on in another order. Throws `diverged` when a loss,
   * gradient or parameter is not finite.
   */
  fit(train: DataLoader, options: FitOptions): AsyncGenerator<TrainEvent, void, void>;
  /** Loss, accuracy and confusion counts over a loader's data; the weights stay as they are. */
  evaluate(loader: DataLoader, options?: LookOptions): Promise<Evaluation>;
  /**
   * The loss of every row of a loader's data, in the order of its epoch 0, as PyTorch's reduction 'none' gives it; of losses
   * that compare element by element the mean over a row's elements. The weights stay as they are. NaN where a row's model
   * output, or its loss, is not finite.
   */
  losses(loader: DataLoader, options?: LookOptions): Promise<Float32Array>;
  /**
   * What the model gives for every row of a loader's data, in evaluation form: the logits of a classifier. [rows, …output],
   * row-major, in the order of the loader's epoch 0. The targets are not looked at; the weights stay as they are.
   */
  logits(loader: DataLoader, options?: LookOptions): Promise<Float32Array>;
  /** Forward, loss, gradients and update for one batch. Returns when submitted, not when done. */
  step(batch: Batch): void;
  /** Sets all gradients to 0. */
  zeroGrad(): void;
  /**
   * Forward, loss and gradients for one batch; the gradients are added to those that are there. `scale` multiplies loss and
   * gradients: with 1 / k, k batches of n rows give the gradients of the mean over all k·n.
   */
  backward(batch: Batch, options?: { readonly scale?: number }): void;
  /** Updates the parameters from the gradients. */
  optimizerStep(): void;
  /**
   * Loss of the last batch given to `step` or `backward`, a mean unless the loss sums; NaN when it, or a gradient or
   * parameter that an update has met since, is not finite.
   */
  loss(): Promise<number>;
  /** Parameters by PyTorch key, row-major; without buffers. */
  parameters(): Promise<ArraysByKey<Parameters>>;
  /** Parameters and buffers (running statistics) by PyTorch key, as `state_dict`. */
  state(): Promise<ArraysByKey<Parameters | Buffers>>;
  /**
   * Gradients by PyTorch key, row-major. Throws a HeddleError `usage` after a `step` or `fit` that used its gradients up:
   * see `keepGradients`.
   */
  gradients(): Promise<ArraysByKey<Parameters>>;
  /** What the optimizer keeps of each trained parameter, row-major, by key and PyTorch's name: `0.weight.exp_avg`. */
  optimizerState(): Promise<Map<string, Float32Array>>;
  /**
   * Replaces what the optimizer keeps, and says how many steps went into it: as `optimizerState` and `steps` were. Throws a
   * HeddleError listing every difference when it does not fit; nothing is half-loaded.
   */
  loadOptimizerState(state: Source, options: { readonly steps: number }): void;
  /** Parameters and buffers as the bytes of a safetensors file. */
  save(): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Replaces all parameters, and all buffers unless the source has none: a map, or the bytes of a safetensors file, which may
   * be a checkpoint. Throws a HeddleError listing every difference when they do not fit; nothing is half-loaded. With
   * `partial`, loads what fits, and says what does not.
   */
  load(source: Source | Uint8Array, options?: { readonly partial?: boolean }): Promise<LoadResult>;
  /**
   * All that training goes on from, bit for bit, as the bytes of a safetensors file: parameters and buffers under their keys,
   * what the optimizer keeps, its hyper-parameters, steps, epochs and the place within one, and the state of the generator
   * and of the schedule that `fit` used. `notes` are kept beside it. The place to call it in a fit is at its `epoch` and
   * `checkpoint` events: elsewhere it holds steps whose losses nobody has looked at yet.
   */
  checkpoint(notes?: ReadonlyMap<string, string>): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Goes on from a checkpoint of the same model and optimizer: the next `fit`, with loaders and a schedule made as those
   * were, does what would have come next. Returns the notes. Throws a HeddleError when it does not fit; nothing is half-loaded.
   */
  restore(checkpoint: Uint8Array): Promise<ReadonlyMap<string, string>>;
  /**
   * What is not finite around a step that `fit` threw `diverged` for (its error has the `step`): restore a checkpoint of
   * before it, and give the same loaders and options. Does the steps in between again, and that one's forward and backward:
   * restore a checkpoint before training on.
   */
  diagnose(step: number, train: DataLoader, options: FitOptions): Promise<Diagnosis>;
  /** The recorded training step. Needs `input` to have been given, or a batch to have come. */
  describe(): StepDescription;
  /**
   * GPU seconds of each dispatch of the recorded step, in its order: the median of `repeats` replays (default 20) on the
   * rows that came last, or on zeros, with their spread. Parameters, buffers and what the optimizer keeps stay as they are;
   * gradients and loss become those of the replays. Open the device with `exactTimestamps` for times below some 65 µs.
   * Throws a HeddleError `usage` when nothing is recorded yet, `gpu` where the adapter has no timestamps.
   */
  profile(options?: { readonly repeats?: number }): Promise<DispatchProfile[]>;
  /** Frees all that it has on the device. Harmless when done before. */
  destroy(): void;
}

/** Arrays of all of a model's keys, which is what `ArraysByKey` says. */
const byKey = (arrays: readonly (readonly [string, Float32Array])[]) =>
  new Map(arrays) as ArraysByKey<string>;

/** Puts a model on a device, ready to train. Throws a HeddleError when it does not fit there. */
export async function createTrainer<
  Parameters extends string,
  Buffers extends string,
  const Prefix extends string = '',
>(
  device: Device,
  given: TrainerOptions<Parameters, Buffers, Prefix>,
): Promise<Trainer<KnownKeys<`${Prefix}${Parameters}`>, KnownKeys<`${Prefix}${Buffers}`>>> {
  const options = given as TrainerOptions; // below, keys are strings like others
  const { optimizer, batchSize } = options;
  const settings = settingsOf(options); // refuses before anything is allocated
  const arenas = createArenas(device, options);
  const job: Job = { ...settings, arenas };
  const sessions = new Map<string, Session>();
  let last: Session | undefined;
  const course = newCourse();
  /** What uses the rings, which is one at a time. At rest a `fit` stands at an event, and lets others look. */
  let state: 'idle' | 'training' | 'at rest' | 'looking' = 'idle';
  let look: Promise<unknown> = Promise.resolve(); // the last
  let usedUp = false; // the gradients of the last step
  let destroyed = false;

  const alive = () => {
    if (destroyed)
      throw new HeddleError('destroyed', 'this trainer was destroyed: make a new one with createTrainer()');
    device.check();
  };
  const busy = () => new HeddleError('usage', 'this trainer is busy: finish its fit or evaluate first');
  const claim = () => {
    alive();
    if (state !== 'idle') throw busy();
  };
  /** Does what leaves the weights as they are. */
  const looking = async <T>(work: () => Promise<T>): Promise<T> => {
    alive();
    if (state !== 'idle' && state !== 'at rest') throw busy();
    const before = state;
    state = 'looking';
    const made = work().finally(() => {
      state = before;
    });
    look = made.catch(() => undefined);
    return made;
  };
  const known = (spec: InputSpec) => sessions.get(JSON.stringify(spec));
  const keep = (spec: InputSpec, session: Session): Session => {
    sessions.set(JSON.stringify(spec), session);
    last = session;
    return session;
  };
  const sessionFor = async (loader: DataLoader): Promise<Session> => {
    const { classes, name } = loader.dataset;
    const spec: InputSpec = loader.kind;
    const session = known(spec) ?? keep(spec, await createSession(device, job, spec, batchSize));
    if (session.classes !== undefined && classes.length > session.classes) {
      throw new HeddleError(
        'shape',
        `${name} has ${classes.length} classes; the model tells ${session.classes} apart`,
      );
    }
    if (loader.batchSize > batchSize) {
      throw new HeddleError(
        'shape',
        `a loader with batchSize ${loader.batchSize}: this trainer takes at most ${batchSize}`,
      );
    }
    return session;
  };
  const submit = (batch: Batch, planOf: (session: Session) => Session['stepPlan'], scale = 1) => {
    claim();
    const { rows, inputs, targetShape = [] } = batch;
    // A batch does not carry its rows' shape: take that of the session in use, else rows are flat.
    const spec = last?.feed.spec ?? options.input ?? inputSpec(batch, [inputs.length / rows], targetShape);
    const session = known(spec) ?? keep(spec, createSessionNow(device, job, spec, batchSize));
    session.feed.write(0, batch, { number: course.steps + 1, draw: course.draws + 1, scale });
    session.scheduler.runNow(planOf(session));
    course.draws++;
  };
  const isLooked = () => state === 'looking';
  const readBack = async (arena: 'value' | 'gradient') => {
    alive();
    const tensors = await arenas.readBack(arena);
    return byKey([...tensors].map(([key, { data }]) => [key, data]));
  };

  const trainer: Trainer<string, string> = {
    optimizer,
    parameterCount: arenas.parameterCount,
    get steps() {
      return course.steps;
    },
    get epochs() {
      return course.epochs;
    },
    async *fit(train, fitOptions) {
      claim();
      state = 'training';
      try {
        const session = await sessionFor(train);
        if (fitOptions.validate !== undefined) await sessionFor(fitOptions.validate);
        usedUp = stepUsesGradientsUp(job);
        for await (const event of trainEpochs(session, optimizer, train, fitOptions, sessionFor, course)) {
          if (event.type === 'epoch' || event.type === 'checkpoint') state = 'at rest';
          yield event;
          while (isLooked()) await look; // without an await where nobody looks: somebody might begin in it
          state = 'training';
        }
      } finally {
        while (isLooked()) await look;
        state = 'idle';
      }
    },
    evaluate: (loader, { signal } = {}) =>
      looking(async () => {
        const session = await sessionFor(loader);
        const progress = session.evaluate(loader, course.epochs + 1, signal);
        let next = await progress.next();
        while (next.done !== true) next = await progress.next();
        if (next.value === undefined) signal?.throwIfAborted();
        return next.value as Evaluation;
      }),
    losses: (loader, { signal } = {}) =>
      looking(async () => (await sessionFor(loader)).losses(loader, signal)),
    logits: (loader, { signal } = {}) =>
      looking(async () => (await sessionFor(loader)).outputs(loader, signal)),
    step(batch) {
      submit(batch, (session) => session.stepPlan);
      usedUp = stepUsesGradientsUp(job);
      course.steps++;
    },
    backward(batch, { scale = 1 } = {}) {
      if (!Number.isFinite(scale))
        throw new HeddleError('usage', `backward: scale ${scale}: expected a finite number`);
      submit(batch, (session) => session.accumulatePlan(), scale);
      usedUp = false;
    },
    zeroGrad() {
      claim();
      usedUp = false;
      const encoder = device.gpu.createCommandEncoder({ label: 'zero_grad' });
      encoder.clearBuffer(arenas.gradient.storage.buffer as GPUBuffer);
      device.gpu.queue.submit([encoder.finish()]);
    },
    optimizerStep() {
      claim();
      if (last === undefined)
        throw new HeddleError('usage', 'optimizerStep: no gradients yet; call backward(batch) first');
      last.feed.writeStep(0, { rows: 0, scale: 0, number: course.steps + 1 });
      last.scheduler.runNow(last.optimizerPlan());
      course.steps++;
    },
    async loss() {
      alive();
      if (last === undefined)
        throw new HeddleError('usage', 'loss: no batch yet; call step(batch) or backward(batch) first');
      const { results } = last.feed;
      return new Float32Array(await read(device, view(results.storage, results.label, [1])))[0] as number;
    },
    async parameters() {
      const all = await readBack('value');
      return byKey(arenas.parameterKeys.map((key) => [key, all.get(key)]));
    },
    state: () => readBack('value'),
    async gradients() {
      alive();
      if (usedUp)
        throw new HeddleError(
          'usage',
          'gradients: step and fit use their gradients up as they make them. Call backward(batch) first, or give ' +
            'createTrainer the option keepGradients: true',
        );
      return readBack('gradient');
    },
    async optimizerState() {
      alive();
      return new Map([...(await arenas.readState())].map(([key, { data }]) => [key, data]));
    },
    loadOptimizerState(state, { steps: done }) {
      claim();
      if (!Number.isSafeInteger(done) || done < 0)
        throw new HeddleError('usage', `loadOptimizerState: steps ${done}: expected a whole number ≥ 0`);
      arenas.writeState(state);
      course.steps = done;
    },
    async save() {
      alive();
      return encodeSafetensors(await arenas.readBack('value'));
    },
    async load(source, loading) {
      claim();
      return arenas.write(source instanceof Uint8Array ? decodeWeights(source) : source, loading);
    },
    async checkpoint(notes = new Map()) {
      alive();
      const state = stateOf(course, optimizer, job.seed); // now: a step may be submitted meanwhile
      const [weights, kept] = await Promise.all([arenas.readBack('value'), arenas.readState()]);
      return encodeCheckpoint({ weights, optimizer: kept, state, notes });
    },
    async restore(file) {
      claim();
      const { weights, optimizer: kept, state, notes } = decodeCheckpoint(file);
      refuseOther(state, optimizer, job.seed);
      arenas.writeBoth(weights, kept);
      applyState(course, optimizer, state);
      return notes;
    },
    diagnose: (step, train, fitOptions) => diagnoseStep(trainer, course, step, train, fitOptions),
    describe() {
      alive();
      if (last === undefined)
        throw new HeddleError(
          'usage',
          'describe: nothing recorded yet; give createTrainer the option `input`',
        );
      return { dispatches: last.stepPlan.dispatches, bytes: device.bytes };
    },
    async profile({ repeats = 20 } = {}) {
      claim();
      checkSize('profile: repeats', repeats);
      if (last === undefined)
        throw new HeddleError(
          'usage',
          'profile: nothing recorded yet; give createTrainer the option `input`',
        );
      state = 'training';
      try {
        usedUp = stepUsesGradientsUp(job);
        const restore = arenas.keep();
        try {
          return await last.profile(repeats);
        } finally {
          restore();
        }
      } finally {
        state = 'idle';
      }
    },
    destroy() {
      if (destroyed) return;
      destroyed = true;
      for (const session of sessions.values()) session.destroy();
      arenas.destroy();
    },
  };
  try {
    if (options.input !== undefined)
      keep(options.input, await createSession(device, job, options.input, batchSize));
  } catch (error) {
    trainer.destroy();
    throw error;
  }
  return trainer;
}
