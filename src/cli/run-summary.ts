// What there is to say about a run in a line of a list: how it stands, what it was made of, how far and how good it got.
// Pure functions on what run.json and events.jsonl hold.

import * as v from 'valibot';
import { type Log, lastStepOf } from './event-log.ts';

/** What a list needs of run.json; more may be in it, and most may be missing in an older one. */
const record = v.looseObject({
  status: v.string(),
  code: v.exactOptional(v.string()),
  error: v.exactOptional(v.string()),
  started: v.exactOptional(v.string()),
  model: v.string(),
  parameters: v.exactOptional(v.number()),
  adapter: v.exactOptional(v.looseObject({ description: v.string() })),
  dataset: v.exactOptional(v.looseObject({ train: v.number() })),
  options: v.looseObject({
    epochs: v.exactOptional(v.number()),
    batchSize: v.exactOptional(v.number()),
  }),
});

/** A run in a list. */
export interface RunSummary {
  /** Its folder within the folder that was looked through. */
  readonly name: string;
  /** Its folder, as a user would type it. */
  readonly path: string;
  /** `running`, `done`, `interrupted`, `failed`, `diverged`; `stopped` when it should run, and nobody is at work there. */
  readonly status: string;
  /** Why it failed. */
  readonly error?: string;
  /** When it began, as run.json has it. */
  readonly started?: string;
  readonly model: string;
  readonly parameters?: number;
  readonly adapter?: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly epochs: { readonly done: number; readonly asked?: number };
  /** Optimizer steps done, as far as the log tells. */
  readonly steps: number;
  /** The first epoch that had the best accuracy, 0…1. */
  readonly best?: { readonly accuracy: number; readonly epoch: number };
  /** Of the last epoch that ended; before one did, the last step's that was logged. */
  readonly trainLoss?: number;
  /** Of the last epoch's validation. */
  readonly validationLoss?: number;
  readonly secondsPerStep?: number;
}

/** A run in a list, and what it logged. */
export interface ListedRun extends RunSummary {
  readonly log: Log;
}

function bestOf({ epochs }: Log): RunSummary['best'] {
  let best: RunSummary['best'];
  for (const { epoch, validation } of epochs) {
    const accuracy = validation?.accuracy ?? Number.NaN;
    if (accuracy > (best?.accuracy ?? Number.NEGATIVE_INFINITY)) best = { accuracy, epoch };
  }
  return best;
}

function secondsPerStep({ done, perEpoch, epochs }: Log): number | undefined {
  if (done !== undefined) return done.secondsPerStep;
  if (perEpoch === undefined || epochs.length === 0) return undefined;
  // The first epoch has the warm-up, the shortest the least of what else the machine did.
  return Math.min(...epochs.map(({ seconds }) => seconds)) / perEpoch;
}

function statusOf({ status, code }: v.InferOutput<typeof record>, atWork: boolean): string {
  if (status === 'running') return atWork ? 'running' : 'stopped';
  return status === 'failed' && code === 'diverged' ? 'diverged' : status;
}

/** An object without what is undefined. */
type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };
const defined = <T extends object>(object: T) =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Partial<
    Defined<T>
  >;

/** Sums a run up, of which run.json holds `found`. A string says why that is no run's. */
export function summarize(
  found: unknown,
  log: Log,
  { name, path, atWork }: { readonly name: string; readonly path: string; readonly atWork: boolean },
): ListedRun | string {
  const result = v.safeParse(record, found);
  if (!result.success) {
    const [issue] = result.issues;
    return `${v.getDotPath(issue) ?? 'content'}: ${issue.message}`;
  }
  const { error, started, model, parameters, adapter, options } = result.output;
  const lastEpoch = log.epochs.at(-1);
  const lastStep = log.steps.at(-1);
  const epochsDone = lastEpoch?.epoch ?? 0;
  return {
    name,
    path,
    status: statusOf(result.output, atWork),
    ...defined({ error, started }),
    model,
    ...defined({ parameters, adapter: adapter?.description }),
    options,
    epochs: { done: epochsDone, ...defined({ asked: options.epochs }) },
    steps: log.done?.steps ?? Math.max(lastStep?.step ?? 0, epochsDone && (lastStepOf(log, epochsDone) ?? 0)),
    ...defined({
      best: bestOf(log),
      trainLoss: lastEpoch?.train.loss ?? lastStep?.loss,
      validationLoss: lastEpoch?.validation?.loss,
      secondsPerStep: secondsPerStep(log),
    }),
    log,
  };
}

/** Ways to sort a list; the first is the default. */
export const sortings = ['date', 'accuracy', 'loss', 'name'] as const;

/** Runs in order: newest, most accurate, least loss (of validation) or first name first; those that lack it last. */
export function sortRuns<Run extends RunSummary>(
  runs: readonly Run[],
  by: (typeof sortings)[number] = 'date',
): Run[] {
  const last = Number.POSITIVE_INFINITY;
  const orLast = (value: number | undefined) => (value === undefined || Number.isNaN(value) ? last : value);
  const rank = {
    date: (run: Run) => orLast(-Date.parse(run.started ?? '')),
    accuracy: (run: Run) => orLast(run.best && -run.best.accuracy),
    loss: (run: Run) => orLast(run.validationLoss),
    name: () => 0,
  }[by];
  const names = new Intl.Collator('en', { numeric: true });
  return runs.toSorted((a, b) => {
    const [left, right] = [rank(a), rank(b)];
    return left === right ? names.compare(a.name, b.name) : left - right;
  });
}
