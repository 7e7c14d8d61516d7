// What the page knows, and how each message changes it: `state = reduce(state, message)`, without side effects.

import type { Evaluation } from '../index.ts';
import type { Judged, KernelTime, Message, RunFacts, Settings, Status, Tiles } from '../recipes/protocol.ts';
import { append, emptySeries, type Series } from './series.ts';

/** An epoch's end. */
export interface EpochResult {
  readonly epoch: number;
  readonly step: number;
  readonly trainLoss: number;
  readonly seconds: number;
  readonly validation: Evaluation;
}

/** A training, the one that goes on or one before it. */
export interface Run {
  /** From 1. */
  readonly id: number;
  readonly facts: RunFacts;
  readonly loss: Series;
  readonly epochs: readonly EpochResult[];
  readonly shown: boolean;
  readonly lr: number;
}

/** Where the training stands. */
export interface Progress {
  readonly step: number;
  readonly epoch: number;
  readonly batch: number;
  readonly batches: number;
  readonly samplesPerSecond: number;
  readonly secondsPerStep: number;
}

export interface Download {
  readonly file: string;
  readonly received: number;
  readonly total?: number;
}

export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly todo: string;
}

/** What can be asked, by what its answer is called. */
export type Question = 'prediction' | 'activations' | 'cell' | 'file' | 'kernels';

/** A cell of the confusion matrix whose images are looked at. */
export interface Cell {
  readonly target: number;
  readonly predicted: number;
  /** Missing until they are here. */
  readonly images?: readonly Judged[];
}

export interface State {
  readonly status: Status;
  readonly text: string;
  readonly settings: Settings;
  /** The newest last. */
  readonly runs: readonly Run[];
  /** Whether the newest run's model is still there to be asked. */
  readonly live: boolean;
  readonly bytes: number;
  readonly progress?: Progress;
  readonly downloads: readonly Download[];
  readonly mistakes: readonly Judged[];
  readonly filters?: Tiles;
  readonly cell?: Cell;
  readonly activations?: { readonly judged: Judged; readonly layers: readonly Tiles[] };
  readonly probabilities?: readonly number[];
  readonly kernels?: readonly KernelTime[];
  readonly notices: readonly string[];
  readonly failure?: Failure;
  /** Numbers of the newest questions that have no answer yet. */
  readonly pending: Partial<Readonly<Record<Question, number>>>;
  /** Why the newest question of a kind got none. */
  readonly refused: Partial<Readonly<Record<Question, string>>>;
}

/** What the page itself does. */
export type Action =
  | { readonly type: 'settings'; readonly settings: Settings }
  | { readonly type: 'asked'; readonly question: Question; readonly ask: number }
  | { readonly type: 'cell-asked'; readonly target: number; readonly predicted: number }
  | { readonly type: 'cell-closed' }
  | { readonly type: 'run-shown'; readonly id: number; readonly shown: boolean }
  | { readonly type: 'run-removed'; readonly id: number }
  | { readonly type: 'notice-dismissed'; readonly text: string }
  | { readonly type: 'failure-dismissed' }
  /** A new training was asked for, or everything was freed: what belongs to the old model goes, its curve stays. */
  | { readonly type: 'model-gone' };

/** So many curves fit one chart and its palette. */
const mostRuns = 8;

export const initialState = (settings: Settings): State => ({
  status: 'idle',
  text: '',
  settings,
  runs: [],
  live: false,
  bytes: 0,
  downloads: [],
  mistakes: [],
  notices: [],
  pending: {},
  refused: {},
});

/** The newest run. */
export const currentRun = ({ runs }: State): Run | undefined => runs.at(-1);

/** A run's newest evaluation. */
export const latestEpoch = (run: Run | undefined): EpochResult | undefined => run?.epochs.at(-1);

const busy: readonly Status[] = ['loading', 'compiling', 'training', 'evaluating'];
/** Whether a training goes on, or is about to. */
export const isBusy = ({ status }: State) => busy.includes(status);
/** Whether a training can be stopped. */
export const isRunning = (state: State) => isBusy(state) || state.status === 'paused';

