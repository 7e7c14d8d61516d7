// Runs for the tests of `heddle runs`: what run.json and events.jsonl hold, in folders and as lists have them.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { logOf } from '../../src/cli/event-log.ts';
import { type ListedRun, summarize } from '../../src/cli/run-summary.ts';

/** A run of which only what matters to a test is given. */
export interface SomeRun {
  readonly name: string;
  readonly status?: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly record?: Readonly<Record<string, unknown>>;
  /** Accuracies of the epochs done, each of 10 steps; the losses follow from them. */
  readonly accuracies?: readonly number[];
  readonly atWork?: boolean;
}

/** What its run.json holds. */
export const recordOf = ({ status = 'done', options, record }: SomeRun) => ({
  status,
  started: '2026-11-23T22:10:05', // local time
  adapter: { description: 'an adapter' },
  dataset: { name: 'synthetic', train: 640 },
  model: '784-32-10',
  parameters: 25450,
  options: {
    ...{ model: 'mlp', hidden: [32], dataset: 'synthetic', epochs: 3, batchSize: 64, lr: 0.1 },
    ...{ optimizer: 'sgd', nesterov: false, seed: 0, shuffle: true, logEvery: 2, json: false },
    ...options,
  },
  ...record,
});

/** What its events.jsonl holds. */
export function eventsOf(run: SomeRun): object[] {
  const { dataset, options } = recordOf(run);
  const { accuracies = [] } = run;
  const events: object[] = [{ type: 'run', dataset, options }];
  for (const [i, accuracy] of accuracies.entries()) {
    const [epoch, loss] = [i + 1, 1 - accuracy];
    for (const step of [1, 3, 5, 7, 9].map((of) => of + 10 * i))
      events.push({
        type: 'step',
        epoch,
        step,
        samples: 64 * (step - 10 * i),
        loss: loss + 1 / step,
        lr: 0.1,
      });
    events.push({
      ...{ type: 'epoch', epoch, seconds: 0.02 / epoch, samplesPerSecond: 32000, train: { loss } },
      validation: { loss: loss * 1.25, accuracy },
    });
  }
  if (recordOf(run).status === 'done')
    events.push({ type: 'done', steps: 10 * accuracies.length, seconds: 1, secondsPerStep: 0.00075 });
  return events;
}

/** The run as a list has it. */
export function listed(run: SomeRun): ListedRun {
  const { name, atWork = false } = run;
  const made = summarize(JSON.parse(JSON.stringify(recordOf(run))), logOf(eventsOf(run)), {
    name,
    path: `runs/${name}`,
    atWork,
  });
  if (typeof made === 'string') throw new Error(made);
  return made;
}

/** Writes the run into a folder; what follows the events is written behind them. */
export function writeRun(parent: string, run: SomeRun, torn = ''): string {
  const folder = join(parent, run.name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'run.json'), JSON.stringify(recordOf(run)));
  const lines = eventsOf(run).map((event) => `${JSON.stringify(event)}\n`);
  writeFileSync(join(folder, 'events.jsonl'), lines.join('') + torn);
  return folder;
}
