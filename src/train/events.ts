// The events of a training run: plain, JSON-able objects. What prints, plots or stores them lives elsewhere.

/** The loss of one logged step. Arrives a few steps after the step itself; `step` says whose loss it is. */
export interface StepEvent {
  readonly type: 'step';
  /** Epoch, from 1. */
  readonly epoch: number;
  /** Optimizer steps done in this run including this one, from 1. */
  readonly step: number;
  /** Samples of this epoch seen up to and including this step. */
  readonly samples: number;
  /** The batch's loss, a mean unless the loss sums, before the step's update. */
  readonly loss: number;
  /** Learning rate used by this step. */
  readonly lr: number;
}

/** Where a run stands; for a progress bar. Emitted when a chunk of steps has finished. */
export interface ProgressEvent {
  readonly type: 'progress';
  readonly phase: 'train' | 'validate';
  readonly epoch: number;
  /** Batches done in this phase of this epoch, and how many there are. */
  readonly batch: number;
  readonly batches: number;
  /** The newest batch loss that has come back. */
  readonly loss: number;
  /** Rate since the phase began, in samples a second. */
  readonly samplesPerSecond: number;
  /** Of training: the losses of the chunk's steps, the number of the first of them, the learning rate of the last. */
  readonly steps?: { readonly first: number; readonly losses: readonly number[]; readonly lr: number };
}

/** The result of evaluating a data set. */
export interface Evaluation {
  /** Mean over the batches of the batches' losses, as PyTorch's tutorial computes it. */
  readonly loss: number;
  /** Share of rows whose largest logit is the target class, 0…1; NaN where targets are real values. */
  readonly accuracy: number;
  /** `confusion[target][predicted]`: row counts; empty where targets are real values. */
  readonly confusion: readonly (readonly number[])[];
  /**
   * How many rows have so many logits above the target's (or equal to it, of a class before): `ranks[0]` rows are right,
   * `ranks[0] + … + ranks[k - 1]` are right among the first k. See `topKAccuracy`.
   */
  readonly ranks: readonly number[];
}

/** An epoch has ended (and its validation, where one was asked for). */
export interface EpochEvent {
  readonly type: 'epoch';
  readonly epoch: number;
  /** Training time of the epoch in seconds, without evaluation. */
  readonly seconds: number;
  readonly samplesPerSecond: number;
  /** Mean over the epoch's batches of their losses. */
  readonly train: { readonly loss: number };
  readonly validation?: Evaluation;
}

/**
 * Every step so far is done, and was found finite: `trainer.checkpoint()` now gives a state to come back to. Emitted every
 * `checkpointEvery` steps; an `epoch` event says the same of the epoch's end.
 */
export interface CheckpointEvent {
  readonly type: 'checkpoint';
  readonly epoch: number;
  /** Optimizer steps done, from 1. */
  readonly step: number;
}

/** The run has ended. */
export interface DoneEvent {
  readonly type: 'done';
  readonly steps: number;
  readonly seconds: number;
  /** Median training time of a step over the run, warm-up left out. */
  readonly secondsPerStep: number;
}

/** What `trainer.fit` yields. */
export type TrainEvent = StepEvent | ProgressEvent | CheckpointEvent | EpochEvent | DoneEvent;