/** The state after a message or an action. */
export function reduce(state: State, message: Message | Action): State {
  switch (message.type) {
    case 'status':
      return { ...state, status: message.status, text: message.text };
    case 'download':
      return { ...state, downloads: downloaded(state.downloads, message) };
    case 'run':
      return begun(state, message.run);
    case 'steps':
      return stepped(state, message);
    case 'epoch':
      return changeRun(state, (run) => ({
        ...run,
        epochs: [...run.epochs.filter(({ epoch }) => epoch < message.epoch), message],
      }));
    case 'mistakes':
      return { ...state, mistakes: message.mistakes };
    case 'filters':
      return { ...state, filters: message.filters };
    case 'bytes':
      return { ...state, bytes: message.bytes };
    case 'notice':
      return { ...state, notices: [...state.notices.filter((text) => text !== message.text), message.text] };
    case 'error': {
      const { code, message: text, todo } = message;
      return { ...state, status: 'failed', text: '', failure: { code, message: text, todo }, pending: {} };
    }
    case 'settings':
      return { ...state, settings: message.settings };
    case 'run-shown':
      return {
        ...state,
        runs: state.runs.map((run) => (run.id === message.id ? { ...run, shown: message.shown } : run)),
      };
    case 'run-removed':
      // The newest one is what everything else on the page is about, while its model is there.
      if (state.live && currentRun(state)?.id === message.id) return state;
      return { ...state, runs: state.runs.filter(({ id }) => id !== message.id) };
    case 'notice-dismissed':
      return { ...state, notices: state.notices.filter((text) => text !== message.text) };
    case 'failure-dismissed': {
      const { failure, ...rest } = state;
      return { ...rest, status: state.status === 'failed' ? 'idle' : state.status };
    }
    case 'model-gone':
      return withoutModel(state);
    default:
      return answered(state, message);
  }
}

type Answer = Extract<
  Message | Action,
  { type: 'asked' | 'refused' | 'cell-asked' | 'cell-closed' | Question }
>;

function answered(state: State, message: Answer): State {
  if (message.type === 'asked') {
    const { [message.question]: _, ...refused } = state.refused;
    return { ...state, refused, pending: { ...state.pending, [message.question]: message.ask } };
  }
  if (message.type === 'cell-asked') {
    const { target, predicted } = message;
    return { ...state, cell: { target, predicted } };
  }
  if (message.type === 'cell-closed') {
    const { cell, ...rest } = state;
    return rest;
  }
  const question = (Object.keys(state.pending) as Question[]).find(
    (name) => state.pending[name] === message.ask,
  );
  if (question === undefined) return state; // a newer question was asked since
  const { [question]: _, ...pending } = state.pending;
  const next = { ...state, pending };
  switch (message.type) {
    case 'refused':
      return { ...next, refused: { ...state.refused, [question]: message.message } };
    case 'prediction':
      return { ...next, probabilities: message.probabilities };
    case 'activations':
      return { ...next, activations: { judged: message.judged, layers: message.layers } };
    case 'cell':
      return state.cell === undefined ? next : { ...next, cell: { ...state.cell, images: message.images } };
    case 'kernels':
      return { ...next, kernels: message.times };
    case 'file':
      return next;
  }
}

function changeRun(state: State, change: (run: Run) => Run): State {
  const run = currentRun(state);
  return run === undefined ? state : { ...state, runs: [...state.runs.slice(0, -1), change(run)] };
}

/** A run has begun; one that is watched may be told of again, from its start, after the connection was lost. */
function begun(state: State, facts: RunFacts): State {
  const last = currentRun(state);
  const again =
    last !== undefined &&
    (last.loss.length === 0 || (facts.folder !== undefined && last.facts.folder === facts.folder));
  const before = again ? state.runs.slice(0, -1) : state.runs;
  const id = again ? last.id : Math.max(0, ...state.runs.map((run) => run.id)) + 1;
  const run = { id, facts, loss: emptySeries(), epochs: [], shown: true, lr: facts.settings.lr };
  return {
    ...withoutModel(state),
    runs: [...before, run].slice(-mostRuns),
    live: true,
    bytes: facts.bytes,
    downloads: [],
  };
}

function withoutModel(state: State): State {
  const { progress, filters, cell, activations, probabilities, kernels, failure, ...rest } = state;
  return { ...rest, live: false, bytes: 0, downloads: [], mistakes: [], pending: {}, refused: {} };
}

function stepped(state: State, message: Extract<Message, { type: 'steps' }>): State {
  const last = message.steps.at(-1);
  if (last === undefined) return state;
  const { batch, batches, samplesPerSecond, secondsPerStep } = message;
  const progress = { step: last.step, epoch: last.epoch, batch, batches, samplesPerSecond, secondsPerStep };
  const points = message.steps.map(({ step, loss }) => ({ step, value: loss }));
  const first = points[0]?.step ?? 0;
  return changeRun({ ...state, progress }, (run) => ({
    ...run,
    lr: last.lr,
    loss: append(run.loss, points),
    epochs: run.epochs.some(({ step }) => step >= first)
      ? run.epochs.filter(({ step }) => step < first)
      : run.epochs,
  }));
}

function downloaded(
  downloads: readonly Download[],
  { file, received, total }: Download,
): readonly Download[] {
  const one = { file, received, ...(total === undefined ? {} : { total }) };
  return downloads.some((other) => other.file === file)
    ? downloads.map((other) => (other.file === file ? one : other))
    : [...downloads, one];
}
